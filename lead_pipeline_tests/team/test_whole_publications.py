"""Whole publications of a team by the real command: two workers, a reader, and one machine beside them.

From the providers' APIs to the file that readers open, by every step that a night has.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lead_pipeline.sandbox import Sandbox
from lead_pipeline.storage.publication import PAGES
from lead_pipeline_tests.commands import Ran, environment, lead_pipeline
from lead_pipeline_tests.pulling import put_leads
from lead_pipeline_tests.sample_builds import read, run_of
from lead_pipeline_tests.team.homes import Team
from lead_pipeline_tests.team.object_store import S3Server

SAID_OF_THE_RUN = ("meta.publish", "meta.build")
"""Tables that tell who published and when."""


def tables_of(published: Path) -> dict[str, str]:
    """A digest of each table that does not tell who published when."""
    names = read(
        published,
        "select schema_name || '.' || table_name from duckdb_tables() where not internal order by 1",
    )
    return {
        name: read(
            published,
            f"select count(*) || md5(coalesce(string_agg(t::varchar, '|' order by t::varchar), '')) "  # noqa: S608
            f"from {name} as t",
        )[0][0]
        for (name,) in names
        if name not in SAID_OF_THE_RUN
    }


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_night_of_two_workers_gives_readers_what_one_machine_gives(
    sandbox: Sandbox, team: Team, s3_server: S3Server, tmp_path: Path
) -> None:
    given = {name: value for name, value in sandbox.environment().items() if "VOREL" in name}

    def worker(name: str, *arguments: str) -> Ran:
        variables = {**given, **s3_server.variables, **team.variables(name)}
        ran = lead_pipeline(tmp_path, environment(tmp_path, variables), *arguments)
        assert ran.status == 0, ran.errors
        return ran

    def fetched() -> Path:
        path = tmp_path / "reader" / "leads.duckdb"
        variables = {**s3_server.variables_of_reader, "LEAD_PIPELINE_SHARED": team.shared}
        ran = lead_pipeline(
            tmp_path, environment(tmp_path / "reader", variables), "fetch", "--to", str(path)
        )
        assert ran.status == 0, ran.errors
        return path

    def builds(name: str) -> list[dict[str, Any]]:
        return list(json.loads(worker(name, "rollback", "--list", "--json").output)["builds"])

    yesterday = datetime.now(UTC) - timedelta(days=1)
    put_leads(sandbox, "vorel", 5, yesterday)
    worker("one", "run", "--from", f"{yesterday:%Y-%m-%d}")
    first = team.home("one").published_path
    assert fetched().read_bytes() == first.read_bytes()
    assert run_of(first) == builds("two")[0]["run_id"]

    put_leads(sandbox, "vorel", 3, yesterday + timedelta(hours=1), first=10)
    worker("two", "run", "--from", f"{yesterday:%Y-%m-%d}")
    second = team.home("two").published_path
    assert fetched().read_bytes() == second.read_bytes()
    assert read(second, "select count(*) from normalized.leads") == [(8,)]
    # What the other worker has is what readers have, once it is asked for.
    assert [found["is_published"] for found in builds("one")] == [True, False]
    assert first.read_bytes() == second.read_bytes()
    for page in PAGES:
        assert (first.parent / page).read_bytes() == (second.parent / page).read_bytes()

    alone = tmp_path / "alone"
    shutil.copytree(team.home("one").landing_path, alone / "landing")
    shutil.copytree(team.home("two").landing_path, alone / "landing", dirs_exist_ok=True)
    ran = lead_pipeline(tmp_path, environment(alone, given), "publish")
    assert ran.status == 0, ran.errors
    assert tables_of(alone / "bi" / "leads.duckdb") == tables_of(fetched())

    worker("one", "rollback")
    assert read(fetched(), "select count(*) from normalized.leads") == [(5,)]
    worker("two", "rollback", "--hold")
    assert [found["is_on_hold"] for found in builds("one")] == [False, True]
    worker("one", "rollback", "--release")
    worker("two", "publish")
    assert tables_of(fetched()) == tables_of(second)
