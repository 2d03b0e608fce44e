"""What a new user changes without touching the repository, by the commands that they are told.

A mart of their own, one of ours in another form, what a stage means in one account, and their time zone.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lead_pipeline_tests.commands import Demo, environment, lead_pipeline
from lead_pipeline_tests.sample_builds import read

ZONE = "Pacific/Kiritimati"


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_four_changes_are_tried_and_published_without_touching_the_repository(
    demo: Demo, tmp_path: Path
) -> None:
    home = demo.copy_to(tmp_path)
    published = home / "bi" / "leads.duckdb"
    variables = environment(home, {"LEAD_PIPELINE_TIMEZONE": ZONE})
    stages = "select account, provider_stage, stage, count(*) from marts.lead_facts group by all"
    before = {row[:2]: row[2:] for row in read(published, stages)}

    # A mart of their own, tried as its last line says: from any folder, and twice.
    said = lead_pipeline(tmp_path, variables, "new-model", "won_by_source").output
    [line] = [line for line in said.splitlines() if line.startswith("  (cd ")]
    for _ in range(2):
        tried = subprocess.run(  # noqa: S602 - as it is pasted
            line, shell=True, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert tried.returncode == 0, tried.stdout[-3000:] + tried.stderr[-3000:]
        assert "won_rate" in tried.stdout
    assert (home / "dev.duckdb").exists()
    # One of ours, with a column more.
    assert lead_pipeline(tmp_path, variables, "new-model", "--override", "stages").status == 0
    model = home / "dbt" / "models" / "stages.sql"
    model.write_text(
        model.read_text().replace("select *\nfrom final", "select *, 1 as mine from final")
    )
    # A stage of one account.
    mapped = next(value for account, value in before if account == "vorel")
    (home / "stages.csv").write_text(
        f"account,provider,field,value,stage\nvorel,vorel,stage,{mapped},booked\n"
    )

    ran = lead_pipeline(tmp_path, variables, "publish")

    assert ran.status == 0, ran.errors
    leads = (
        "select sum(leads) from marts.won_by_source union all select count(*) from marts.lead_facts"
    )
    assert len(set(read(published, leads))) == 1
    assert read(published, "select distinct mine from marts.stages") == [(1,)]
    after = {row[:2]: row[2:] for row in read(published, stages)}
    assert after["vorel", mapped][0] == "booked"
    others = {key: value for key, value in before.items() if key != ("vorel", mapped)}
    assert {key: after[key] for key in others} == others
    days = f"created_day = cast(created_at at time zone '{ZONE}' as date)"
    assert read(published, f"select bool_and({days}) from marts.lead_facts") == [(True,)]  # noqa: S608
    assert (
        lead_pipeline(tmp_path, variables, "check").output.count("in place of ours: stages.") == 1
    )
