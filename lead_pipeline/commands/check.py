"""`lead-pipeline check`: whether each account works, and what comes next."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.commands.console import answer_in_json, fail, print_json, say
from lead_pipeline.commands.edge import settings_of_command
from lead_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lead_pipeline.accounts import Accounts, UnusableAccount
    from lead_pipeline.landing.check import AccountCheck, Polls
    from lead_pipeline.settings import Settings


def check(
    account: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this account. [all]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Ask each account's API whether the key works; say what is missing, and what comes next.

    Also says who can read what the pipeline writes, what days and working hours are in the marts, and
    whether dbt takes models of your own.

    Costs one or two requests per account. Exit status 1 when an account does not work or lacks
    credentials, or a model cannot be taken; providers of which nothing is set are left out.
    """
    from lead_pipeline.accounts import load_accounts
    from lead_pipeline.bi.calendar import calendar_of
    from lead_pipeline.landing.check import check_account
    from lead_pipeline.storage.permissions import readers_of, said_of_readers

    if as_json:
        answer_in_json()
    settings = settings_of_command()
    who_reads = said_of_readers(settings.home, readers_of(settings))
    say(who_reads)
    calendar = calendar_of(settings)
    say(str(calendar))
    own_models, own_problem = _own_models(settings)
    for line in own_models:
        say(line)
    accounts = load_accounts(settings)
    for left_out in accounts.left_out:
        if account in (None, left_out.name):
            say(f"{left_out.name}: left out; {left_out.reason}")
    if account is None and not accounts.declared:
        raise ConfigurationError(
            "No account has credentials. Set the variables named above "
            "(.env.example lists them all), or try `lead-pipeline demo`, which needs none."
        )
    incomplete = accounts.incomplete if account is None else ()
    for unusable in incomplete:
        say(f"{unusable.name}: cannot be pulled; {unusable.reason}")
    checks = [check_account(settings, item, say) for item in accounts.chosen(account)]
    for result in checks:
        _show_check(result)
    if as_json:
        around = {"readable_by": who_reads, "calendar": asdict(calendar), "own_models": own_models}
        print_json({**_document(accounts, checks, incomplete), **around})
    failures = {result.account.name: result.failure for result in checks if result.failure}
    failures |= {unusable.name: unusable.failure for unusable in incomplete}
    _end(failures, own_problem)


def _end(failures: Mapping[str, str], own_problem: str | None) -> None:
    """Exit status 1, with all that is wrong on one line, unless nothing is."""
    said = []
    if failures:
        said.append(f"{', '.join(failures)} cannot be pulled: {' '.join(failures.values())}")
    if own_problem is not None:
        said.append(f"models of yours cannot be built: {' '.join(own_problem.split())}")
    if said:
        fail(f"lead-pipeline: {' '.join(said)}")
        raise typer.Exit(1)


def _own_models(settings: Settings) -> tuple[list[str], str | None]:
    """What is said of the users' models, nothing where they have none; why they cannot be built."""
    from lead_pipeline.bi.own_models import read_own_models

    try:
        if read_own_models(settings) is None:
            return [], None
        # dbt takes a second to import, and several to parse.
        from lead_pipeline.bi.own_nodes import accepted_project, deprecated_references, said_of_own

        project, manifest = accepted_project(settings)
    except ConfigurationError as error:
        return [str(error)], str(error)
    return [str(said_of_own(project, manifest)), *deprecated_references(project, manifest)], None


def _document(
    accounts: Accounts, checks: Sequence[AccountCheck], incomplete: Sequence[UnusableAccount]
) -> dict[str, object]:
    return {
        "accounts": [
            {
                "account": check.account.name,
                "provider": check.account.provider,
                "base_url": check.account.base_url,
                "works": check.failure is None,
                "failure": check.failure,
                "facts": check.facts,
                "quota": check.quota,
                "next_run": check.next_backfill,
                "polls": check.polls,
            }
            for check in checks
        ]
        + [
            {
                "account": unusable.name,
                "provider": unusable.provider,
                "base_url": None,
                "works": False,
                "failure": unusable.failure,
                "facts": [],
                "quota": None,
                "next_run": None,
                "polls": None,
            }
            for unusable in incomplete
        ],
        "left_out": [item.name for item in accounts.left_out],
    }


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
    if result.polls is not None:
        _show_polls(result.polls)
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


def _show_polls(polls: Polls) -> None:
    cost = "as many requests as a whole list has pages"
    if polls.requests is not None:
        cost = f"about {polls.requests:,} request{'s'[: polls.requests > 1]} and what has changed"
    if polls.is_on:
        say(
            f"  polled every hour ({cost}): stages are known to within an hour; "
            f"{polls.variable}=0 asks at night only"
        )
    else:
        say(
            f"  asked at night only: stages are known to within a day; {polls.variable}=1 asks "
            f"every hour ({cost}), and stages are known to within an hour"
        )
