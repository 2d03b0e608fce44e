"""What follows a publication, so that a home does not grow with its nights.

    bi/published ──▶ old runs of Dagster removed ──▶ small landed files of closed days put together
                 ──▶ a part of the landed files compared with their digests

Nothing of it may cost readers their build: what fails is told, and tried again the next night.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from dagster import DagsterError, DagsterInstance
from sqlalchemy.exc import SQLAlchemyError

from lead_pipeline.errors import LeadPipelineError
from lead_pipeline.landing.compaction import compact_landing
from lead_pipeline.landing.scrub import scrub_landing
from lead_pipeline.orchestration.pruning import prune_history
from lead_pipeline.settings import Settings

Tell = Callable[[str], None]


def after_publication(instance: DagsterInstance, settings: Settings, tell: Tell) -> None:
    """A bounded part of what is due, without waiting for anybody."""
    _prune(instance, settings, tell)
    _compact(settings, tell)
    _scrub(settings, tell)


def _prune(instance: DagsterInstance, settings: Settings, tell: Tell) -> None:
    try:
        before = datetime.now(UTC) - timedelta(days=settings.log_days)
        pruned = prune_history(instance, before)
    except (SQLAlchemyError, DagsterError, OSError) as error:
        tell(
            f"Old runs could not be removed ({type(error).__name__}). The next publication tries "
            "again; if it stays, look at the disk and at Dagster's databases."
        )
        return
    if pruned:
        tell(f"Removed {pruned} of before {before:%Y-%m-%d}.")


def _compact(settings: Settings, tell: Tell) -> None:
    try:
        done = compact_landing(settings, datetime.now(UTC), tell, patience=0)
    except (LeadPipelineError, OSError) as error:
        tell(
            f"Small landed files could not be put together: {error} Nothing is lost; the next "
            "publication tries again."
        )
        return
    for account, compacted in done.items():
        if compacted:
            tell(f"{account}: {compacted}.")


def _scrub(settings: Settings, tell: Tell) -> None:
    try:
        found = scrub_landing(settings, datetime.now(UTC))
    except (LeadPipelineError, OSError) as error:
        tell(
            f"Landed files could not be compared with their digests ({type(error).__name__}). Try "
            "it: lead-pipeline scrub"
        )
        return
    if found.problems:
        tell(
            f"{len(found.problems):,} landed files or commit records are damaged or gone. Name them: "
            "lead-pipeline status"
        )
