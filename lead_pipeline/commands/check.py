"""`lead-pipeline check`: whether each account works, and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.console import fail, say
from lead_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from lead_pipeline.check import AccountCheck


def check(
    account: Annotated[str | None, typer.Option(help="Only this account. [all]")] = None,
) -> None:
    """Ask each account's API whether the key works; say what is missing, and what comes next.

    Costs one or two requests per account. Exit status 1 when an account does not work or none
    has credentials.
    """
    from lead_pipeline.accounts import load_accounts
    from lead_pipeline.check import check_account
    from lead_pipeline.settings import load_settings

    settings = load_settings()
    accounts = load_accounts(settings)
    for missing in accounts.missing:
        if account in (None, missing.name):
            say(f"{missing.name}: left out; {missing.reason}")
    chosen = list(accounts.usable) if account is None else [accounts.named(account)]
    if not chosen:
        raise ConfigurationError(
            "No account has credentials. Set the variables named above "
            "(.env.example lists them all), or try `lead-pipeline demo`, which needs none."
        )
    checks = [check_account(settings, item, say) for item in chosen]
    for result in checks:
        _show_check(result)
    failed = [result for result in checks if result.failure]
    if failed:
        names = ", ".join(result.account.name for result in failed)
        fail(f"lead-pipeline: {names} cannot be pulled: {failed[-1].failure}")
        raise typer.Exit(1)


def _show_check(result: AccountCheck) -> None:
    account = result.account
    mark = "failed" if result.failure else "works"
    say(f"{account.name} ({account.provider}, {account.base_url}): {mark}")
    for fact in result.facts:
        say(f"  {fact}")
    if result.quota:
        say(f"  quota now: {result.quota}")
    if result.failure:
        say(f"  {result.failure}")
    backfill = result.next_backfill
    if backfill is None:
        if not result.failure:
            say("  complete through yesterday; nothing to pull")
        return
    cost = "requests unknown before the first whole crawl"
    if backfill.requests is not None and backfill.seconds is not None:
        cost = f"about {backfill.requests:,} requests, {backfill.seconds / 60:,.0f} min of waiting"
    say(
        f"  next: run --from {backfill.first} --to {backfill.last} --account {account.name} ({cost})"
    )
