"""Whatever a server does: all lands, or one clear line; and the same pull works once it is well.

behaviour, provider ──▶ pull ──▶ verdict ──▶ the server is healed ──▶ the same pull
"""

from __future__ import annotations

import dataclasses
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lead_pipeline.errors import LeadPipelineError, MalformedPage
from lead_pipeline.landing.journal import Journal, JournalPage
from lead_pipeline.landing.pull import PullOptions
from lead_pipeline.landing.saved_quota import load_quota, save_quota
from lead_pipeline.providers.base import Account
from lead_pipeline.providers.http import RetryPolicy
from lead_pipeline.providers.transport import Timeouts
from lead_pipeline.settings import Settings
from lead_pipeline_tests.imitations import IMITATIONS, Imitation
from lead_pipeline_tests.providers.hostile_server import (
    BEHAVIOURS,
    CLOSES,
    PERSONAL,
    Behaviour,
    HostileServer,
    answer,
)
from lead_pipeline_tests.pulling import (
    SLUGS,
    at,
    commits,
    days,
    landed_states,
    pull,
    rejected,
    settings_in,
)

WINDOW = days(1, 3)
LEADS = 3
ONE_TRY = RetryPolicy(attempts=1)
IMPATIENT = PullOptions(ONE_TRY, Timeouts(connect=1.0, read=0.5, headers=1.0, total=1.5))
PATIENT = PullOptions(ONE_TRY, Timeouts(connect=30.0, read=30.0, headers=30.0, total=90.0))
"""Where no clock decides: machines that run tests are busy."""
LONGEST_SECONDS = 30.0
"""Far more than the short timeouts allow, for the same reason; three times that for the others."""
HOUR = 3_600.0


@dataclasses.dataclass(frozen=True)
class Besieged:
    """One provider's API, with a hostile server before it."""

    imitation: Imitation
    hostile: HostileServer

    @property
    def account(self) -> Account:
        """An account that is asked through the hostile server."""
        return dataclasses.replace(self.imitation.account, base_url=self.hostile.url)


@contextmanager
def besieged(slug: str) -> Iterator[Besieged]:
    """The API of `slug` with a few leads, behind a hostile server."""
    with IMITATIONS[slug]() as imitation:
        imitation.put_many(LEADS, at(2))
        with HostileServer(slug, imitation.account.base_url).running() as hostile:
            yield Besieged(imitation, hostile)


@pytest.fixture(scope="module", params=SLUGS)
def each(request: pytest.FixtureRequest) -> Iterator[Besieged]:
    """Each provider's API behind a hostile server."""
    with besieged(request.param) as found:
        yield found


def verdict(where: Besieged, name: str, home: Path) -> str:
    """What came of a behaviour: `right`, or the kind of the named error. Asserts all promises."""
    behaviour, settings = BEHAVIOURS[name], settings_in(home, max_wait_seconds=1)
    account = where.account
    where.hostile.behaviour = behaviour
    is_timed = re.search("timeout|took", behaviour.error)
    failure: LeadPipelineError | None = None
    began = time.monotonic()
    try:
        pull(settings, account, WINDOW, full=True, options=IMPATIENT if is_timed else PATIENT)
    except LeadPipelineError as error:
        failure = error
    where.hostile.behaviour = None
    assert time.monotonic() - began < LONGEST_SECONDS * (1 if is_timed else 3), name
    if failure is None:
        assert not behaviour.error, f"{name}: nothing was said"
        assert rejected(settings, account.name) == []
        assert landed_states(settings, account.name) == where.imitation.states(), name
    else:
        assert re.search(behaviour.error or "nothing", str(failure)), f"{name}: {failure}"
        assert_one_clear_line(str(failure), account)
    if behaviour.waits or "none remain" in name:
        let_the_wait_pass(settings, account.name)
    healed = pull(settings, account, WINDOW, full=True, options=PATIENT)
    assert healed.complete, f"{name}: after it was healed"
    assert landed_states(settings, account.name) == where.imitation.states(), name
    return "right" if failure is None else type(failure).__name__


def assert_one_clear_line(message: str, account: Account) -> None:
    """It says where, in one printable line without secrets, personal data or class names of others."""
    assert message.startswith(account.name), message
    assert message.isprintable(), message
    private = (*account.credentials.values(), *PERSONAL.split(), "Traceback", "example.com")
    assert not [text for text in private if text in message], message
    assert len(message) < 1_000, message


def let_the_wait_pass(settings: Settings, account: str) -> None:
    """The saved wait is an hour at most; it is over."""
    quota, now = load_quota(settings.landing_path, account), time.time()
    assert quota.blocked_until <= now + HOUR
    quota.blocked_until = 0.0
    for bucket in quota.buckets.values():
        bucket.ends_at, bucket.since, bucket.last_at = None, now - HOUR, now - HOUR
    save_quota(settings.landing_path, account, quota)


def besiege(where: Besieged, names: list[str]) -> Counter[str]:
    """Count the verdicts of the behaviours `names`."""
    counts: Counter[str] = Counter()
    for name in names:
        with tempfile.TemporaryDirectory() as home:
            counts[verdict(where, name, Path(home))] += 1
    return counts


def test_there_are_enough_behaviours() -> None:
    assert len(BEHAVIOURS) >= 70


@pytest.mark.timeout(900)
def test_every_behaviour_once_at_one_of_the_providers(each: Besieged) -> None:
    share = list(BEHAVIOURS)[SLUGS.index(each.imitation.slug) :: len(SLUGS)]

    counts = besiege(each, share)

    print(each.imitation.slug, dict(counts))  # noqa: T201 - what was found, for whoever runs it with -s
    assert sum(counts.values()) == len(share)


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_every_behaviour_at_every_provider(each: Besieged) -> None:
    counts = besiege(each, list(BEHAVIOURS))

    print(each.imitation.slug, dict(counts))  # noqa: T201 - what was found, for whoever runs it with -s
    assert sum(counts.values()) == len(BEHAVIOURS)


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.usefixtures("deals_installed")
def test_every_behaviour_at_a_provider_of_its_own_package() -> None:
    with besieged("deals") as where:
        counts = besiege(where, list(BEHAVIOURS))

    print("deals", dict(counts))  # noqa: T201 - what was found, for whoever runs it with -s
    assert sum(counts.values()) == len(BEHAVIOURS)


@pytest.mark.parametrize("cursor", ["\x00\x1f", "\r\nX: y", "&limit=1#?/../%00", "\U0001f600 +"])
def test_cursor_goes_back_as_it_came(cursor: str, each: Besieged, tmp_path: Path) -> None:
    each.hostile.behaviour = Behaviour(
        "cursor", lambda good: iter([answer(good.with_cursor(cursor), CLOSES)])
    )
    with pytest.raises(MalformedPage, match="the very records of the page before"):
        pull(settings_in(tmp_path), each.account, WINDOW, full=True, options=IMPATIENT)
    each.hostile.behaviour = None

    assert each.hostile.cursors[-1] == cursor


def test_page_in_the_journal_that_is_no_longer_believed_is_asked_for_again(
    each: Besieged, tmp_path: Path
) -> None:
    """An earlier release took it, and was killed before it landed."""
    settings = settings_in(tmp_path)
    each.hostile.behaviour = BEHAVIOURS["records twice"]
    with pytest.raises(MalformedPage, match="a name twice"):
        pull(settings, each.account, WINDOW, full=True, options=IMPATIENT)
    each.hostile.behaviour = None
    [commit] = commits(settings, each.account.name)
    journal = Journal(settings.landing_path, commit)
    for number in (1, 2):
        journal.append(JournalPage(number, None, at(3), b'{"data": [], "data": []}'))

    pull(settings, each.account, WINDOW, full=True, options=PATIENT)

    assert landed_states(settings, each.account.name) == each.imitation.states()
    assert [commit.state for commit in commits(settings, each.account.name)] == ["complete"]
