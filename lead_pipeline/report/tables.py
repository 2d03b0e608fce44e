"""What the pages are put together from: sections with tables, whose cells can hold a bar.

A bar is drawn in the cell that says its figure, so that no chart is without its table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """A figure, or a text."""

    text: str
    below: str = ""
    """What is said of it in a second line."""
    tone: str = ""
    """`more` or `fewer` where the second line tells a change for certain (`unwelcome` where more of it is
    bad), `unknown` where nobody knows."""
    bar: float | None = None
    """The part of the width, from 0 to 1, that a bar fills."""
    bar_upper: float | None = None
    """How far it may reach, where that is not the same."""
    bar_from: float = 0.0
    link: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first cell of each row names it."""

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    texts: frozenset[str] = frozenset()
    """Columns of texts; the others are of figures."""
    is_narrow: bool = False
    """Whether its columns fit a phone side by side; else each row becomes a card there."""


@dataclass(frozen=True)
class Tile:
    """A figure to see at a glance: what it is of, and lines below it."""

    label: str
    figure: Cell
    lines: Sequence[Cell] = ()


@dataclass(frozen=True)
class Columns:
    """A chart of one column per day, beside the table of the same figures."""

    title: str
    points: Sequence[tuple[str, int, bool]]
    """What a column is of, its height, and whether the day is over for all accounts."""


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading."""

    name: str
    title: str
    text: str
    tables: Sequence[Table] = ()
    tiles: Sequence[Tile] = ()
    notes: Sequence[str] = ()
    """What is not known, a sentence each."""
    chart: Columns | None = None
    is_wide: bool = False
    if_empty: str = "Nothing to show."

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not self.tiles and not any(table.rows for table in self.tables)


@dataclass(frozen=True)
class Scale:
    """Bars that are compared with each other: `of` of the largest is 1."""

    values: Sequence[float | None]
    largest: float = field(init=False)

    def __post_init__(self) -> None:
        known = [value for value in self.values if value is not None]
        object.__setattr__(self, "largest", max(known, default=0.0))

    def of(self, value: float | None) -> float | None:
        """The part of the width for a value; None where it is not known or all are 0."""
        return None if value is None or not self.largest else max(0.0, value / self.largest)
