"""Somebody who has a masked home, an address book of everybody in it, and not the key.

Belongs here: what he knows of a person, what he makes of it (`Attacker`), and where he looks: every
cell of every table, what the file says of itself (comments, views, statistics), every byte of every
file as it is and uncompressed, the order of rows. Does not belong here: masked homes, and what he is
expected to find.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from lead_pipeline.storage.duckdb_files import attach, connect_utc

WINDOW = 8
"""Bytes that are compared at once. Digests that agree in as many are the same."""
ALGORITHMS = ("md5", "sha1", "sha256")
RARER_ALGORITHMS = ("sha224", "sha512", "sha3_256", "blake2b", "blake2s")
SELF_DESCRIPTION = (
    "duckdb_tables",
    "duckdb_columns",
    "duckdb_views",
    "duckdb_constraints",
    "duckdb_indexes",
    "duckdb_sequences",
    "duckdb_types",
    "duckdb_schemas",
    "duckdb_databases",
)
"""What a DuckDB file says of itself: comments, statements of views, values of enumerations."""
_PAIRED = ("full_name", "email", "email_normalized", "phone", "phone_e164", "company")
"""Columns that are hashed together, as keys of persons are made."""


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
    numbers: tuple[int, ...]
    """DuckDB's own hashes of what is in the columns, and of rows."""

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
            f" [hash(versions), {', '.join(f'hash({column})' for column in columns)},"
            f" {', '.join(f'hash(lower({column}))' for column in columns)}] as numbers,"
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
            numbers=tuple({number for version in versions for number in version["numbers"]}),
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
            # Most of a database is empty.
            filled = np.flatnonzero(words)
            nearest = np.searchsorted(self._beginnings, words[filled])
            nearest = nearest.clip(0, len(self._beginnings) - 1)
            for index in filled[self._beginnings[nearest] == words[filled]].tolist():
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
            found |= self.finds_in_statistics(path) | self.finds_uncompressed(path)
        return found

    def finds_in_bytes(self, path: Path) -> set[str]:
        """Also from blocks that no table uses."""
        return self._needles.found_in(path.read_bytes())

    def finds_in_cells(self, path: Path) -> set[str]:
        """Every column of every table as text, so compression hides nothing; comments as well."""
        return self._needles.found_in(b"\0".join(_cells(path)))

    def finds_uncompressed(self, path: Path) -> set[str]:
        """The bytes of the same tables, written without compression: as numbers and texts are stored."""
        with TemporaryDirectory() as folder:
            copy = Path(folder, "uncompressed.duckdb")
            with closing(connect_utc(":memory:")) as connection:
                connection.execute("set force_compression = 'uncompressed'")
                attach(connection, path, "compressed", options="read_only")
                attach(connection, copy, "uncompressed")
                connection.execute("copy from database compressed to uncompressed")
                connection.execute("checkpoint uncompressed; detach uncompressed")
            return self.finds_in_bytes(copy)

    def finds_in_statistics(self, path: Path) -> set[str]:
        """The smallest and the greatest value of each part of a column, of which DuckDB keeps the
        first eight bytes."""
        stated = "\0".join(_statistics(path))
        return {
            person.lead_key
            for person in self.people
            for value in person.values
            for form in _forms(value)
            if len(form) >= WINDOW and form[:WINDOW] in stated
        }

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


def _normal_forms(value: str) -> Iterator[str]:
    """What programs make of names, addresses and numbers so that they can be compared."""
    yield from (value.title(), "".join(value.split()).lower())
    digits = "".join(letter for letter in value if letter.isdigit())
    if len(digits) >= WINDOW:
        yield from (f"00{digits}", f"tel:+{digits}", digits[-10:])
        area, exchange, line = digits[-10:-7], digits[-7:-4], digits[-4:]
        yield from (f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}")
    local, at, domain = value.lower().partition("@")
    if at and len(local) >= WINDOW:
        plain, _, _ = local.partition("+")
        yield from (local, f"{plain}@{domain}", f"{plain.replace('.', '')}@{domain}")
        yield f"mailto:{local}@{domain}"


def _needles_of(person: Person) -> Iterator[bytes]:
    plain = {form for value in person.values for form in _forms(value)}
    normal = {form for value in person.values for form in _normal_forms(value)} - plain
    yield from (text.encode() for text in plain | normal if len(text.encode()) >= WINDOW)
    lead_id = person.lead_key.partition(":")[2]
    salted = {
        text
        for form in plain
        for own in (person.lead_key, lead_id)
        for text in (own + form, f"{own}|{form}", f"{own}:{form}", form + own, f"{form}|{own}")
    }
    for text in {*plain, *normal, *salted, *person.whole, *_pairs(person)}:
        for algorithm in ALGORITHMS:
            yield from _digest_forms(hashlib.new(algorithm, text.encode()).digest())
    for text in plain | normal:
        for algorithm in ALGORITHMS:
            yield from _rarer_digest_forms(hashlib.new(algorithm, text.encode()).digest())
        for algorithm in RARER_ALGORITHMS:
            digest = hashlib.new(algorithm, text.encode()).digest()
            yield digest.hex()[:32].encode()
            yield digest[:WINDOW]
    for number in person.numbers:
        yield str(number).encode()
        yield number.to_bytes(WINDOW, "little")
    for version_id in person.version_ids:
        yield from _digest_forms(bytes.fromhex(version_id.replace("-", "")))


def _pairs(person: Person) -> Iterator[str]:
    """Two columns together, in the ways in which people make a key of them."""
    for one, other in permutations(_PAIRED, 2):
        for first in person.columns.get(one, ())[-1:]:
            for second in person.columns.get(other, ())[-1:]:
                for separator in ("", "|", ":"):
                    yield first + separator + second
                    yield (first + separator + second).lower()


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


def _rarer_digest_forms(digest: bytes) -> Iterator[bytes]:
    """Of what is longer, the beginning: the rest follows from it."""
    yield base64.b64encode(digest)[:20]
    yield base64.urlsafe_b64encode(digest)[:20]
    yield str(int.from_bytes(digest[:16], "big")).encode()


def _cells(path: Path) -> Iterator[bytes]:
    with closing(connect_utc(path, read_only=True)) as connection:
        for schema, table in _tables(connection):
            rows = connection.execute(f'select columns(*)::varchar from "{schema}"."{table}"')  # noqa: S608
            for column in rows.to_arrow_table().columns:
                yield "\0".join(text or "" for text in column.to_pylist()).encode()
        for function in SELF_DESCRIPTION:
            said = connection.execute(f"select columns(*)::varchar from {function}()")  # noqa: S608
            yield "\0".join(text or "" for row in said.fetchall() for text in row).encode()


def _statistics(path: Path) -> Iterator[str]:
    with closing(connect_utc(path, read_only=True)) as connection:
        for schema, table in _tables(connection):
            stored = connection.execute(
                "select distinct stats from pragma_storage_info(?)", [f'"{schema}"."{table}"']
            )
            yield from (text for (text,) in stored.fetchall() if text)


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
