"""Findings, counted by mart, figure, pattern and kind of provider."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from statistics import median

from lead_pipeline_tests.truth.comparison import Finding, Key
from lead_pipeline_tests.truth.polling import PolledWorld
from lead_pipeline_tests.truth.world import KINDS

MAX_EXAMPLES = 400


@dataclass(frozen=True)
class Place:
    """Where a figure stands, and in which pattern of polls."""

    mart: str
    figure: str
    pattern: str
    kind: str


@dataclass
class Figures:
    """What was found of one figure in all rows of one place."""

    verdicts: Counter[str] = field(default_factory=Counter)
    headlines: int = 0
    is_bounded: bool = False
    widths: list[float] = field(default_factory=list)
    relative_widths: list[float] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(self.verdicts.values())

    @property
    def coverage(self) -> float | None:
        """The share of what is said that contains the truth."""
        said = self.verdicts["contained"] + self.verdicts["contradiction"]
        return self.verdicts["contained"] / said if said else None

    @property
    def width(self) -> float | None:
        return median(self.widths) if self.widths else None

    @property
    def relative_width(self) -> float | None:
        """Of the truths that are not 0."""
        return median(self.relative_widths) if self.relative_widths else None

    def add(self, other: Figures) -> None:
        self.verdicts.update(other.verdicts)
        self.headlines += other.headlines
        self.is_bounded |= other.is_bounded
        self.widths += other.widths
        self.relative_widths += other.relative_widths


@dataclass(frozen=True)
class Example:
    """One figure of one row."""

    place: Place
    account: str
    key: Key
    finding: Finding


@dataclass
class Tally:
    """All findings of a matrix."""

    places: dict[Place, Figures] = field(default_factory=lambda: defaultdict(Figures))
    contradictions: list[Example] = field(default_factory=list)
    unassumed: list[Example] = field(default_factory=list)
    examples: dict[Place, list[Example]] = field(default_factory=lambda: defaultdict(list))
    missing_figures: set[tuple[str, str]] = field(default_factory=set)
    """Figures that a truth is known of, and that the mart does not have."""

    def note(
        self,
        mart: str,
        world: PolledWorld,
        key: Key,
        finding: Finding,
        *,
        is_assumed: bool = True,
    ) -> None:
        """Count a finding. `is_assumed`: whether the world is as the figure assumes."""
        place = Place(mart, finding.figure, world.pattern, world.kind)
        figures = self.places[place]
        example = Example(place, world.account, key, finding)
        if not is_assumed:
            figures.verdicts["unassumed"] += 1
            if finding.verdict == "contradiction":
                figures.verdicts["unassumed"] -= 1
                figures.verdicts["unassumed, outside"] += 1
                self.unassumed.append(example)
            return
        figures.verdicts[finding.verdict] += 1
        figures.headlines += finding.estimate is not None
        figures.is_bounded |= finding.is_bounded
        if finding.width is not None:
            figures.widths.append(finding.width)
            if isinstance(finding.truth, int | float) and 0 < finding.truth < float("inf"):
                figures.relative_widths.append(finding.width / finding.truth)
        if finding.verdict == "contradiction":
            self.contradictions.append(example)
        elif len(self.examples[place]) < MAX_EXAMPLES:
            self.examples[place].append(example)

    def add(self, other: Tally) -> None:
        """Count what another build has shown too."""
        for place, figures in other.places.items():
            self.places[place].add(figures)
        for place, examples in other.examples.items():
            room = MAX_EXAMPLES - len(self.examples[place])
            self.examples[place] += examples[:room]
        self.contradictions += other.contradictions
        self.unassumed += other.unassumed
        self.missing_figures |= other.missing_figures

    def by_pattern(
        self, mart: str, figure: str, kinds: Collection[str] = KINDS
    ) -> dict[str, Figures]:
        """These kinds of providers together."""
        found: dict[str, Figures] = defaultdict(Figures)
        for place, figures in self.places.items():
            if (place.mart, place.figure) == (mart, figure) and place.kind in kinds:
                found[place.pattern].add(figures)
        return found


def described(examples: Iterable[Example]) -> str:
    """A line per contradiction, for people."""
    return "\n".join(
        f"{e.place.mart}.{e.finding.figure} {e.place.kind} {e.account} "
        f"{' '.join(map(str, e.key))}: truth {e.finding.truth}, says {e.finding.estimate} "
        f"[{e.finding.lower}, {e.finding.upper}]; {e.finding.reason}"
        for e in examples
    )
