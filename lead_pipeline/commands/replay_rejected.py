"""`lead-pipeline replay-rejected`: file rejected records after a fix."""

from __future__ import annotations

from typing import Annotated

import typer

from lead_pipeline.commands.console import last_word, say
from lead_pipeline.commands.outcome import load_and_publish
from lead_pipeline.errors import ConfigurationError


def replay_rejected(
    account: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this account. [all]")
    ] = None,
) -> None:
    """Try to file rejected records again, after a fix; then load and publish.

    Records that can be filed now keep the time at which they were fetched.
    """
    from lead_pipeline.landing import rejected
    from lead_pipeline.landing.commits import accounts_with_landing
    from lead_pipeline.settings import load_settings

    settings = load_settings()
    names = accounts_with_landing(settings.landing_path)
    if account is not None and account not in names:
        raise ConfigurationError(f"Nothing of an account {account!r} has landed.")
    filed = 0
    still_rejected = 0
    for name in names if account is None else [account]:
        result = rejected.replay_rejected(settings, name)
        filed += sum(result.filed.values())
        still_rejected += result.still_rejected
        for stream, records in result.filed.items():
            say(f"{name}/{stream}: {records:,} records filed")
    last_word(f"{filed:,} filed, {still_rejected:,} still rejected.")
    if filed:
        load_and_publish(settings)
