"""What a process that only lands needs of the code location: the landing assets and their job.

    landing/<account>/<stream>                          (no tables, no dbt models, no schedules)

dbt takes longer to import than a quiet night to land. Belongs here: that part by itself. Does not
belong here: all else that exists (`lead_pipeline.definitions`).
"""

from __future__ import annotations

import warnings

import dagster as dg

from lead_pipeline.orchestration.landing_assets import build_landing_assets
from lead_pipeline.orchestration.launcher import locked_in_process_executor
from lead_pipeline.orchestration.partitions import daily_partitions
from lead_pipeline.orchestration.presentation import presented
from lead_pipeline.orchestration.resources import surroundings_of
from lead_pipeline.orchestration.schedules import build_job


def load_landing_definitions() -> dg.Definitions:
    """The landing assets of all declared accounts, in the job of the same name as the whole's.

    Raises `ConfigurationError` that names what is wrong with settings or accounts.
    """
    with warnings.catch_warnings():
        # As in `lead_pipeline.definitions`.
        warnings.simplefilter("ignore", dg.BetaWarning)
        around = surroundings_of({})
        landing = build_landing_assets(
            around.accounts, daily_partitions(around.settings.start_date)
        )
        return dg.Definitions(
            assets=presented(landing, around.accounts, around.settings),
            jobs=[build_job()],
            resources=around.resources,
            executor=locked_in_process_executor,
        )
