"""Write the last chapter of docs/marts.md: each mart's columns, from its YAML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lead_pipeline.bi.dbt_project import load_manifest

PAGE = Path(__file__).parent / "marts.md"
CHAPTER = "## Columns\n\n"


def render(manifest: Mapping[str, Any]) -> str:
    """The page as it should be, with the marts in the order of its first table."""
    head = PAGE.read_text("utf-8").partition(CHAPTER)[0] + CHAPTER
    models = {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "marts"
    }
    names = sorted(models, key=lambda name: head.index(f"(#{name})"))
    return head + "\n".join(_table(models[name]) for name in names)


def _table(model: Mapping[str, Any]) -> str:
    rows = [
        f"| `{name}` | {column['data_type'].replace('timestamp with time zone', 'timestamptz')} "
        f"| {'' if column['constraints'] else 'yes'} | {column['description']} |"
        for name, column in model["columns"].items()
    ]
    return "\n".join(
        [
            f"### `{model['name']}`",
            "",
            model["description"],
            "",
            f"Key: {', '.join(f'`{column}`' for column in model['config']['meta']['key'])}.",
            "",
            "| column | type | can be null | meaning |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(render(load_manifest()), "utf-8")
