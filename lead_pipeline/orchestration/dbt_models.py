"""The dbt project that a code location is made of, in the words of Dagster.

    settings ──▶ our project, with the users' models where dbt can parse them ──▶ keys, texts, links

Belongs here: which project, and what Dagster calls its parts. Does not belong here: building it
(`dbt_assets.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from dagster import AssetKey, CodeReferencesMetadataValue, LocalFileCodeReference
from dagster._utils.warnings import disable_dagster_warnings
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

from lead_pipeline.bi.dbt_project import DbtProject, load_manifest, ours
from lead_pipeline.bi.own_nodes import accepted_project
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.logs import log_of
from lead_pipeline.settings import Settings

_log = log_of(__name__)

SOURCE_ASSETS = {
    "leads": "leads",
    "lead_stage_history": "lead_stage_history",
    "lead_versions": "lead_versions",
    # By-products of the load, in the same transaction as the leads.
    "coverage": "leads",
    "watches": "leads",
    "unobserved_changes": "lead_stage_history",
    "observed_changes": "lead_versions",
    "provider_stale_leads": "leads",
    "canonical_stages": "leads",
    "stages": "leads",
    "mapped_stages": "leads",
    # Of the settings; it reaches as far as the leads do.
    "working_time": "leads",
}
"""The asset that makes a source's table, below `normalized`."""


class LeadPipelineTranslator(DagsterDbtTranslator):
    """Asset keys `<schema>/<name>` for sources and models alike, all in group `marts`."""

    def __init__(self, project: DbtProject) -> None:
        self._project = project
        super().__init__(
            DagsterDbtTranslatorSettings(
                enable_source_tests_as_checks=True, enable_duplicate_source_asset_keys=True
            )
        )

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> AssetKey:
        """The schema and the name, as they stand in the file; a source's as in the warehouse."""
        if dbt_resource_props["resource_type"] == "source":
            return AssetKey(["normalized", SOURCE_ASSETS[dbt_resource_props["name"]]])
        return AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The model's own text. Its SQL is behind the link to its file, and in no description."""
        kind, name = dbt_resource_props["resource_type"], dbt_resource_props["name"]
        return str(dbt_resource_props.get("description") or f"dbt {kind} {name}")

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """The columns, and where the file of a model or seed is."""
        metadata = super().get_metadata(dbt_resource_props)
        if dbt_resource_props["resource_type"] == "source":
            return metadata
        path = self._project.source_of(dbt_resource_props["original_file_path"])
        # Beta in Dagster's words; the pinned release has them.
        with disable_dagster_warnings():
            file = LocalFileCodeReference(file_path=str(path), line_number=1, label=path.name)
            references = CodeReferencesMetadataValue(code_references=[file])
        return {**metadata, "dagster/code_references": references}

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """One group; the schema in the key tells the layers apart."""
        return "marts"


@dataclass(frozen=True)
class Models:
    """A dbt project, what dbt knows of it, and what Dagster calls it."""

    project: DbtProject
    manifest: Mapping[str, Any]
    translator: DagsterDbtTranslator
    problem: str | None = None
    """Why the users' models are not part of it; None: they are, or there are none."""

    @classmethod
    def of(
        cls, project: DbtProject, manifest: Mapping[str, Any], problem: str | None = None
    ) -> Self:
        """The models of a project, with our names for them."""
        return cls(project, manifest, LeadPipelineTranslator(project), problem)


def models_of(settings: Settings | None) -> Models:
    """Our models with those of users, as their folder is now; without settings, ours alone.

    Where theirs cannot be taken, ours alone and the problem: landing goes on, and no build does. Raises
    `ConfigurationError` where dbt cannot parse ours.
    """
    problem = None
    if settings is not None:
        try:
            return Models.of(*accepted_project(settings))
        except ConfigurationError as error:
            problem = str(error)
            _log.warning("own models are left out of what is shown", problem=problem)
    return Models.of(ours(), load_manifest(ours()), problem)
