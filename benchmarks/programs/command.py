"""A `lead-pipeline` command, with what it took step by step, from its own log.

    LEAD_PIPELINE_HOME=… python -m benchmarks.programs.command run …

The last line tells the seconds of each step, and how many leads readers have in the end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

LOG = {"LEAD_PIPELINE_LOG_FORMAT": "json", "LEAD_PIPELINE_LOG_LEVEL": "info"}


class Event(msgspec.Struct):
    """A line of the log."""

    at: datetime
    event: str
    seconds: float = 0.0
    leads: int = 0


def steps(events: Mapping[str, Event], began: float, ended: float) -> dict[str, float]:
    """Seconds of each step that the log shows; what has not happened is left out."""
    at = {name: event.at.timestamp() for name, event in events.items()}
    load = events.get("load ended")
    if load is not None:
        at["load begins"] = at["load ended"] - load.seconds
    at |= {"began": began, "ended": ended}
    spans = {
        "start": ("began", "crawl begins"),
        "crawl": ("crawl begins", "crawl ended"),
        "to the load": ("crawl ended" if "crawl ended" in at else "began", "load begins"),
        "load": ("load begins", "load ended"),
        "marts": ("load ended", "marts built"),
        "publication": ("marts built", "published"),
        "after it": ("published", "ended"),
        "to the file": ("began", "published"),
    }
    return {
        name: round(at[last] - at[first], 3)
        for name, (first, last) in spans.items()
        if first in at and last in at
    }


def main() -> None:
    """Run the command and tell; ends as it ends."""
    command = [str(Path(sys.executable).with_name("lead-pipeline")), *sys.argv[1:]]
    began = time.time()
    ran = subprocess.run(  # noqa: S603 - our own command
        command, env={**os.environ, **LOG}, check=False, capture_output=True, text=True
    )
    ended = time.time()
    if ran.returncode:
        print(ran.stderr.strip(), file=sys.stderr)
        raise SystemExit(ran.returncode)
    events = {}
    for line in ran.stderr.splitlines():
        try:
            event = msgspec.json.decode(line, type=Event)
        except msgspec.DecodeError:
            continue
        events[event.event] = event
    published = events.get("published")
    told: dict[str, float] = {"rows": 0 if published is None else published.leads}
    print(msgspec.json.encode(told | steps(events, began, ended)).decode())


if __name__ == "__main__":
    main()
