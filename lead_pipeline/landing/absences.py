"""Looking for vanished leads after a nightly crawl, and what is concluded from it.

    complete crawl ──▶ what is held, what to count ──search──▶ record of the search ──▶ a full crawl?

Belongs here: when to search, and how to say what came of it. Does not belong here: the search
(`vanished.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lead_pipeline.errors import LeadPipelineError
from lead_pipeline.landing.commits import (
    ABSENCES,
    AbsenceSearch,
    CommitRecord,
    SearchOutcome,
    Unheld,
    Vanished,
    Wait,
    new_crawl_id,
    searches_of,
)
from lead_pipeline.landing.counts import Counts, DoesNotCount, RequestsSpent
from lead_pipeline.landing.coverage import merged_windows, proven_windows
from lead_pipeline.landing.doubt import is_too_much
from lead_pipeline.landing.held import MICROSECOND, HeldLeads, Moment, moment_of, time_of
from lead_pipeline.landing.landed import LandedRecords
from lead_pipeline.landing.vanished import (
    Search,
    Stretch,
    TooMuchDiffers,
    Unexplained,
    digest_of,
)
from lead_pipeline.providers.base import Provider
from lead_pipeline.providers.counted import CountedList
from lead_pipeline.providers.http import ApiClient, Counters

SETTLED = timedelta(minutes=5)
"""Leads that were created so shortly before the crawl are not judged: clocks are not all the same."""
SECOND = timedelta(seconds=1) // MICROSECOND
BETWEEN_FULL_CRAWLS = timedelta(days=7)
"""How long after a full crawl no other follows by itself: it would find the same."""


@dataclass(frozen=True)
class SearchPlan:
    """What a search goes by."""

    asking: CountedList
    crawl: CommitRecord
    held: HeldLeads
    stretches: Sequence[Stretch]
    unheld: Mapping[str, Moment]

    @property
    def end(self) -> Moment:
        """Younger leads are not looked for."""
        return self.stretches[-1][1]


def plan_search(
    provider: Provider,
    options: Mapping[str, int | None],
    landed: LandedRecords,
    records: Sequence[CommitRecord],
    crawl: CommitRecord,
) -> SearchPlan | None:
    """What to search for after `crawl`, the newest of `records`; None if there is nothing to do.

    Only a crawl of ended days that read on to its own start tells what exists, and only leads that
    it did not bring may have vanished.
    """
    asking = provider.counted_list(options)
    is_night = crawl.reads_to_start and crawl.window.end <= crawl.started_at
    if asking is None or not crawl.complete or crawl.is_full or not is_night:
        return None
    held, to_look_for = landed.held_leads(crawl)
    if not to_look_for:
        return None
    stretches = _stretches(records, crawl, held, asking)
    return SearchPlan(asking, crawl, held, stretches, _unheld(records, held)) if stretches else None


def _stretches(
    records: Sequence[CommitRecord], crawl: CommitRecord, held: HeldLeads, asking: CountedList
) -> list[Stretch]:
    """Of which times of creation all leads have landed: not of those in gaps of the coverage."""
    step = asking.resolution // MICROSECOND
    first = held.created[0] - SECOND
    end = moment_of((crawl.served_from or crawl.started_at) - SETTLED)
    found = []
    for window in merged_windows(proven_windows(records), crawl.stream):
        low = first if window.start is None else max(first, moment_of(window.start))
        # The crawl has also brought what was created after its window.
        high = end if window.end >= crawl.proven_until else min(end, moment_of(window.end))
        low, high = low - low % step, high - high % step
        if low < high:
            found.append((low, high))
    return found


def _unheld(records: Sequence[CommitRecord], held: HeldLeads) -> dict[str, Moment]:
    """What the newest search noted, without what has landed since."""
    noted = [search.unheld for search in searches_of(records)][-1:]
    unheld = {lead.digest: moment_of(lead.created_at) for leads in noted for lead in leads}
    landed = {digest_of(lead_id) for lead_id in held.ids} if unheld else set()
    return {digest: created for digest, created in unheld.items() if digest not in landed}


def search_for_vanished(
    plan: SearchPlan,
    provider: Provider,
    client: ApiClient,
    records: Sequence[CommitRecord],
    max_vanished_percent: float,
    digest: Callable[[str], str] = digest_of,
) -> AbsenceSearch:
    """Search, and say what came of it. `client` has asked nothing before.

    Leads that are not held are noted by their `digest`.

    Whatever the API answers, it never fails the crawl before it: the search then says what was not
    evaluated, and why. `records` are all of the account.
    """
    counts = Counts(client, provider, plan.asking, plan.end)
    search = Search(counts, plan.held, plan.stretches, dict(plan.unheld), digest)
    held = len(plan.held.ids)
    outcome, reason = _outcome(search, max_vanished_percent)
    if is_too_much(len(search.found), held, max_vanished_percent):
        outcome, reason = "doubtful", _doubt(len(search.found), held)
    is_believed = outcome not in ("doubtful", "not_evaluated")
    found = sorted(search.found.items()) if is_believed else []
    unheld = sorted((search.unheld if is_believed else plan.unheld).items())
    return AbsenceSearch(
        outcome=outcome,
        reason=reason,
        crawl_id=plan.crawl.crawl_id,
        held=held,
        created_until=time_of(plan.end),
        vanished=[Vanished(lead, at) for lead, at in found],
        unheld=[Unheld(digest, time_of(created)) for digest, created in unheld],
        full_crawl_follows=_full_crawl_follows(outcome, plan, records),
    )


def record_of(
    search: AbsenceSearch, crawl: CommitRecord, counters: Counters, started_at: datetime
) -> CommitRecord:
    """The commit record of a search that followed `crawl`."""
    is_settled = search.outcome in ("agreed", "found")
    return CommitRecord(
        crawl_id=new_crawl_id(started_at, ABSENCES),
        account=crawl.account,
        provider=crawl.provider,
        stream=ABSENCES,
        window=crawl.window,
        note=None if search.outcome == "agreed" else f"{crawl.account}: {said(search)}.",
        state="complete" if is_settled else "doubtful",
        complete=is_settled,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        dagster_run_id=crawl.dagster_run_id,
        requests=counters.requests,
        retries=counters.retries,
        bytes=counters.bytes,
        quota_waits=[Wait(round(wait.seconds, 3), wait.reason) for wait in counters.waits],
        absences=search,
    )


def said(search: AbsenceSearch) -> str:
    """What came of the search, and what follows, in a sentence without its full stop."""
    if search.outcome != "too_many":
        return search.reason
    if search.full_crawl_follows:
        return f"{search.reason}; a full crawl follows"
    return (
        f"{search.reason}; a full crawl has ended within {BETWEEN_FULL_CRAWLS.days} days, so none "
        "follows: lead-pipeline run --full reads all of them"
    )


def _outcome(search: Search, max_vanished_percent: float) -> tuple[SearchOutcome, str]:
    """Run the search: how it ended, and why, with the figures."""
    held = len(search.held.ids)
    allowed = search.counts.asking.max_requests
    try:
        search.run()
    except TooMuchDiffers as differs:
        if is_too_much(differs.vanished, held, max_vanished_percent):
            return "doubtful", _doubt(differs.vanished, held)
        if not differs.vanished:
            return "not_evaluated", (
                f"the API counts {differs.unheld:,} leads more than have landed; "
                "lead-pipeline run --full reads all of them"
            )
        return "too_many", (
            f"the API counts {differs.vanished:,} fewer leads than the {held:,} that are held"
            + (f" and {differs.unheld:,} that are not" if differs.unheld else "")
            + f", more than the {allowed:,} requests of a search can find"
        )
    except RequestsSpent:
        return "too_many", (
            f"the {allowed:,} requests of a search were used up with {len(search.found):,} "
            "vanished leads found, and counts still differ"
        )
    except Unexplained:
        return "unfinished", (
            f"{len(search.found):,} vanished leads were found, and the API still counts others "
            "than it lists"
        )
    except DoesNotCount as problem:
        return "not_evaluated", f"the API does not count as its documents say: {problem}"
    except LeadPipelineError as error:
        return "unfinished", f"{len(search.found):,} vanished leads were found; then: {error}"
    if not search.found:
        return "agreed", f"the API counts the {held:,} leads that are held"
    return "found", f"{len(search.found):,} of the {held:,} leads have vanished"


def _doubt(gone: int, held: int) -> str:
    return (
        f"the API counts {gone:,} fewer leads than the {held:,} that are held, which is not "
        "believed; "
        "lead-pipeline run --full reads all of them"
    )


def _full_crawl_follows(
    outcome: SearchOutcome, plan: SearchPlan, records: Sequence[CommitRecord]
) -> bool:
    """Whether a full crawl is to find now what the search could not.

    Not when one has ended in the last days: it would only find the same again.
    """
    earliest = datetime.now(UTC) - BETWEEN_FULL_CRAWLS
    return outcome == "too_many" and not any(
        record.stream == plan.crawl.stream
        and record.full
        and record.finished_at is not None
        and record.started_at > earliest
        for record in records
    )
