"""Reading the package's `.sql` files. Values travel as parameters, never as part of the text."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def read_sql(package: str, name: str) -> str:
    """The text of `<package>/sql/<name>.sql`, e.g. `read_sql("landing", "late_arrivals")`."""
    return files("lead_pipeline").joinpath(package, "sql", f"{name}.sql").read_text("utf-8")
