"""What the web interface shows of every asset beside what it does: tags, an owner, its source code.

    assets ──tags: layer, provider, pii──owner──code references──▶ the same assets, as people see them

Belongs here: what is said of all assets alike. Does not belong here: what only assets of one layer
say (their own modules), or what a run found out (metadata of materializations).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg

from lead_pipeline.accounts import UnusableAccount
from lead_pipeline.bi.masking import treatments
from lead_pipeline.orchestration.resources import with_replaceable_resources
from lead_pipeline.providers.base import Account
from lead_pipeline.settings import Settings

LAYER, PROVIDER, PERSONAL = "layer", "provider", "pii"
"""Tags: the first part of the key; whose API; that it holds personal data."""


def presented(
    assets: Sequence[dg.AssetsDefinition],
    accounts: Sequence[Account | UnusableAccount],
    settings: Settings,
) -> list[dg.AssetsDefinition]:
    """`assets` with tags, with the owner of the settings if there is one, and with their code."""
    providers = {account.name: account.provider for account in accounts}
    owners = [settings.owner] if settings.owner else []
    described = [
        asset.map_asset_specs(
            lambda spec: spec.merge_attributes(tags=_tags(spec, providers, settings), owners=owners)
        )
        for asset in assets
    ]
    referenced = dg.with_source_code_references(described)
    return [
        with_replaceable_resources(asset)
        for asset in referenced
        if isinstance(asset, dg.AssetsDefinition)
    ]


def _tags(spec: dg.AssetSpec, providers: Mapping[str, str], settings: Settings) -> dict[str, str]:
    layer = spec.key.path[0]
    tags = {LAYER: layer}
    if layer == "landing":
        tags[PROVIDER] = providers[spec.key.path[1]]
    if _is_personal(spec, is_masked=bool(settings.masking)):
        tags[PERSONAL] = ""
    return tags


def _is_personal(spec: dg.AssetSpec, *, is_masked: bool) -> bool:
    """Whether somebody could be recognised by it: by columns that masking changes, if it does not."""
    layer = spec.key.path[0]
    if is_masked and layer not in ("landing", "normalized"):
        return False
    if layer in ("landing", "bi"):
        return True
    schema = spec.metadata.get("dagster/column_schema")
    columns = schema.columns if isinstance(schema, dg.TableSchema) else []
    treated = {line.column for line in treatments() if line.treatment != "keep"}
    return any(column.name in treated for column in columns)
