"""`lead-pipeline alerts`: whether those who are to be told of failures hear of them."""

from __future__ import annotations

import typer

from lead_pipeline.commands.console import fail, say
from lead_pipeline.commands.edge import settings_of_command
from lead_pipeline.commands.plain_help import PlainCommand, PlainGroup
from lead_pipeline.errors import ConfigurationError

app = typer.Typer(
    name="alerts",
    help=(
        "Who is told when a night cannot heal itself.\n\n"
        "Alerts go to LEAD_PIPELINE_ALERT_WEBHOOK and LEAD_PIPELINE_ALERT_EMAIL (.env.example), from "
        "**run**, **publish** and Dagster alike: each cause once a day, and once when it is over. "
        "LEAD_PIPELINE_HEARTBEAT_URL is asked for after each good night."
    ),
    rich_markup_mode="markdown",
    no_args_is_help=True,
    cls=PlainGroup,
)


@app.command(cls=PlainCommand)
def test() -> None:
    """Send a test message by every channel that is set, and say what became of it.

    Exit status 1 when one does not arrive, or none is set. The heartbeat is not asked for: that
    would say that a night was good.

    Example: LEAD_PIPELINE_ALERT_WEBHOOK=https://hooks.example.com/… lead-pipeline alerts test
    """
    from datetime import UTC, datetime

    from lead_pipeline.alerts.night import try_channels

    results = try_channels(settings_of_command(refreshes=False), datetime.now(UTC))
    if not results:
        raise ConfigurationError(
            "No channel for alerts is set. Set LEAD_PIPELINE_ALERT_WEBHOOK, or "
            "LEAD_PIPELINE_ALERT_EMAIL together with LEAD_PIPELINE_SMTP_URL (.env.example explains "
            "each)."
        )
    for channel, failure in results.items():
        say(f"{channel}: {'the test was taken' if failure is None else f'failed; {failure}'}")
    failures = {channel: failure for channel, failure in results.items() if failure is not None}
    if failures:
        said = " ".join(f"{channel} failed: {failure}" for channel, failure in failures.items())
        fail(f"lead-pipeline: {said}")
        raise typer.Exit(1)
