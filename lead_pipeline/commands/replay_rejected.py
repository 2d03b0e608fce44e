"""`lead-pipeline replay-rejected`: file rejected records after a fix."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lead_pipeline.commands.console import answer_in_json, last_word, print_json, say
from lead_pipeline.commands.edge import settings_of_command
from lead_pipeline.commands.outcome import load_and_publish
from lead_pipeline.errors import ConfigurationError


def replay_rejected(
    account: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this account. [all]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Try to file rejected records again, after a fix; then load and publish.

    Records that can be filed now keep the time at which they were fetched.
    """
    from lead_pipeline.landing import rejected
    from lead_pipeline.landing.commits import accounts_with_landing

    if as_json:
        answer_in_json()
    settings = settings_of_command()
    names = accounts_with_landing(settings.landing_path)
    if account is not None and account not in names:
        raise ConfigurationError(f"Nothing of an account {account!r} has landed.")
    results = {}
    for name in names if account is None else [account]:
        results[name] = rejected.replay_rejected(settings, name)
        for stream, records in results[name].filed.items():
            say(f"{name}/{stream}: {records:,} records filed")
    filed = sum(sum(result.filed.values()) for result in results.values())
    still_rejected = sum(result.still_rejected for result in results.values())
    if as_json:
        print_json({"accounts": [{"account": n, **asdict(r)} for n, r in results.items()]})
    last_word(f"{filed:,} filed, {still_rejected:,} still rejected.")
    if filed:
        load_and_publish(settings)
