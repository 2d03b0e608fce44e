"""Somebody who has a masked home, an address book of everybody in it, and not the key.

Belongs here: what he knows of a person, what he makes of it (`Attacker`), and where he looks: every
cell of every table, every byte of every file, the order of rows. Does not belong here: masked
homes, and what he is expected to find.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from lead_pipeline.storage.duckdb_files import connect_utc

WINDOW = 8
"""Bytes that are compared at once. Digests that agree in as many are the same."""
ALGORITHMS = ("md5", "sha1", "sha256")


@dataclass(frozen=True)
class Person:
    """One entry of the address book."""

    lead_key: str
    columns: Mapping[str, tuple[str, ...]]
    """Names, addresses, numbers, free text: all that is personal, in every version, by column."""
    whole: tuple[str, ...]
    """Whole records: the provider's JSON as it came, and rows that the package makes of it."""
    version_ids: tuple[str, ...]
    """The digests that the package itself computes of such a record, as texts of uuids."""

    @property
    def values(self) -> set[str]:
        """What is in the columns, and in JSON within them."""
        return {
            text for values in self.columns.values() for value in values for text in _texts(value)
        }

    @property
    def sorts_by(self) -> dict[str, str]:
        """All that rows can have been put in order by."""
        return {
            "version_id": min(self.version_ids),
            **{column: values[-1] for column, values in self.columns.items() if values},
        }


def address_book(warehouse: Path, personal: Iterable[str]) -> list[Person]:
    """Everybody in a warehouse: what is in the columns `personal`, what was served, what it became."""
    columns = list(personal)
    with closing(connect_utc(warehouse, read_only=True)) as connection:
        rows = connection.execute(
            "select lead_key, version_id::varchar as version_id, payload,"  # noqa: S608
            " to_json(versions) as row,"
            f" {', '.join(columns)} from normalized.lead_versions as versions"
        ).to_arrow_table()
    by_lead: dict[str, list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        by_lead.setdefault(row["lead_key"], []).append(row)
    return [
        Person(
            lead_key,
            columns={
                column: _distinct(v[column] for v in versions if v[column] is not None)
                for column in columns
            },
            whole=_distinct(text for version in versions for text in _records(version)),
            version_ids=_distinct(version["version_id"] for version in versions),
        )
        for lead_key, versions in by_lead.items()
    ]


@dataclass(frozen=True)
class Needles:
    """Many things to look for at once, each of them at least `WINDOW` bytes long."""

    by_beginning: Mapping[bytes, Mapping[bytes, set[str]]]
    """By their first bytes: what is looked for, and whom it would give back."""

    @classmethod
    def of(cls, pairs: Iterable[tuple[bytes, str]]) -> Needles:
        """What is looked for, and whom it would give back."""
        found: dict[bytes, dict[bytes, set[str]]] = {}
        for needle, whom in pairs:
            found.setdefault(needle[:WINDOW], {}).setdefault(needle, set()).add(whom)
        return cls(found)

    def found_in(self, data: bytes) -> set[str]:
        """Whom the data give back."""
        found: set[str] = set()
        for shift in range(min(WINDOW, max(len(data) - WINDOW + 1, 0))):
            count = (len(data) - shift) // WINDOW
            words = np.frombuffer(data, dtype=np.uint64, offset=shift, count=count)
            nearest = np.searchsorted(self._beginnings, words).clip(0, len(self._beginnings) - 1)
            for index in np.flatnonzero(self._beginnings[nearest] == words).tolist():
                at = shift + WINDOW * index
                for needle, whom in self.by_beginning[data[at : at + WINDOW]].items():
                    if data.startswith(needle, at):
                        found |= whom
        return found

    @cached_property
    def _beginnings(self) -> npt.NDArray[np.uint64]:
        return np.sort(np.frombuffer(b"".join(self.by_beginning), dtype=np.uint64))


@dataclass(frozen=True)
class Attacker:
    """Tries everything that can be tried without the key."""

    people: Sequence[Person]

    def finds(self, folder: Path, *, besides: Iterable[Path] = ()) -> dict[str, set[str]]:
        """The people that each file below `folder` gives back, by their lead_key.

        He does not have the files `besides`, nor what is below them. Files without a find are left
        out.
        """
        withheld = tuple(besides)
        found = {
            str(path.relative_to(folder)): self.finds_in(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not any(path.is_relative_to(other) for other in withheld)
        }
        return {path: people for path, people in found.items() if people}

    def finds_in(self, path: Path) -> set[str]:
        """The people that the bytes of a file, its cells and the order of its rows give back."""
        found = self.finds_in_bytes(path)
        if is_duckdb(path):
            found |= self.finds_in_cells(path) | self.finds_in_order(path)
        return found

    def finds_in_bytes(self, path: Path) -> set[str]:
        """Also from blocks that no table uses."""
        return self._needles.found_in(path.read_bytes())

    def finds_in_cells(self, path: Path) -> set[str]:
        """Every column of every table as text, so compression hides nothing; comments as well."""
        return self._needles.found_in(b"\0".join(_cells(path)))

    def finds_in_order(self, path: Path) -> set[str]:
        """Whoever stands where he would stand if the rows were sorted by something plain.

        A few stand there by chance, so it has to be a quarter of them.
        """
        found: set[str] = set()
        for leads in _leads_in_order(path):
            known = {lead: self._by_key[lead].sorts_by for lead in leads if lead in self._by_key}
            for plain in {name for sorts_by in known.values() for name in sorts_by}:
                by_lead = {lead: by[plain] for lead, by in known.items() if plain in by}
                if len(set(by_lead.values())) < max(len(by_lead), 20):
                    continue
                order = sorted(by_lead, key=by_lead.__getitem__)
                placed = {lead for lead, other in zip(by_lead, order, strict=True) if lead == other}
                if len(placed) > len(by_lead) / 4:
                    found |= placed
        return found

    @cached_property
    def _by_key(self) -> Mapping[str, Person]:
        return {person.lead_key: person for person in self.people}

    @cached_property
    def _needles(self) -> Needles:
        return Needles.of(
            (needle, person.lead_key) for person in self.people for needle in _needles_of(person)
        )


def is_duckdb(path: Path) -> bool:
    """Whether a file is a database, whatever its name."""
    with path.open("rb") as file:
        return file.read(12)[8:] == b"DUCK"


def _texts(value: str) -> Iterator[str]:
    """A value, and what is inside of it where it is JSON."""
    yield value
    try:
        parts = json.loads(value)
    except ValueError:
        return
    if isinstance(parts, dict):
        for part in parts.values():
            yield from _texts(part if isinstance(part, str) else json.dumps(part))


def _records(version: Mapping[str, Any]) -> Iterator[str]:
    """What was served, and what the package made of it, written in all ways that are usual."""
    yield version["payload"]
    yield version["row"]
    served = json.loads(version["payload"])
    for separators in ((",", ":"), (", ", ": ")):
        yield json.dumps(served, sort_keys=True, separators=separators)
        yield json.dumps(served, separators=separators)
    row = [str(value) for value in json.loads(version["row"]).values() if value is not None]
    for separator in ("", "|", ":", "\n"):
        yield separator.join(row)


def _forms(value: str) -> Iterator[str]:
    """A value as it may have been written before it was hashed."""
    spaced = " ".join(value.split())
    yield from (value, value.strip(), value.lower(), value.upper(), spaced.lower(), spaced)
    digits = "".join(letter for letter in value if letter.isdigit())
    if len(digits) >= WINDOW:
        yield from (digits, f"+{digits}")


def _needles_of(person: Person) -> Iterator[bytes]:
    plain = {form for value in person.values for form in _forms(value)}
    yield from (text.encode() for text in plain if len(text.encode()) >= WINDOW)
    lead_id = person.lead_key.partition(":")[2]
    salted = {
        text
        for form in plain
        for own in (person.lead_key, lead_id)
        for text in (own + form, f"{own}|{form}", f"{own}:{form}", form + own, f"{form}|{own}")
    }
    for text in {*plain, *salted, *person.whole}:
        for algorithm in ALGORITHMS:
            yield from _digest_forms(hashlib.new(algorithm, text.encode()).digest())
    for version_id in person.version_ids:
        yield from _digest_forms(bytes.fromhex(version_id.replace("-", "")))


def _digest_forms(digest: bytes) -> Iterator[bytes]:
    """A digest as it may stand in a file: digits, the text of a uuid, bytes as they come, and the
    two halves of a number of 128 bits, as DuckDB stores uuids (its highest bit turned over).
    """
    digits = digest.hex()
    yield digits[:32].encode()
    yield digits[:32].upper().encode()
    yield f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}".encode()
    high, low = digest[:WINDOW], digest[WINDOW : 2 * WINDOW]
    turned = bytes([high[0] ^ 0x80]) + high[1:]
    for half in (high, low, turned):
        yield half
        yield half[::-1]


def _cells(path: Path) -> Iterator[bytes]:
    with closing(connect_utc(path, read_only=True)) as connection:
        for schema, table in _tables(connection):
            rows = connection.execute(f'select columns(*)::varchar from "{schema}"."{table}"')  # noqa: S608
            for column in rows.to_arrow_table().columns:
                yield "\0".join(text or "" for text in column.to_pylist()).encode()
        comments = connection.execute(
            "select comment from duckdb_columns() union all select comment from duckdb_tables()"
        )
        yield "\0".join(comment or "" for (comment,) in comments.fetchall()).encode()


def _leads_in_order(path: Path) -> Iterator[list[str]]:
    """The leads of each table that has them, as its rows have them first."""
    with closing(connect_utc(path, read_only=True)) as connection:
        for schema, table in _tables(connection):
            columns = connection.table(f'"{schema}"."{table}"').columns
            if "lead_key" in columns:
                rows = connection.execute(f'select lead_key from "{schema}"."{table}"').fetchall()  # noqa: S608
                yield list(dict.fromkeys(str(key) for (key,) in rows))


def _tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return connection.execute(
        "select schema_name, table_name from duckdb_tables() where not internal order by all"
    ).fetchall()


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
