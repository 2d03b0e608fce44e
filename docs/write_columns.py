"""Write dbt's docs blocks of the normalized tables' columns, from `normalized/columns.csv`."""

from __future__ import annotations

from lead_pipeline.normalized.columns import column_texts
from lead_pipeline.settings import DBT_PROJECT_DIR

PAGE = DBT_PROJECT_DIR / "models" / "normalized_columns.md"
HEAD = "Written by `make docs` from lead_pipeline/normalized/columns.csv: edit the texts there.\n"


def render() -> str:
    """The page as it should be: a block `<column>`, or `<table>__<column>`, for each text."""
    blocks = [
        f"{{% docs {f'{table}__' if table else ''}{column} %}}{text}{{% enddocs %}}"
        for (table, column), text in column_texts().items()
    ]
    return "\n\n".join([HEAD.rstrip(), *blocks]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
