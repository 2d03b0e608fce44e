"""A home with own models in it, as a user writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lead_pipeline.settings import Settings, load_settings


def home_with(home: Path, files: Mapping[str, str]) -> Settings:
    """Settings of `home`, in whose folder `dbt` lie these files, by path."""
    for path, text in files.items():
        target = home / "dbt" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return load_settings({"home": home})
