"""The team's file, as the pipeline publishes it: landed, loaded, built by dbt, tested, published."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_pipeline.bi.candidate import mark_tested
from lead_pipeline.bi.publish import publish
from lead_pipeline_tests.questions.frames import YESTERDAY
from lead_pipeline_tests.questions.speed import CLOSES, OPENS
from lead_pipeline_tests.questions.team import REASON_FIELD, TARGETS, VALUE_FIELD, accounts
from lead_pipeline_tests.truth.matrix import build


def publish_team(home: Path) -> None:
    """Publish below `home`, for a team that has set whatever can be set."""
    seeds = home / "dbt" / "seeds"
    seeds.mkdir(parents=True)
    write_targets(seeds / "targets.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEAD_PIPELINE_VALUE_FIELD", VALUE_FIELD)
        patch.setenv("LEAD_PIPELINE_LOSS_REASON_FIELD", REASON_FIELD)
        hours = f"Mon-Fri {OPENS:02}:00-{CLOSES:02}:00"
        candidate = build(home, accounts(), working_hours=hours)
    mark_tested(candidate, run_id="questions", tests_passed=1)
    publish(candidate, home / "bi" / "leads.duckdb", run_id="questions")


def write_targets(path: Path) -> None:
    """The team's own seed, in the place of the empty one."""
    first = YESTERDAY.replace(day=1).date()
    rows = [f"{t.account},,{t.metric},month,{first},{t.target}" for t in TARGETS]
    head = "account,owner_id,metric,period,starts_on,target"
    path.write_text("\n".join([head, *rows]) + "\n", "utf-8")
