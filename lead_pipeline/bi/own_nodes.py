"""The users' own models in what dbt has parsed: which they are, and what is wrong with them.

    manifest ──▶ nodes of users' files ──▶ refused: a schema or a name that readers could not have
                                       └─▶ told: models of ours that will go

Belongs here: judging what dbt has accepted. Does not belong here: making the project that it parsed
(`merged_project.py`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from lead_pipeline.bi.dbt_project import DbtProject, load_manifest, ours, source_files
from lead_pipeline.bi.merged_project import project_of
from lead_pipeline.bi.own_problem import note_problem
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.settings import Settings

SCHEMAS = {"model": ("marts", "intermediate", "staging"), "seed": ("seeds", "marts")}
"""Where own models and seeds can be. What is in `marts` is published, the rest is dropped before."""


def accepted_project(settings: Settings) -> tuple[DbtProject, dict[str, Any]]:
    """Our project with the users' models, as their folder is now, and what dbt knows of it.

    Raises `ConfigurationError` that names their file where dbt or readers cannot take it.
    """
    project = project_of(settings)
    try:
        manifest = load_manifest(project)
        refuse_misplaced(project, manifest)
    except ConfigurationError as error:
        if project.own is not None:
            note_problem(settings, project.folder.name, str(error))
        raise
    return project, manifest


def own_nodes(project: DbtProject, manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """dbt's nodes of the models and seeds that users have, in the order of their names."""
    for _, node in sorted(manifest["nodes"].items()):
        if node["resource_type"] in SCHEMAS and project.is_own(node["original_file_path"]):
            yield node


def refuse_misplaced(project: DbtProject, manifest: Mapping[str, Any]) -> None:
    """Raise `ConfigurationError` for own tables that readers would not get, or mistake for others."""
    of_ours = {path.stem for path in source_files(ours())}
    taken = {
        source["name"]: source["schema"]
        for source in manifest["sources"].values()
        if source["schema"] in ("normalized", "meta") and source["name"] not in of_ours
    }
    for node in own_nodes(project, manifest):
        if problem := _problem_of(node, taken, overrides=node["name"] in of_ours):
            path = project.source_of(node["original_file_path"])
            raise ConfigurationError(f"{path} {problem}")


def _problem_of(
    node: Mapping[str, Any], taken: Mapping[str, str], *, overrides: bool
) -> str | None:
    schemas, made_as = SCHEMAS[node["resource_type"]], node["config"]["materialized"]
    if node["schema"] not in schemas:
        return (
            f"is in schema {node['schema']}. It can be in {', '.join(schemas)}; what is in marts is "
            "published."
        )
    if node["alias"] != node["name"]:
        return f"has the alias {node['alias']}. Call the file as the table should be called."
    if node["schema"] == "marts" and made_as not in ("table", "seed") and not overrides:
        return (
            f"is materialized as {made_as}, and readers get tables only. Make it a table, or put it "
            "into schema intermediate, which nobody but models reads."
        )
    if node["name"] in taken:
        return (
            f"has the name of the table {taken[node['name']]}.{node['name']}, and names of published "
            "tables are unique. Give it another."
        )
    return None


def are_about_own(
    unique_ids: Iterable[str], project: DbtProject, manifest: Mapping[str, Any]
) -> bool:
    """Whether one of these nodes of dbt is a file of the users, or is computed from one."""
    if project.own is None:
        return False
    nodes = manifest["nodes"]
    return any(
        project.is_own(nodes[of]["original_file_path"])
        for unique_id in unique_ids
        for of in {unique_id, *ancestors(unique_id, manifest)}
        if of in nodes
    )


def ancestors(unique_id: str, manifest: Mapping[str, Any]) -> set[str]:
    """dbt's ids of all that the node is computed from."""
    found: set[str] = set()
    ahead = [unique_id]
    while ahead:
        parents = set(manifest["parent_map"].get(ahead.pop(), ())) - found
        found |= parents
        ahead += parents
    return found


def said_of_own(project: DbtProject, manifest: Mapping[str, Any]) -> str | None:
    """One sentence on which models and seeds users have; None where they have no folder."""
    if project.own is None:
        return None
    of_ours = {path.stem for path in source_files(ours())}
    names = [node["name"] for node in own_nodes(project, manifest)]
    added = ", ".join(name for name in names if name not in of_ours) or "none"
    replaced = ", ".join(name for name in names if name in of_ours) or "none"
    return f"Own models in {project.own}: {added}; in place of ours: {replaced}."


def deprecated_references(
    project: DbtProject,
    manifest: Mapping[str, Any],
    announced: Sequence[Mapping[str, str]] | None = None,
) -> list[str]:
    """One sentence for each own model and table of ours that it reads and that will go.

    `announced` are the lines of `deprecations.csv`.
    """
    gone = {
        (line["schema_name"], line["table_name"]): line
        for line in (_announced() if announced is None else announced)
        if not line["column_name"]
    }
    found = []
    for node in own_nodes(project, manifest):
        for unique_id in node["depends_on"].get("nodes", ()):
            parent = manifest["nodes"].get(unique_id) or manifest["sources"].get(unique_id) or {}
            line = gone.get((parent.get("schema", ""), parent.get("name", "")))
            if line is not None:
                found.append(
                    f"{project.source_of(node['original_file_path'])} reads "
                    f"{line['schema_name']}.{line['table_name']}, which goes with version "
                    f"{line['removed_in']}. Read {line['replacement']}."
                )
    return found


def _announced() -> list[dict[str, str]]:
    """What the published file announces, too; nothing where there is no list."""
    listed = files("lead_pipeline").joinpath("bi", "deprecations.csv")
    return list(csv.DictReader(listed.read_text("utf-8").splitlines())) if listed.is_file() else []
