"""What the pipeline does, in a process of its own: pulls, loads, and both.

    LEAD_PIPELINE_HOME=… python -m benchmarks.programs.ours pull|load|pull-and-load|report

The account is that of the environment. The last line tells rows, and seconds by step.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta

import msgspec

Told = dict[str, float]


def pull() -> Told:
    """Land the whole list of `mega`."""
    from lead_pipeline.accounts import load_accounts
    from lead_pipeline.landing.pull import pull_stream
    from lead_pipeline.settings import load_settings
    from lead_pipeline.windows import UpdatedWindow

    settings = load_settings()
    account = load_accounts(settings).named("mega")
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    commit = pull_stream(settings, account, "leads", UpdatedWindow(None, end))
    return {"rows": commit.records, "requests beyond pages": commit.requests - commit.pages}


def load() -> Told:
    """Load what has landed."""
    from lead_pipeline.normalized.load import load_landing
    from lead_pipeline.settings import load_settings

    result = load_landing(load_settings(), tell=lambda message: None)
    return {"rows": result.table_rows["leads"]}


def report() -> Told:
    """Render the pages of what is published."""
    from lead_pipeline.report.pages import show_pages
    from lead_pipeline.settings import load_settings

    show_pages(load_settings())
    return {}


STEPS = {"pull": [pull], "load": [load], "pull-and-load": [pull, load], "report": [report]}


def main() -> None:
    """Do what the argument says, and tell."""
    told: Told = {}
    for step in STEPS[sys.argv[1]]:
        began = time.perf_counter()
        told |= step()
        told[step.__name__] = round(time.perf_counter() - began, 3)
    print(msgspec.json.encode(told).decode())


if __name__ == "__main__":
    main()
