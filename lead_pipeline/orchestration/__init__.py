"""Dagster around the pipeline; the only folder that imports it, besides `definitions.py`.

    resources.py ──▶ landing_assets.py ──▶ normalized_assets.py ──▶ dbt_assets.py ──▶ published_asset.py
    schedules.py, runner.py, parallel.py ──▶ runs ──▶ launcher.py, processes.py: which of them live
    instance.py, databases.py: where all of it is recorded

Belongs here: what exists only because Dagster runs the pipeline. Does not belong here: landing,
loading and publishing, which work without Dagster; a provider's or a stream's name.
"""
