"""What lies outside of landing and warehouse and may hold an erased person: removed, or overwritten.

    retained builds, snapshots, people's dbt files, dbt's logs ──hold somebody?──▶ removed
    Dagster's databases, alerts ──texts──▶ overwritten in place, freed pages too

Belongs here: which files of a home those are. Does not belong here: landing (`landing/erasing.py`), the
search that proves it (`search.py`).
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from lead_pipeline.bi.erased import holds_erased
from lead_pipeline.bi.retained_builds import remove_unfinished
from lead_pipeline.erasure.search import files_below
from lead_pipeline.landing.tombstones import Erased
from lead_pipeline.settings import Settings
from lead_pipeline.storage.duckdb_files import remove_duckdb_file, spill_of
from lead_pipeline.storage.erasure_key import ErasureKey
from lead_pipeline.storage.files import digest_of, write_atomically
from lead_pipeline.storage.publication import SUFFIX, publication_at, retained_folder
from lead_pipeline.storage.warehouse import warehouse_at

PLACEHOLDER = "[erased]"
"""What stands in logs in the place of a text."""
_SQLITE_MARK = b"SQLite format 3\x00"
_PATIENCE_SECONDS = 60.0
_WRITTEN = re.compile(r'[^\s"\'\\<>{}\[\](),;]+')
"""Texts of logs that can be an id, an address or a number."""
_LOG_ENDINGS = (".json", ".log", ".out", ".err", ".jsonl", ".txt")
_LONGEST_LOG = 64 * 1024 * 1024


@dataclass(frozen=True)
class Elsewhere:
    """What was done outside of landing; paths are relative to the home."""

    removed: tuple[str, ...]
    overwritten: tuple[str, ...]


def text_hash(key: ErasureKey, text: str) -> str:
    """By what a text is known again outside of landing."""
    return key.hash_of("text", text)


def clear_builds(settings: Settings, erased: Mapping[str, Erased]) -> list[str]:
    """Remove all builds but the published one that hold an erased lead, on hold or not.

    Also what builds leave beside them: candidates, copies for checks, dbt's targets and logs; and what is kept
    of the tables as they were. The caller
    holds the locks of publications, of the checks and of the warehouse.
    """
    removed = []
    publication = publication_at(settings.published_path)
    publication.refresh(with_retained=True)
    for path in sorted(retained_folder(settings.published_path).glob(f"*{SUFFIX}")):
        if holds_erased(path, erased):
            publication.remove(path.stem, at_once=True)
            removed.append(_relative(settings, path))
    publication.remove_unretained()
    for path in (settings.snapshot_path, *_dev_files(settings)):
        if path.exists() and holds_erased(path, erased):
            remove_duckdb_file(path)
            removed.append(_relative(settings, path))
    removed += warehouse_at(settings.warehouse_path).discard_earlier()
    removed += _clear_leftovers(settings)
    return removed


def _clear_leftovers(settings: Settings) -> list[str]:
    """What is made again each time, whoever is in it."""
    removed = []
    folders = (
        settings.candidate_path.parent,
        settings.checks_path.parent,
        settings.scratch_warehouse_path.parent,
        # Copies of the users' seeds, and what people's dbt has written.
        settings.merged_dbt_path,
        spill_of(settings.warehouse_path),
    )
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder)
            removed.append(_relative(settings, folder))
    remove_unfinished(settings.published_path)
    return removed


def _dev_files(settings: Settings) -> Iterator[Path]:
    """DuckDB files of people directly in the home, such as dbt's target dev."""
    for path in sorted(settings.home.glob("*.duckdb")):
        if path != settings.warehouse_path:
            yield path


def overwrite_logs(
    folders: Sequence[Path], is_wanted: Callable[[str], bool], known: Sequence[str]
) -> list[Path]:
    """Overwrite texts in SQLite databases and logs below the folders; the files that were changed.

    The texts are those that are `known`, and each that `is_wanted`, which knows hashes alone. Raises
    `OSError` and `sqlite3.Error`.
    """
    return [
        path
        for folder in folders
        for path in files_below(folder)
        if _overwrite(path, is_wanted, known)
    ]


def _overwrite(path: Path, is_wanted: Callable[[str], bool], known: Sequence[str]) -> bool:
    if _is_sqlite(path):
        return _overwrite_sqlite(path, is_wanted, known)
    is_log = path.suffix in _LOG_ENDINGS and path.stat().st_size <= _LONGEST_LOG
    return is_log and _overwrite_text(path, is_wanted, known)


def _overwrite_text(path: Path, is_wanted: Callable[[str], bool], known: Sequence[str]) -> bool:
    try:
        text = path.read_text("utf-8")
    except (UnicodeDecodeError, FileNotFoundError):
        return False
    found = _texts_in(text, is_wanted, known)
    if not found:
        return False
    mode = path.stat().st_mode & 0o7777
    write_atomically(path, _without(text, found).encode())
    path.chmod(mode)
    return True


def _overwrite_sqlite(path: Path, is_wanted: Callable[[str], bool], known: Sequence[str]) -> bool:
    """Overwrite texts in all tables, then rewrite the file, so that no freed page holds them."""
    connection = sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None)
    with closing(connection):
        connection.execute("pragma secure_delete = on")
        changed = False
        for table, column in _text_columns(connection):
            changed |= _overwrite_column(connection, table, column, is_wanted, known)
        if changed:
            connection.execute("vacuum")
            connection.execute("pragma wal_checkpoint(truncate)")
        return changed


def _overwrite_column(
    connection: sqlite3.Connection,
    table: str,
    column: str,
    is_wanted: Callable[[str], bool],
    known: Sequence[str],
) -> bool:
    found: set[str] = set()
    rows = connection.execute(f"select distinct {column} from {table}")  # noqa: S608 - its own names
    for (value,) in rows:
        if isinstance(value, str):
            found |= _texts_in(value, is_wanted, known)
    for text in sorted(found, key=len, reverse=True):
        connection.execute(
            f"update {table} set {column} = replace({column}, ?, ?) where instr({column}, ?)",  # noqa: S608
            [text, PLACEHOLDER, text],
        )
    return bool(found)


def _text_columns(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    tables = connection.execute(
        "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
    ).fetchall()
    return [
        (_quoted(table), _quoted(name))
        for (table,) in tables
        for _, name, kind, *_ in connection.execute(f"pragma table_info({_quoted(table)})")
        if "INT" not in kind.upper()
    ]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _texts_in(text: str, is_wanted: Callable[[str], bool], known: Sequence[str]) -> set[str]:
    found = {needle for needle in known if needle in text}
    for written in set(_WRITTEN.findall(text)):
        # A key of a lead, and a path that ends with one, hold it behind a colon or a slash.
        parts = {written, *re.split(r"[:/|]", written), written.partition(":")[2]}
        found |= {part for part in parts if part and is_wanted(part)}
    return found


def _without(text: str, found: set[str]) -> str:
    for needle in sorted(found, key=len, reverse=True):
        text = text.replace(needle, PLACEHOLDER)
    return text


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE_MARK)) == _SQLITE_MARK
    except OSError:
        return False


def _relative(settings: Settings, path: Path) -> str:
    return Path(os.path.relpath(path, settings.home)).as_posix()


def digest_of_published(settings: Settings) -> str | None:
    """The SHA-256 of the published file; None where there is none."""
    try:
        return digest_of(settings.published_path)
    except FileNotFoundError:
        return None
