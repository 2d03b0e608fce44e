"""`--dry-run` of `run` and `publish`: what they would do. Asks no API and changes nothing.

Belongs here: showing it. Does not belong here: finding it out (`landing/preview.py`,
`normalized/preview.py`, `bi/gate.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from lead_pipeline.commands.console import fail, last_word, note, say, show_table
from lead_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lead_pipeline.accounts import UnusableAccount
    from lead_pipeline.landing.preview import StreamPreview
    from lead_pipeline.normalized.preview import PendingLoad
    from lead_pipeline.orchestration.parallel import LandingJob
    from lead_pipeline.providers.base import Account
    from lead_pipeline.settings import Settings


def preview_run(
    settings: Settings,
    accounts: Sequence[Account],
    jobs: Mapping[str, LandingJob],
    incomplete: Sequence[UnusableAccount],
) -> None:
    """Show what `run` would ask for; exit with 1 where it would fail for lack of credentials."""
    from lead_pipeline.landing.preview import preview_account
    from lead_pipeline.windows import window_of_days

    streams: list[StreamPreview] = []
    for account in accounts:
        job = jobs[account.name]
        say(f"{account.name}: {job.first} to {job.last}{', in full' if job.full else ''}")
        window = window_of_days(job.first, job.last, settings.start_date)
        streams += preview_account(settings, account, window, full=job.full)
    show_table(
        "Would be asked for, stream by stream",
        ["stream", "first request", "resumes", "requests last time"],
        [
            [f"{item.account}/{item.stream}", item.asks, _resumed(item), item.last_requests]
            for item in streams
        ],
    )
    for remark in dict.fromkeys(item.note for item in streams if item.note):
        say(f"Note: {remark}")
    last_word("Nothing was asked for, and nothing was written.")
    if incomplete:
        fail(f"lead-pipeline: {' '.join(account.failure for account in incomplete)}")
        raise typer.Exit(1)


def _resumed(item: StreamPreview) -> str | None:
    return None if item.resumes is None else f"{item.resumes}, after page {item.pages_done:,}"


def preview_publish(settings: Settings, *, allow_row_count_drop: bool) -> None:
    """Show what `publish` would load and build, and what the gate would compare."""
    from lead_pipeline.landing.commits import accounts_with_landing
    from lead_pipeline.normalized.preview import pending_load

    if not accounts_with_landing(settings.landing_path):
        raise ConfigurationError(
            f"Nothing has landed in {settings.landing_path}, so there is nothing to publish. Is "
            "LEAD_PIPELINE_HOME right?"
        )
    _show_load(pending_load(settings, note))
    _show_gate(settings, allow_row_count_drop=allow_row_count_drop)
    last_word("Nothing was loaded, built or published.")


def _show_load(pending: PendingLoad) -> None:
    if pending.files is None:
        say(f"What would be loaded is not known: {pending.unknown_because}.")
        return
    what = f"{pending.files:,} landed files with {pending.rows:,} rows"
    if pending.rebuild_because is None:
        say(f"Would be loaded: {what}. No rebuild is due.")
    else:
        say(f"Would be rebuilt from {what}: {pending.rebuild_because}.")
    say("Then all marts are built and tested in a new candidate.")


def _show_gate(settings: Settings, *, allow_row_count_drop: bool) -> None:
    from lead_pipeline.bi.builds import read_build
    from lead_pipeline.bi.gate import floors_of, rules_of
    from lead_pipeline.storage.publication import refreshed

    rules = rules_of(settings, allow_row_count_drop=allow_row_count_drop)
    before = read_build(refreshed(settings.published_path))
    masked = "not masked" if rules.masking_key_id is None else f"masked with {rules.masking_key_id}"
    say(f"The gate asks for all tables, passed tests, and personal data {masked}.")
    if allow_row_count_drop:
        say("Nothing is compared with what readers have: --allow-row-count-drop.")
    elif before is None:
        say(f"Nothing is compared: there is no build at {settings.published_path} to be read.")
    else:
        show_table(
            "Compared with what readers have",
            ["account", "leads", "refused below", "refused when newly missing are more than"],
            [
                [floor.account, floor.leads, floor.fewest, floor.most_missing]
                for floor in floors_of(before, rules)
            ],
        )
