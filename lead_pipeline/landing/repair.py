"""Setting right what a scrub has found, where there is no backup to restore.

    damaged file ──▶ _damaged/, no longer listed by its crawl, which no longer proves its window
    lost record  ──▶ one that lists the files of its crawl which are there, and proves nothing

Nothing that can be read is lost, and nothing is claimed that cannot be shown any more: windows that
are not proven are asked for again by the next night. Safe to kill and to repeat. Belongs here: what
becomes of records and files. Does not belong here: finding them (`scrub.py`), the tables.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.chain import relink
from lead_pipeline.landing.commits import (
    CommitRecord,
    Compaction,
    LandedFile,
    Window,
    commit_records,
    crawls_folder,
    encode,
    load,
    path_of,
    save,
)
from lead_pipeline.landing.compaction import record_of
from lead_pipeline.landing.digests import SET_ASIDE
from lead_pipeline.landing.places import Places
from lead_pipeline.landing.scrub import OWN_NAME, Problem
from lead_pipeline.landing.turns import account_turn
from lead_pipeline.settings import Settings
from lead_pipeline.storage.files import digest_of
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.seams import landing_at

_CRAWL_ID = re.compile(r"(?P<began>\d{8}T\d{6}\d{6}Z)-(?P<stream>\w+)-[0-9a-f]{8}")
_NOTE = "Parts of it were damaged or lost, and set right by lead-pipeline scrub --repair."


def repair_account(
    settings: Settings, account: str, problems: Sequence[Problem], tell: Callable[[str], None]
) -> None:
    """Set right the `problems` of one account; `tell` hears each thing that is done.

    Waits for crawls of the account and for loads. The tables have to be built again afterwards.
    Raises `LoadError` where even that is not possible, `OSError` when the disk refuses a file.
    """
    landing = settings.landing_path
    purpose = f"repairing landed files of {account}"
    with (
        account_turn(settings, account, purpose, tell),
        held(settings.warehouse_lock, purpose, tell),
    ):
        lost = {Path(p.path).stem for p in problems if p.kind == "lost_record"}
        for problem in problems:
            if problem.kind == "record" and _set_unreadable_aside(landing, problem, tell):
                lost.add(Path(problem.path).stem)
        for crawl_id in sorted(lost):
            _stand_in(landing, account, crawl_id, tell)
        _take_up_compacted(landing, account, tell)
        damaged = _not_found(landing, account, [p.path for p in problems if p.kind == "file"])
        changed = _without(landing, account, damaged, tell)
        relink(landing, account, changed)
        for path in damaged:
            _set_aside(landing, account, path)


def _set_unreadable_aside(landing: Path, problem: Problem, tell: Callable[[str], None]) -> bool:
    path = landing / problem.path
    try:
        load(path)
    except LoadError:
        _set_aside(landing, problem.account, problem.path)
        return True
    except FileNotFoundError:
        return True
    tell(f"{problem.path} is taken as it is.")
    return False


def _set_aside(landing: Path, account: str, path: str) -> None:
    """Move a file, if it is there, to where nobody reads it as landed."""
    source = landing / path
    target = landing / account / SET_ASIDE / Path(path).relative_to(account)
    if not source.exists():
        return
    landing_at(landing).move(source, target)


def _stand_in(landing: Path, account: str, crawl_id: str, tell: Callable[[str], None]) -> None:
    """A record that lists the files of a crawl whose own record is gone."""
    path = path_of(landing, account, crawl_id)
    if path.exists():
        return
    name = _CRAWL_ID.fullmatch(crawl_id)
    files = _files_of(landing, account, crawl_id)
    provider = _provider_of(landing, account, files)
    if name is None or provider is None:
        raise LoadError(
            f"Of the lost commit record {path} nothing is left to tell what it was. Restore it from "
            "a backup."
        )
    began = datetime.strptime(name["began"], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
    record = CommitRecord(
        crawl_id=crawl_id,
        account=account,
        provider=provider,
        stream=name["stream"],
        window=Window(None, began),
        state="repaired",
        note=_NOTE,
        started_at=began,
        finished_at=began,
    )
    by_folder = {file: Path(file.path).parent.name for file in files}
    record.files = [file for file in files if by_folder[file] not in ("_seen", "_rejected")]
    record.seen_files = [file for file in files if by_folder[file] == "_seen"]
    record.rejected_files = [file for file in files if by_folder[file] == "_rejected"]
    record.records = sum(file.rows for file in record.files)
    record.rejected = sum(file.rows for file in record.rejected_files)
    # Not linked to the record that ended last: the one that names it is older.
    landing_at(landing).save_record(path, encode(record))
    rows = sum(file.rows for file in record.files)
    tell(
        f"{account}/_crawls/{crawl_id}.json stands for the lost record; {rows:,} rows of its files "
        "count again. Its window is asked for again."
    )


def _files_of(landing: Path, account: str, crawl_id: str) -> list[LandedFile]:
    found: dict[tuple[Path, str], Path] = {}
    for path in sorted((landing / account).rglob(f"{crawl_id}-*.parquet")):
        place = path.relative_to(landing)
        name = OWN_NAME.fullmatch(path.name)
        if name is None or name["crawl_id"] != crawl_id or SET_ASIDE in place.parts:
            continue
        # One that was written again takes the place of the one before, if that is still there.
        if name["written_again"] or (place.parent, name["base"]) not in found:
            found[place.parent, name["base"]] = place
    return [_landed(landing, place) for place in found.values()]


def _landed(landing: Path, place: Path) -> LandedFile:
    path = landing / place
    try:
        rows = pq.read_metadata(path).num_rows
    except (OSError, pa.ArrowException) as error:
        raise LoadError(
            f"{path} cannot be read ({type(error).__name__}), and the commit record that lists it is "
            "gone. Restore both from a backup, or move the file away and repeat the command."
        ) from None
    return LandedFile(place.as_posix(), rows, path.stat().st_size, digest_of(path))


def _provider_of(landing: Path, account: str, files: Sequence[LandedFile]) -> str | None:
    for path in sorted(crawls_folder(landing, account).glob("[!.]*.json")):
        try:
            return load(path).provider
        except LoadError:
            # Another damaged one, which is set right in its turn.
            continue
    for file in files:
        schema = pq.read_schema(landing / file.path)
        if "provider" in schema.names:
            return str(pq.read_table(landing / file.path, columns=["provider"])["provider"][0])
    return None


def _take_up_compacted(landing: Path, account: str, tell: Callable[[str], None]) -> None:
    """Let files count that hold the rows of several which are gone, and whose record is lost."""
    made = [
        (_landed(landing, Path(compaction.path)), compaction)
        for compaction in _recognized_compactions(landing, account)
    ]
    if made:
        like = next(commit_records(landing, account))
        save(landing, record_of(like, made, datetime.now(UTC)))
        tell(f"{account}: {len(made):,} files that hold the rows of several count again.")


def _recognized_compactions(landing: Path, account: str) -> list[Compaction]:
    """Of files that hold the rows of several, and that no record lists: which several.

    The rows tell their crawls and pages; listed files that are gone say how many rows they had.
    """
    records = list(commit_records(landing, account))
    places = Places(records)
    listed = {file.path for record in records if record.compactions for file in record.files}
    gone: dict[str, list[LandedFile]] = defaultdict(list)
    for record in records:
        for file in (*record.files, *record.seen_files):
            if not places.has_moved(file) and not (landing / file.path).exists():
                gone[str(Path(file.path).parent)].append(file)
    found = []
    for path in sorted((landing / account).rglob("compacted-*.parquet")):
        place = path.relative_to(landing)
        if place.as_posix() in listed or SET_ASIDE in place.parts:
            continue
        crawls = pq.read_table(path, columns=["crawl_id"])["crawl_id"]
        of_crawls = set(crawls.unique().to_pylist())
        sources = sorted(
            (f for f in gone[str(place.parent)] if _crawl_of(f) in of_crawls),
            key=lambda file: file.path,
        )
        expected = [_crawl_of(file) for file in sources for _ in range(file.rows)]
        if sources and crawls.to_pylist() == expected:
            found.append(Compaction(place.as_posix(), sources))
    return found


def _crawl_of(file: LandedFile) -> str | None:
    name = OWN_NAME.fullmatch(Path(file.path).name)
    return None if name is None else name["crawl_id"]


def _not_found(landing: Path, account: str, damaged: Sequence[str]) -> list[str]:
    """Those of the `damaged` files whose rows were not found in another file, a record taken up."""
    records = list(commit_records(landing, account))
    places = Places(records)
    found = {
        file.path
        for record in records
        for file in (*record.files, *record.seen_files)
        if places.has_moved(file)
    }
    return [path for path in damaged if path not in found]


def _without(
    landing: Path, account: str, damaged: Iterable[str], tell: Callable[[str], None]
) -> dict[str, CommitRecord]:
    """The records of the account that list `damaged` files, changed so that they do not."""
    records = list(commit_records(landing, account))
    places = Places(records)
    gone = set(damaged)
    gone |= {file.path for path in gone for file in places.sources(path)}
    changed = {}
    for record in records:
        new = msgspec.structs.replace(
            record,
            files=[file for file in record.files if file.path not in gone],
            seen_files=[file for file in record.seen_files if file.path not in gone],
            rejected_files=[file for file in record.rejected_files if file.path not in gone],
            compactions=[made for made in record.compactions if made.path not in gone],
        )
        if new == record:
            continue
        new.state, new.complete, new.note = "repaired", False, _NOTE
        lost = sum(file.rows for file in record.files) - sum(file.rows for file in new.files)
        if not record.compactions:
            new.records -= lost
            tell(
                f"Crawl {record.crawl_id} of {account}/{record.stream}, window "
                f"{record.updated_window}: {lost:,} landed rows are lost. Its window is asked for "
                "again, which brings the present states; older ones cannot be asked for."
            )
        changed[record.crawl_id] = new
    return changed
