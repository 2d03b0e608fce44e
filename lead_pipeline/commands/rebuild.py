"""`lead-pipeline rebuild`: rebuild the normalized tables from landing."""

from __future__ import annotations

from lead_pipeline.commands.console import show_table, working
from lead_pipeline.commands.edge import settings_of_command
from lead_pipeline.commands.outcome import load_and_publish
from lead_pipeline.errors import ConfigurationError


def rebuild() -> None:
    """Build the normalized tables again from landing, then the marts, and publish."""
    from lead_pipeline.landing.commits import accounts_with_landing
    from lead_pipeline.normalized.load import load_landing

    settings = settings_of_command()
    if not accounts_with_landing(settings.landing_path):
        raise ConfigurationError(
            f"Nothing has landed in {settings.landing_path}, so there is nothing to build from. Is "
            "LEAD_PIPELINE_HOME right?"
        )
    with working("Building the normalized tables again") as tell:
        result = load_landing(settings, rebuild=True, tell=tell)
    show_table("Tables", ["table", "rows"], [[name, n] for name, n in result.table_rows.items()])
    load_and_publish(settings)
