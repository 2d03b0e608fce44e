"""`lead-pipeline status`: how far the data reaches, and what is open."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lead_pipeline.commands.console import say, show_table

if TYPE_CHECKING:
    from lead_pipeline.landing.status import AccountStatus
    from lead_pipeline.windows import UpdatedWindow


def status() -> None:
    """Show how far each account's data reaches, and what is open: crawls, details, rejected."""
    from lead_pipeline.accounts import load_accounts
    from lead_pipeline.landing.status import account_statuses
    from lead_pipeline.providers import PROVIDERS
    from lead_pipeline.settings import load_settings

    settings = load_settings()
    accounts = load_accounts(settings)
    options = {item.name: PROVIDERS[item.provider].options_of(item) for item in accounts.usable}
    statuses = account_statuses(settings, options)
    if statuses:
        _show_statuses(statuses)
    else:
        say(f"Nothing has landed in {settings.landing_path} yet. Try `lead-pipeline run`.")
    for unusable in accounts.incomplete:
        say(f"{unusable.name}: cannot be pulled; {unusable.reason}")


def _show_statuses(statuses: list[AccountStatus]) -> None:
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
    for item in statuses:
        if item.open_from is not None:
            say(
                f"{item.account}: days from {item.open_from} are not complete. They come with the "
                f"next lead-pipeline run, or with: lead-pipeline run --account {item.account} "
                f"--from {item.open_from}"
            )
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


def _show_rejected(statuses: list[AccountStatus]) -> None:
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
