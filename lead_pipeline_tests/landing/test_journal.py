"""The journal of a crawl: what it gives back after kills, damage and an upgrade in between."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.landing.commits import CommitRecord, Window
from lead_pipeline.landing.journal import SYNC_SECONDS, Journal, JournalPage
from lead_pipeline.storage.sealed import seal_bytes
from lead_pipeline_tests.properties import examples
from lead_pipeline_tests.pulling import at

COMMIT = CommitRecord(
    crawl_id="crawl",
    account="salon",
    provider="vorel",
    stream="leads",
    window=Window(None, at(2)),
    started_at=at(2),
)
FOLDER = Path("salon", "_journal", "crawl")


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    return tmp_path / "landing"


def page(number: int, body: bytes = b'{"data": []}') -> JournalPage:
    return JournalPage(number, f"cursor {number}", at(2), body, at(2))


def append(landing: Path, *numbers: int, body: bytes = b'{"data": []}') -> Journal:
    """A process that appends these pages; a new one each time."""
    journal = Journal(landing, COMMIT)
    for number in numbers:
        journal.append(page(number, body))
    return journal


def kept(landing: Path, after: int = 0) -> list[int]:
    return [page.number for page in Journal(landing, COMMIT).pages_after(after)]


def put_page_of_an_earlier_release(landing: Path, number: int) -> None:
    path = landing / FOLDER / f"{number:06d}.page"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(seal_bytes(msgspec.msgpack.encode(page(number))))


def test_pages_come_back_as_they_were_kept(landing: Path) -> None:
    pages = [page(1), JournalPage(2, None, at(3), None), page(3, bytes(range(256)) * 1_000)]
    journal = Journal(landing, COMMIT)
    for each in pages:
        journal.append(each)
    assert list(Journal(landing, COMMIT).pages_after(0)) == pages
    assert list(Journal(landing, COMMIT).pages_after(2)) == pages[2:]


def test_pages_of_one_process_are_in_one_file(landing: Path) -> None:
    append(landing, 1, 2, 3)
    append(landing, 4, 5)
    assert sorted(path.name for path in (landing / FOLDER).iterdir()) == [
        "000001.pages",
        "000004.pages",
    ]
    assert kept(landing) == [1, 2, 3, 4, 5]


def test_journal_of_an_earlier_release_is_gone_on_with(landing: Path) -> None:
    for number in (1, 2, 3):
        put_page_of_an_earlier_release(landing, number)
    append(landing, 4, 5)
    assert kept(landing) == [1, 2, 3, 4, 5]
    assert kept(landing, after=2) == [3, 4, 5]
    Journal(landing, COMMIT).drop_through(3)
    assert kept(landing, after=3) == [4, 5]


@pytest.mark.parametrize("lost", [1, 7, 8, 20, 100, 10_000])
def test_torn_page_is_asked_for_again_and_those_before_it_are_not(landing: Path, lost: int) -> None:
    append(landing, 1, 2, 3, body=b"x" * 5_000)
    path = landing / FOLDER / "000001.pages"
    content = path.read_bytes()
    path.write_bytes(content[:-lost])
    whole = [1, 2] if lost < 5_000 else [1]
    assert kept(landing) == whole
    append(landing, *range(len(whole) + 1, 6))
    assert kept(landing) == [1, 2, 3, 4, 5]


def test_page_that_is_torn_at_once_is_replaced(landing: Path) -> None:
    append(landing, 1)
    (landing / FOLDER / "000001.pages").write_bytes(b"\x00")
    assert kept(landing) == []
    append(landing, 1, 2)
    assert kept(landing) == [1, 2]


@pytest.mark.parametrize("is_shared", [False, True])
def test_pages_that_are_not_believed_are_dropped_with_all_after_them(
    landing: Path, is_shared: bool
) -> None:
    if is_shared:
        for number in (1, 2, 3, 4):
            put_page_of_an_earlier_release(landing, number)
    else:
        append(landing, 1, 2, 3)
        append(landing, 4)
    Journal(landing, COMMIT).drop_from(3)
    assert kept(landing) == [1, 2]
    append(landing, 3, 4)
    assert kept(landing) == [1, 2, 3, 4]
    Journal(landing, COMMIT).drop_from(1)
    assert kept(landing) == []


def test_dropped_pages_leave_no_file(landing: Path) -> None:
    journal = append(landing, 1, 2, 3)
    journal.drop_through(3)
    assert not list((landing / FOLDER).iterdir())
    journal.append(page(4))
    assert kept(landing, after=3) == [4]
    journal.remove()
    assert not (landing / FOLDER).exists()


def test_pages_beyond_those_that_are_dropped_stay(landing: Path) -> None:
    append(landing, 1, 2, 3)
    Journal(landing, COMMIT).drop_through(2)
    assert kept(landing, after=2) == [3]


def test_append_that_failed_spoils_nothing_that_follows(
    landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = append(landing, 1)

    def half(path: Path, content: bytes, **_: bool) -> None:
        with path.open("ab") as file:
            file.write(content[: len(content) // 2])
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr("lead_pipeline.landing.journal.append_to", half)
        with pytest.raises(OSError):  # noqa: PT011 - as it was raised
            journal.append(page(2))
    journal.append(page(2))
    journal.append(page(3))
    assert kept(landing) == [1, 2, 3]


def test_pages_that_come_slowly_wait_for_the_disk_each(
    landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of those that come at once, one in `SYNC_SECONDS`."""
    now = 100.0
    synced: list[float] = []
    monkeypatch.setattr("lead_pipeline.landing.journal.time.monotonic", lambda: now)
    monkeypatch.setattr("os.fsync", lambda descriptor: synced.append(now))
    journal = append(landing, 1)
    of_new_names = len(synced) - 1
    for number in range(2, 12):
        now += 2 * SYNC_SECONDS
        journal.append(page(number))
    assert len(synced) == of_new_names + 11
    for number in range(12, 32):
        now += SYNC_SECONDS / 10
        journal.append(page(number))
    assert len(synced) - of_new_names - 11 in (1, 2)


def test_pages_that_came_at_once_are_on_disk_before_a_long_wait(
    landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lead_pipeline.landing.journal.time.monotonic", lambda: 100.0)
    journal = append(landing, 1, 2, 3)
    synced: list[str] = []
    monkeypatch.setattr(
        "os.fsync", lambda number: synced.append(str(Path(f"/proc/self/fd/{number}").readlink()))
    )
    journal.sync()
    journal.sync()
    assert synced == [str(landing / FOLDER / "000001.pages")]


@examples(100)
@given(st.data())
def test_damage_anywhere_gives_back_a_beginning_of_the_pages(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    landing = tmp_path_factory.mktemp("damaged") / "landing"
    append(landing, 1, 2, 3, 4)
    path = landing / FOLDER / "000001.pages"
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    numbers = kept(landing)
    # What is given back has the digest of what was written, so it may be the page itself.
    assert list(Journal(landing, COMMIT).pages_after(0)) == [page(number) for number in numbers]
    assert numbers == [1, 2, 3, 4][: len(numbers)]
    assert len(numbers) >= place * 4 // len(content)
    append(landing, *range(len(numbers) + 1, 5))
    assert list(Journal(landing, COMMIT).pages_after(0)) == [page(number) for number in range(1, 5)]
