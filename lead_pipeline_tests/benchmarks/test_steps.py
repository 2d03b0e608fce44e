"""Steps of a command, from the moments in its own log."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from benchmarks.programs.command import Event, steps

LOG = [
    '{"at": "2026-01-01T00:00:03Z", "event": "crawl begins"}',
    '{"at": "2026-01-01T00:00:05Z", "event": "crawl ended", "seconds": 2.0}',
    '{"at": "2026-01-01T00:00:09Z", "event": "load ended", "seconds": 3.0}',
    '{"at": "2026-01-01T00:00:13Z", "event": "marts built"}',
    '{"at": "2026-01-01T00:00:14Z", "event": "published", "leads": 7}',
]
BEGAN = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def events(lines: list[str]) -> dict[str, Event]:
    found = [msgspec.json.decode(line, type=Event) for line in lines]
    return {event.event: event for event in found}


def test_each_step_ends_where_the_next_begins() -> None:
    assert steps(events(LOG), BEGAN, BEGAN + 20) == {
        "start": 3.0,
        "crawl": 2.0,
        "to the load": 1.0,
        "load": 3.0,
        "marts": 4.0,
        "publication": 1.0,
        "after it": 6.0,
        "to the file": 14.0,
    }


def test_command_that_does_not_crawl_has_no_crawl() -> None:
    found = steps(events(LOG[2:]), BEGAN, BEGAN + 20)

    assert "crawl" not in found
    assert found["to the load"] == 6.0
