"""A step of the load: one idea, with the tables that it reads and writes.

    SqlStep       statements of sql/<name>.sql
    FileStep      the same, over landed files
    ProviderStep  a SELECT in the provider's folder ──▶ a new view
    ComputedStep  rows of a SELECT ──Python──▶ a new table
    TextStep      texts of a SELECT, each read by itself ──Python──▶ a new table
    GivenStep     what the load was given ──Python──▶ a new table

Tables are those of schema `normalized`, which are always there, and temporary ones, which a step
before must have written. A table that rows are added to counts as read too if it is temporary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.landing.unreadable import READING_FAILED, unreadable
from lead_pipeline.normalized.batches import NewFile
from lead_pipeline.normalized.session import Session
from lead_pipeline.providers.base import Provider
from lead_pipeline.providers.contract import KnownField

if TYPE_CHECKING:
    # Who has been erased is no input of the tables: how they are made does not follow from it.
    from lead_pipeline.landing.tombstones import Erased

NORMALIZED = "normalized."
"""How the names of the tables begin that outlive a load."""

TEXTS = 20_000
"""Texts that a step hands to Python at a time."""

Columns = Mapping[str, Sequence[Any]]
"""Values by column; every column has the same number of them."""
Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class StepContext:
    """What steps use beside tables: the load's inputs, then the batch or chunk at hand."""

    landing: Path = Path()
    records: Sequence[CommitRecord] = ()
    files: Sequence[NewFile] = ()
    """All files of the load that the tables do not hold yet."""
    known_fields: Sequence[KnownField] = ()
    phone_region: str = ""
    erased: Mapping[str, Erased] = field(default_factory=dict)
    """Persons who must not get into the tables, by account."""
    provider: Provider | None = None
    """Of the batch."""
    batch: Sequence[NewFile] = ()
    """The files of the batch."""
    chunk: int = 0
    """Which part of the changed leads, from 0 …"""
    chunks: int = 1
    """… of so many."""


@dataclass(frozen=True, kw_only=True)
class Step(ABC):
    """One idea of the load."""

    name: str = field(kw_only=False)
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...]

    @abstractmethod
    def run(self, session: Session, context: StepContext) -> None:
        """Write the tables of `writes`."""

    def sql(self, context: StepContext) -> str | None:
        """The SQL that it executes; None where it has none."""
        del context
        return None


@dataclass(frozen=True, kw_only=True)
class SqlStep(Step):
    """The statements of `sql/<name>.sql`, once for each set of parameters."""

    parameters: Callable[[StepContext], Iterable[Parameters | None]] = lambda _: [None]

    def run(self, session: Session, context: StepContext) -> None:
        for parameters in self.parameters(context):
            session.run(self.name, parameters)

    def sql(self, context: StepContext) -> str:
        del context
        return Session.text(self.name)


@dataclass(frozen=True, kw_only=True)
class FileStep(SqlStep):
    """Statements that read landed files. Raises `LoadError` naming what cannot be read."""

    def run(self, session: Session, context: StepContext) -> None:
        try:
            super().run(session, context)
        except duckdb.OutOfMemoryException:
            # Not the files' fault.
            raise
        except READING_FAILED as error:
            paths = dict.fromkeys(file.place.path for file in context.batch)
            raise unreadable(error, (str(context.landing / path) for path in paths)) from None


@dataclass(frozen=True, kw_only=True)
class ProviderStep(Step):
    """The SELECT in `file` of the provider's folder, as a new temporary view.

    Not a table: of rows so wide, writing and reading them costs more than taking JSON apart again.
    """

    file: str

    def run(self, session: Session, context: StepContext) -> None:
        [view] = self.writes
        session.execute(f"create temp view {view} as {self.sql(context)}")

    def sql(self, context: StepContext) -> str:
        if context.provider is None:
            raise LoadError(f"Step {self.name} was run without a provider. Report it.")
        return context.provider.read_file(self.file)


@dataclass(frozen=True, kw_only=True)
class ComputedStep(Step):
    """A new temporary table, computed in Python from the rows that `sql/<name>.sql` returns."""

    columns: Mapping[str, str]
    """Of the table: name to type."""
    compute: Callable[[Sequence[Any], StepContext], Columns]

    def run(self, session: Session, context: StepContext) -> None:
        [table] = self.writes
        values = self.compute(session.query(self.name), context)
        session.create_table(table, self.columns, values)

    def sql(self, context: StepContext) -> str:
        del context
        return Session.text(self.name)


@dataclass(frozen=True, kw_only=True)
class TextStep(Step):
    """A new temporary table of the texts that `sql/<name>.sql` returns and what they are read as.

    Some thousand at a time, so that Python's memory does not grow with their number.
    """

    columns: Sequence[str]
    """Of the table, all of them texts: first the text itself, then what it is read as."""
    read: Callable[[Sequence[str], StepContext], Sequence[Sequence[str | None]]]
    """What texts are read as, by column."""

    def run(self, session: Session, context: StepContext) -> None:
        [table] = self.writes
        texts = session.texts(self.name)
        read = (
            self._read(texts.slice(start, TEXTS), context) for start in range(0, len(texts), TEXTS)
        )
        session.create_text_table(table, self.columns, read)

    def _read(self, texts: pa.ChunkedArray, context: StepContext) -> list[pa.Array]:
        found = self.read(texts.to_pylist(), context)
        return [texts.combine_chunks(), *(pa.array(values, pa.string()) for values in found)]

    def sql(self, context: StepContext) -> str:
        del context
        return Session.text(self.name)


@dataclass(frozen=True, kw_only=True)
class GivenStep(Step):
    """A new temporary table of what the load was given."""

    columns: Mapping[str, str]
    """Of the table: name to type."""
    values: Callable[[StepContext], Columns]

    def run(self, session: Session, context: StepContext) -> None:
        [table] = self.writes
        session.create_table(table, self.columns, self.values(context))
