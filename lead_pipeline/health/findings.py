"""Findings: what is wrong with the data now, told from landing, the published file and accounts.

    statuses of accounts ─┐
    published file ───────┼──▶ one function per kind ──▶ findings, the weightiest kind first
    declared accounts ────┘

Nothing is written, no API is asked, and no lock is waited for. A finding holds no personal data
and no secret. Belongs here: deciding what is a finding. Does not belong here: reading
(`landing/status.py`, `published.py`), who is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from lead_pipeline.accounts import Accounts, UnusableAccount
from lead_pipeline.bi.own_problem import own_problem
from lead_pipeline.health.freshness import due_until, is_late
from lead_pipeline.health.kinds import KINDS, Kind
from lead_pipeline.health.published import PublishedState, Unmapped, published_state
from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.landing.coverage import AccountCoverage
from lead_pipeline.landing.gaps import first_open_day
from lead_pipeline.landing.scrub import last_report
from lead_pipeline.landing.status import AccountStatus, account_statuses
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.settings import Settings
from lead_pipeline.storage.locks import is_held
from lead_pipeline.windows import GRACE, ONE_DAY, day_start

__all__ = ["KINDS", "Finding", "Kind", "Situation", "find", "findings_of", "situation_of"]

SHOWN_VALUES = 5
"""So many unmapped values are named in a sentence."""


LONGEST_PROBLEM = 500
"""Characters of what dbt says of a model; the file and the first cause are at its beginning."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    kind: str
    """A name of `KINDS`."""
    account: str | None
    """None: it concerns all accounts."""
    what: str
    """One sentence."""
    since: datetime | None
    """UTC; None: it is not known."""
    remedy: str
    """What to do, with a command where there is one."""


@dataclass(frozen=True)
class Situation:
    """What findings are told from, as it was at `now`."""

    settings: Settings
    accounts: Accounts
    now: datetime
    statuses: Sequence[AccountStatus]
    published: PublishedState | None

    @property
    def due_until(self) -> datetime:
        """The end of the last day that must be complete."""
        return due_until(self.now)

    def status_of(self, account: str) -> AccountStatus | None:
        """The status of an account; None when it has landed nothing."""
        return next((status for status in self.statuses if status.account == account), None)


def find(settings: Settings, accounts: Accounts, now: datetime) -> list[Finding]:
    """Everything that is wrong at `now`, the weightiest kind first, then by account."""
    return findings_of(situation_of(settings, accounts, now))


def situation_of(settings: Settings, accounts: Accounts, now: datetime) -> Situation:
    """Read what findings are told from."""
    options = {item.name: PROVIDERS[item.provider].options_of(item) for item in accounts.usable}
    return Situation(
        settings,
        accounts,
        now,
        account_statuses(settings, options, now),
        published_state(settings.published_path),
    )


def findings_of(situation: Situation) -> list[Finding]:
    """What is wrong in `situation`."""
    weights = {kind.name: weight for weight, kind in enumerate(KINDS)}
    found = [finding for look in _LOOKS for finding in look(situation)]
    # Stable: findings of a kind and account stay in the order in which they were found.
    return sorted(found, key=lambda finding: (weights[finding.kind], finding.account or ""))


def _damaged(situation: Situation) -> Iterator[Finding]:
    """What the last scrub has found; it looks again each time, until it is right."""
    report = last_report(situation.settings)
    if report is None:
        return
    for problem in report.problems:
        rows = f" Its {problem.rows:,} rows cannot be loaded." if problem.rows else ""
        yield Finding(
            "damaged",
            problem.account,
            f"{problem.path} in landing: {problem.what}.{rows}",
            None,
            f"Restore it from a backup, or without one: lead-pipeline scrub --repair. Found "
            f"{_said(report.scrubbed_at)}; lead-pipeline scrub looks again.",
        )


def _gaps(situation: Situation) -> Iterator[Finding]:
    """Declared accounts whose first open day is due; others nobody is asked for."""
    last, start = situation.due_until.date() - ONE_DAY, situation.settings.start_date
    if last < start:
        return
    for account in situation.accounts.declared:
        status = situation.status_of(account.name)
        coverage = AccountCoverage(
            account.name,
            account.provider,
            status.complete_from if status else None,
            status.complete_through if status else None,
        )
        first = first_open_day(coverage, start, last)
        if first is None:
            continue
        what = f"Days from {first} are not complete."
        if status is None:
            what = "The account is declared, and nothing of it has landed."
        command = f"lead-pipeline run --account {account.name} --from {first}"
        yield Finding(
            "gap",
            account.name,
            what,
            day_start(first),
            _pull_with(account, f"They come with the next run, or with: {command}"),
        )


def _stale_accounts(situation: Situation) -> Iterator[Finding]:
    """Accounts of which something is complete, and less than is due."""
    for account in situation.accounts.declared:
        status = situation.status_of(account.name)
        through = None if status is None else status.complete_through
        if through is not None and is_late(through, situation.due_until):
            yield Finding(
                "stale",
                account.name,
                f"The data is complete through {_said(through)}; by now it should be through "
                f"{_said(situation.due_until)}.",
                through,
                _pull_with(
                    account,
                    f"lead-pipeline run --account {account.name}; lead-pipeline check says "
                    "whether the key works.",
                ),
            )


def _pull_with(account: object, remedy: str) -> str:
    """The remedy; of an account that cannot be asked, first its credentials."""
    if isinstance(account, UnusableAccount):
        return f"First {account.reason} Then: {remedy}"
    return remedy


PUBLISH = "lead-pipeline publish; it says what is in the way."


def _stale_published(situation: Situation) -> Iterator[Finding]:
    """Readers have less than has landed, although it is due."""
    published, path = situation.published, situation.settings.published_path
    landed = [item for item in situation.statuses if item.complete_through is not None]
    if published is None:
        if landed:
            what = f"Leads have landed, and {path} is not there: readers have nothing."
            yield Finding("stale", None, what, None, PUBLISH)
        return
    if not published.is_readable:
        yield Finding("stale", None, f"{path} cannot be read.", None, PUBLISH)
        return
    for item in landed:
        through = published.through(item.account)
        wanted = min(item.complete_through or situation.due_until, situation.due_until)
        if is_late(through, wanted):
            has = "nothing complete" if through is None else f"the data through {_said(through)}"
            yield Finding(
                "stale",
                item.account,
                f"Readers have {has}, while it has landed through {_said(item.complete_through)}.",
                through,
                PUBLISH,
            )


def _own_models(situation: Situation) -> Iterator[Finding]:
    """Models of users that are known to be wrong as they are now; nothing is parsed for it."""
    if problem := own_problem(situation.settings):
        yield Finding(
            "own-models",
            None,
            " ".join(problem.what.split())[:LONGEST_PROBLEM],
            problem.since,
            f"Correct it, or move it out of {situation.settings.own_models_path}; then: "
            "lead-pipeline publish.",
        )


def _rejected(situation: Situation) -> Iterator[Finding]:
    for item in situation.statuses:
        for group in item.rejected:
            yield Finding(
                "rejected",
                item.account,
                f"Records of {group.stream} could not be filed ({group.records:,}): {group.reason}.",
                group.first_seen_at,
                "They are kept. After a fix: lead-pipeline replay-rejected "
                f"--account {item.account}",
            )


def _unmapped(situation: Situation) -> Iterator[Finding]:
    """One finding per account, as readers see it; before the first publication nothing is known."""
    values = situation.published.unmapped if situation.published else ()
    for account in dict.fromkeys(value.account for value in values):
        own = [value for value in values if value.account == account]
        known = [value.since for value in own if value.since is not None]
        yield Finding(
            "unmapped",
            account,
            f"Values have no canonical stage: {_listed(own)}.",
            min(known, default=None),
            "Map them in stages.csv below LEAD_PIPELINE_HOME, then: lead-pipeline publish",
        )


def _listed(values: Sequence[Unmapped]) -> str:
    named = [f"{value.value} ({value.leads:,} leads)" for value in values[:SHOWN_VALUES]]
    more = len(values) - len(named)
    return "; ".join(named) + (f"; and {more:,} more" if more else "")


def _doubtful(situation: Situation) -> Iterator[Finding]:
    for item in situation.statuses:
        for crawl in _unfinished_crawls(item, "doubtful"):
            yield Finding(
                "doubtful",
                item.account,
                f"The crawl of {crawl.stream} for {crawl.updated_window} is not believed: "
                f"{crawl.doubt or 'less came than ever before'}.",
                crawl.started_at,
                "Ask the provider. If the leads are really gone: "
                f"{_again(crawl)} --accept-doubtful",
            )
        if item.deletions.unsettled == "doubtful":
            yield Finding(
                "doubtful",
                item.account,
                f"The search for vanished leads is not believed: {item.deletions.remark}.",
                item.deletions.searched_at,
                f"lead-pipeline run --full --account {item.account}",
            )


def _unfinished(situation: Situation) -> Iterator[Finding]:
    """Crawls that stand still for longer than a night may take; a living process owns its own."""
    for item in situation.statuses:
        if is_held(situation.settings.account_lock(item.account)):
            continue
        for crawl in _unfinished_crawls(item, "running", "stuck"):
            if crawl.state == "running" and situation.now - crawl.started_at < GRACE:
                continue
            how = "is stuck" if crawl.state == "stuck" else "was interrupted"
            yield Finding(
                "unfinished",
                item.account,
                f"The crawl of {crawl.stream} for {crawl.updated_window} {how} "
                f"at page {crawl.pages:,}.",
                crawl.started_at,
                f"{_again(crawl)} resumes it.",
            )


def _unfinished_crawls(item: AccountStatus, *states: str) -> list[CommitRecord]:
    return [
        crawl for stream in item.streams for crawl in stream.unfinished if crawl.state in states
    ]


def _again(crawl: CommitRecord) -> str:
    """The command that asks for the crawl's window again."""
    start = "" if crawl.window.start is None else f" --from {crawl.window.start:%Y-%m-%d}"
    end = f" --to {crawl.window.end - ONE_DAY:%Y-%m-%d}"
    return f"lead-pipeline run --account {crawl.account}{start}{end}{' --full' * crawl.full}"


def _missing_accounts(situation: Situation) -> Iterator[Finding]:
    for account in situation.accounts.incomplete:
        yield Finding(
            "missing-account",
            account.name,
            "The account is declared and lacks credentials, so it cannot be pulled.",
            None,
            f"{account.reason[:1].upper()}{account.reason[1:]}",
        )
    if not situation.accounts.declared:
        yield Finding(
            "missing-account",
            None,
            "No account is declared, so nothing is pulled.",
            None,
            "Run this with the environment of the runs; lead-pipeline check says what to set.",
        )


_LOOKS: tuple[Callable[[Situation], Iterator[Finding]], ...] = (
    _damaged,
    _gaps,
    _stale_accounts,
    _stale_published,
    _own_models,
    _rejected,
    _unmapped,
    _doubtful,
    _missing_accounts,
    _unfinished,
)


def _said(moment: datetime | None) -> str:
    return "nothing" if moment is None else f"{moment:%Y-%m-%d %H:%M}Z"
