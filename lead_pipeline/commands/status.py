"""`lead-pipeline status`: how far the data reaches, what is open, and whether all is well."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.commands.console import fail, last_word, print_json, say, show_table
from lead_pipeline.commands.edge import settings_of_command
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.health.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lead_pipeline.health.findings import Finding, Situation
    from lead_pipeline.landing.status import AccountStatus
    from lead_pipeline.settings import Settings
    from lead_pipeline.windows import UpdatedWindow


def _kinds(values: list[str] | None) -> list[str]:
    """The kinds named by an option that may be repeated, each with commas."""
    names = [name.strip() for value in values or [] for name in value.split(",")]
    known = [kind.name for kind in KINDS]
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"{name!r} is no kind of finding: {', '.join(known)}.")
    return names


def status(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document (docs/operations.md).")
    ] = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on",
            metavar="KINDS",
            callback=_kinds,
            help="Exit status 1 where there are findings of these kinds, separated by commas: "
            f"{', '.join(kind.name for kind in KINDS)}.",
        ),
    ] = None,
) -> None:
    """Show how far each account's data reaches, what is open, and what is wrong.

    Asks no API. With --fail-on, each finding of those kinds is one line on standard error. Exit
    status 1 also where nothing has landed: an empty home is not a healthy one.

    Example: lead-pipeline status --fail-on gap,stale,missing-account
    """
    from lead_pipeline.accounts import load_accounts
    from lead_pipeline.health.document import status_document
    from lead_pipeline.health.findings import findings_of, situation_of

    settings = settings_of_command()
    situation = situation_of(settings, load_accounts(settings), datetime.now(UTC))
    _refuse_nothing(settings, situation)
    findings = findings_of(situation)
    if as_json:
        print_json(status_document(situation, findings))
    else:
        _show_statuses(situation.statuses, findings)
        _show_published(situation)
        _show_findings(situation, findings)
    _fail_for([finding for finding in findings if finding.kind in (fail_on or [])])


def _refuse_nothing(settings: Settings, situation: Situation) -> None:
    """An empty home is most often the wrong one."""
    if situation.statuses:
        return
    what = "is not there" if not settings.home.exists() else "holds no landed leads"
    missing = " ".join(account.failure for account in situation.accounts.incomplete)
    raise ConfigurationError(
        f"LEAD_PIPELINE_HOME ({settings.home}) {what}. Nothing has landed, or it names the wrong "
        f"folder: set it as the runs have it, or begin with lead-pipeline run. {missing}"
    )


def _fail_for(findings: Sequence[Finding]) -> None:
    for finding in findings:
        fail(f"lead-pipeline: {_sentence(finding)}")
    if findings:
        raise typer.Exit(1)


def _sentence(finding: Finding) -> str:
    """What, where, since when, what to do."""
    where = "" if finding.account is None else f" ({finding.account})"
    since = "" if finding.since is None else f" Since {_moment(finding.since)}."
    return f"{finding.kind}{where}: {finding.what}{since} {finding.remedy}"


def _show_findings(situation: Situation, findings: Sequence[Finding]) -> None:
    if not findings:
        last_word(f"No findings. Due by now is the data through {_moment(situation.due_until)}.")
    for finding in findings:
        last_word(f"Finding: {_sentence(finding)}")


def _show_published(situation: Situation) -> None:
    published = situation.published
    if published is not None and published.published_at is not None:
        say(
            f"Readers have the build published {_moment(published.published_at)} by run "
            f"{published.run_id}."
        )


def _show_statuses(statuses: Sequence[AccountStatus], findings: Sequence[Finding]) -> None:
    show_table(
        "Streams",
        ["stream", "complete windows", "unfinished crawls", "rows landed", "last crawl"],
        [row for item in statuses for row in _stream_rows(item)],
    )
    show_table(
        "Accounts",
        ["account", "complete from", "complete through", "pending details", "rejected records"],
        [
            [
                item.account,
                _moment(item.complete_from) if item.complete_through else None,
                _moment(item.complete_through) if item.complete_through else "nothing yet",
                item.pending_details,
                sum(group.records for group in item.rejected),
            ]
            for item in statuses
        ],
    )
    show_table(
        "Deletions",
        ["account", "a deleted lead shows with the next", "known are those before", "remark"],
        [
            [
                item.account,
                item.deletions.noticed_by,
                _moment(item.deletions.looked_at) if item.deletions.looked_at else "nothing yet",
                item.deletions.remark,
            ]
            for item in statuses
        ],
    )
    _show_rejected(statuses)
    told = {finding.account for finding in findings if finding.kind == "gap"}
    for item in statuses:
        if item.open_from is not None and item.account not in told:
            say(
                f"{item.account}: days from {item.open_from} are not complete. They come with the "
                f"next lead-pipeline run, or with: lead-pipeline run --account {item.account} "
                f"--from {item.open_from}"
            )
    for item in statuses:
        if item.erased:
            say(f"{item.account}: {item.erased:,} leads were erased, and are not landed again.")
    for item in statuses:
        for stream in item.streams:
            if stream.note:
                say(f"Note ({item.account}/{stream.stream}): {stream.note}")


def _stream_rows(item: AccountStatus) -> list[list[object]]:
    return [
        [
            f"{item.account}/{stream.stream}",
            "\n".join(_span(window) for window in stream.complete[-5:]) or None,
            "\n".join(
                f"{_span(commit.updated_window)} {commit.state} at page {commit.pages:,}"
                for commit in stream.unfinished
            )
            or None,
            stream.records,
            None if stream.last_crawl_at is None else _moment(stream.last_crawl_at),
        ]
        for stream in item.streams
    ]


def _show_rejected(statuses: Sequence[AccountStatus]) -> None:
    rows: list[list[object]] = [
        [item.account, group.stream, group.reason, group.records, _moment(group.last_seen_at)]
        for item in statuses
        for group in item.rejected
    ]
    if rows:
        show_table(
            "Rejected records", ["account", "stream", "reason", "records", "last seen"], rows
        )
        say("After a fix, `lead-pipeline replay-rejected` files them.")


def _span(window: UpdatedWindow) -> str:
    """The half-open window, with dates only where it begins or ends at midnight."""
    start = "…" if window.start is None else _short(window.start)
    return f"[{start}, {_short(window.end)})"


def _short(moment: datetime) -> str:
    return _moment(moment).removesuffix(" 00:00Z")


def _moment(moment: datetime | None) -> str:
    return "the beginning" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}Z"
