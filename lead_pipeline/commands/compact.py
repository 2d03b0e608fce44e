"""`lead-pipeline compact`: many small landed files put together."""

from __future__ import annotations

from datetime import UTC, datetime

from lead_pipeline.commands.console import last_word, say, show_table
from lead_pipeline.commands.edge import settings_of_command


def compact() -> None:
    """Put small landed files of days that are over into fewer. Each publication does some of it too.

    No row is changed, added or lost, and what counts are still the commit records. Loads and the
    pulls of an account wait meanwhile; readers of the BI file do not. Safe to kill at any time.
    """
    from lead_pipeline.errors import ConfigurationError
    from lead_pipeline.landing.compaction import Compacted, compact_landing

    settings = settings_of_command()
    now = datetime.now(UTC)
    total: dict[str, Compacted] = {}
    while any((done := compact_landing(settings, now, say)).values()):
        for account, compacted in done.items():
            total[account] = total.get(account, Compacted()) + compacted
            if compacted:
                say(f"{account}: {compacted}.")
    if not done:
        raise ConfigurationError(
            f"Nothing has landed in {settings.landing_path}, so there is nothing to put together. Is "
            "LEAD_PIPELINE_HOME right?"
        )
    show_table(
        "Landed files put together",
        ["account", "files before", "files after", "rows"],
        [[name, found.before, found.after, found.rows] for name, found in sorted(total.items())],
    )
    files = sum(found.before for found in total.values())
    last_word(f"{files:,} small files were put together." if files else "No small files are due.")
