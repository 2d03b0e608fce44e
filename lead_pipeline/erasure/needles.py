"""Many texts looked for at once, in bytes of any kind, whatever the case of their letters.

Belongs here: finding texts in bytes. Does not belong here: where to look (`search.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lead_pipeline.erasure.persons import Text, TextKind

WINDOW = 8
"""Bytes that are compared at once; shorter texts are found everywhere by chance."""
FEW = 24
"""So many are looked for one by one, which is faster."""


@dataclass(frozen=True)
class Needles:
    """Texts to look for, in the forms in which files hold them."""

    kinds: Mapping[bytes, frozenset[TextKind]]
    """What is looked for, in lower case, and of which kinds it is."""
    too_short: int
    """How many texts are not looked for in bytes."""

    @classmethod
    def of(cls, texts: Iterable[Text]) -> Needles:
        """The needles of texts: as they are, and as JSON writes them."""
        kinds: dict[bytes, set[TextKind]] = {}
        too_short = 0
        for kind, text in texts:
            forms = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
            encoded = {form.encode("utf-8", "replace").lower() for form in forms}
            long_enough = {form for form in encoded if len(form) >= WINDOW}
            too_short += not long_enough
            for form in long_enough:
                kinds.setdefault(form, set()).add(kind)
        return cls({form: frozenset(found) for form, found in kinds.items()}, too_short)

    def __bool__(self) -> bool:
        return bool(self.kinds)

    @property
    def longest(self) -> int:
        """Bytes of the longest."""
        return max((len(needle) for needle in self.kinds), default=0)

    def without(self, found: Iterable[bytes]) -> Needles:
        """All but these."""
        gone = set(found)
        kept = {needle: kinds for needle, kinds in self.kinds.items() if needle not in gone}
        return Needles(kept, self.too_short)

    def found_in(self, data: bytes) -> set[bytes]:
        """The needles that are in the data."""
        data = data.lower()
        if len(self.kinds) <= FEW:
            return {needle for needle in self.kinds if needle in data}
        found: set[bytes] = set()
        for shift in range(min(WINDOW, max(len(data) - WINDOW + 1, 0))):
            count = (len(data) - shift) // WINDOW
            words = np.frombuffer(data, dtype=np.uint64, offset=shift, count=count)
            nearest = np.searchsorted(self._beginnings, words).clip(0, len(self._beginnings) - 1)
            for index in np.flatnonzero(self._beginnings[nearest] == words).tolist():
                at = shift + WINDOW * index
                by_beginning = self._by_beginning[data[at : at + WINDOW]]
                found.update(needle for needle in by_beginning if data.startswith(needle, at))
        return found

    @cached_property
    def _by_beginning(self) -> Mapping[bytes, list[bytes]]:
        found: dict[bytes, list[bytes]] = {}
        for needle in self.kinds:
            found.setdefault(needle[:WINDOW], []).append(needle)
        return found

    @cached_property
    def _beginnings(self) -> npt.NDArray[np.uint64]:
        return np.sort(np.frombuffer(b"".join(self._by_beginning), dtype=np.uint64))
