"""However much a server sends, a pull takes at most 250 MB more than with a server that is well."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lead_pipeline_tests.providers.hostile_server import BEHAVIOURS, Behaviour, Good, answer
from lead_pipeline_tests.providers.test_hostile_servers import Besieged, besieged
from lead_pipeline_tests.pulling import MAKE_LEAD, at

pytestmark = pytest.mark.long

MOST_BYTES_MORE = 250 * 1024**2
_LEAD = MAKE_LEAD["vorel"](50, at(2))


def _large(*values: bytes) -> Behaviour:
    """Sound records with these values beside those of the page."""

    def page(good: Good) -> bytes:
        mark = '"the place of the value"'
        records = [
            json.dumps({**_LEAD, "id": f"large-{n}", "extra": mark[1:-1]}).encode()
            for n in range(len(values))
        ]
        texts = [r.replace(mark.encode(), v) for r, v in zip(records, values, strict=True)]
        return answer(good.starting_with(b"".join(text + b"," for text in texts)))

    return Behaviour("large records", lambda good: iter([page(good)]))


_ASCII, _WIDE = b'"' + b"x" * 7_900_000 + b'"', '"{}"'.format("\U0001f600x" * 1_500_000).encode()
GREEDY = {
    **{
        name: BEHAVIOURS[name]
        for name in (
            *("a body without end", "chunks without end", "chunk extensions without end"),
            *("a bomb", "a bomb of records", "empty members without end", "blanks of 30 MB"),
            *("a million records", "ten million numbers", "too many records"),
            *("an envelope of 20 MB", "an envelope nested without end", "brackets without end"),
            *("a cursor of 10 MB", "early hints without end", "trailers without end"),
        )
    },
    "four texts of 8 MB": _large(*[_ASCII] * 4),
    "four wide texts of 7 MB": _large(*[_WIDE] * 4),
    "a record of 400,000 lists": _large(b"[" + b"[]," * 400_000 + b"[]]"),
    "twenty records of 400,000 numbers": _large(*[b"[" + b"1.5," * 400_000 + b"1]"] * 20),
    "a record of 2,000,000 brackets": _large(b"[" * 1_000_000 + b"]" * 1_000_000),
    "a text of 3,000,000 escapes": _large(b'"' + rb"\u0041" * 1_300_000 + b'"'),
}


@pytest.fixture(scope="module")
def where() -> Iterator[Besieged]:
    """Vorel's API behind a hostile server."""
    with besieged("vorel") as found:
        yield found


def memory(where: Besieged, home: Path) -> tuple[int, str]:
    """The most memory of a process that pulls, in bytes, and the error that it ended with."""
    account = where.account
    described = {
        "name": account.name,
        "provider": account.provider,
        "base_url": account.base_url,
        "credentials": dict(account.credentials),
    }
    command = [sys.executable, "-m", "lead_pipeline_tests.providers.hostile_pull"]
    done = subprocess.run(  # noqa: S603 - our own program
        [*command, json.dumps(described), str(home)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    size, error, *_ = [*done.stdout.splitlines(), ""]
    return int(size), error


@pytest.mark.timeout(3_600)
def test_no_answer_takes_much_more_memory_than_a_sound_one(where: Besieged, tmp_path: Path) -> None:
    healthy, error = memory(where, tmp_path / "healthy")
    assert error == ""
    more: dict[str, int] = {}
    for number, (name, behaviour) in enumerate(GREEDY.items()):
        where.hostile.behaviour = behaviour
        size, error = memory(where, tmp_path / str(number))
        where.hostile.behaviour = None
        more[name] = size - healthy
        print(f"{more[name] / 1024**2:8.1f} MB more: {name}: {error[-150:]}")  # noqa: T201 - figures

    assert {name: size for name, size in more.items() if size > MOST_BYTES_MORE} == {}
