"""Lineage is told as the standard wants it, and no run fails, waits long or betrays anything by it."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetsDefinition
from pydantic import SecretStr

from lead_pipeline.definitions import defs
from lead_pipeline.errors import PublishError
from lead_pipeline.lineage import sending
from lead_pipeline.lineage.events import Table
from lead_pipeline.lineage.sending import Lineage
from lead_pipeline.orchestration.dbt_assets import build_dbt_assets
from lead_pipeline.orchestration.published_asset import build_published_asset
from lead_pipeline.orchestration.runner import PipelineRunner
from lead_pipeline.sandbox import Fault, Sandbox
from lead_pipeline.sandbox.faults import FOREVER
from lead_pipeline.settings import Settings
from lead_pipeline_tests.commands import instance_of
from lead_pipeline_tests.orchestration.test_dbt_assets import Home
from lead_pipeline_tests.pulling import account_of, at, put_leads
from lead_pipeline_tests.sample_builds import read
from lead_pipeline_tests.sample_warehouse import SAMPLE

RUN = str(uuid.uuid4())


@dataclass
class LineageServer:
    """Takes events, as Marquez does, and keeps them."""

    status: int = 201
    delay_seconds: float = 0.0
    events: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    url: str = ""


@contextmanager
def running(server: LineageServer) -> Iterator[LineageServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.events.append(json.loads(body))
            server.paths.append(self.path)
            server.keys.append(self.headers["Authorization"])
            time.sleep(server.delay_seconds)
            self.send_response(server.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_port}"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.fixture
def server() -> Iterator[LineageServer]:
    with running(LineageServer()) as server:
        yield server


@pytest.fixture(autouse=True)
def no_server_is_known_to_be_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_silent_until", 0.0)


def settings_of(tmp_path: Path, url: str | None, **more: Any) -> Settings:
    given: dict[str, Any] = {} if url is None else {"openlineage_url": SecretStr(url)}
    return Settings(home=tmp_path / "home", **given, **more)


def lineage(settings: Settings, said: list[str]) -> Lineage:
    return Lineage(settings, RUN, "publish_leads", said.append)


def check(event: Mapping[str, Any]) -> None:
    """What the standard (OpenLineage.json, RunEvent) requires of each event."""
    assert event["eventType"] in ("START", "COMPLETE", "FAIL")
    assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
    assert re.match(r"\w+:", event["producer"])
    assert re.search(r"OpenLineage\.json#/\$defs/RunEvent$", event["schemaURL"])
    uuid.UUID(event["run"]["runId"])
    assert event["job"]["namespace"]
    assert event["job"]["name"]
    facets = [*event["run"]["facets"].values(), *event["job"]["facets"].values()]
    for table in (*event["inputs"], *event["outputs"]):
        assert table["namespace"]
        assert table["name"]
        facets += [*table["facets"].values(), *table.get("outputFacets", {}).values()]
    for facet in facets:
        assert facet["_producer"] == event["producer"]
        assert facet["_schemaURL"].startswith("https://openlineage.io/spec/facets/")


def told(server: LineageServer) -> list[tuple[str, str]]:
    return [(event["job"]["name"], event["eventType"]) for event in server.events]


def test_a_job_begins_and_is_complete_with_what_it_has_written(
    server: LineageServer, tmp_path: Path
) -> None:
    said: list[str] = []
    settings = settings_of(tmp_path, server.url, openlineage_api_key=SecretStr("key-T0K3N"))
    leads = Table("normalized/leads", {"email": "VARCHAR"})
    with lineage(settings, said).telling("load", [Table("landing/a/leads")], [leads]) as done:
        done.outputs = [Table("normalized/leads", {"email": "VARCHAR"}, rows=7)]

    assert told(server) == [("load", "START"), ("load", "COMPLETE")]
    for event in server.events:
        check(event)
        parent = event["run"]["facets"]["parent"]
        assert (parent["run"]["runId"], parent["job"]["name"]) == (RUN, "publish_leads")
    [output] = server.events[1]["outputs"]
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 7
    assert output["facets"]["schema"]["fields"] == [
        {"name": "email", "type": "VARCHAR", "fields": []}
    ]
    # One run, and the path and key that servers expect.
    assert len({event["run"]["runId"] for event in server.events}) == 1
    assert set(server.paths) == {"/api/v1/lineage"}
    assert set(server.keys) == {"Bearer key-T0K3N"}
    assert said == []


def test_a_job_that_fails_says_what_kind_of_failure_and_no_more(
    server: LineageServer, tmp_path: Path
) -> None:
    lineages = lineage(settings_of(tmp_path, server.url), [])
    with pytest.raises(PublishError, match="of a person"), lineages.telling("publish"):
        raise PublishError("of a person at /home/somebody")
    assert told(server) == [("publish", "START"), ("publish", "FAIL")]
    check(server.events[1])
    assert server.events[1]["run"]["facets"]["errorMessage"]["message"] == "PublishError"
    assert "somebody" not in json.dumps(server.events)


def test_path_of_the_address_is_kept(server: LineageServer, tmp_path: Path) -> None:
    with lineage(settings_of(tmp_path, f"{server.url}/tenants/one"), []).telling("load"):
        assert server.paths == ["/tenants/one/api/v1/lineage"]


def test_nothing_is_sent_where_no_server_is_set(
    tmp_path: Path, server: LineageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A variable for other programs of the machine.
    monkeypatch.setenv("OPENLINEAGE_URL", server.url)
    with lineage(settings_of(tmp_path, None), []).telling("load"):
        assert server.events == []


@pytest.mark.parametrize("status", [401, 500])
def test_server_that_refuses_is_told_once_and_left_alone(status: int, tmp_path: Path) -> None:
    said: list[str] = []
    with running(LineageServer(status)) as server:
        settings = settings_of(tmp_path, f"{server.url}/secret-T0K3N")
        for _ in range(3):
            with lineage(settings, said).telling("load"):
                pass
        assert len(server.events) == 1
    [sentence] = said
    assert "LEAD_PIPELINE_OPENLINEAGE_URL" in sentence
    assert "T0K3N" not in sentence


def test_server_that_is_away_or_silent_costs_no_more_than_its_time_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TIMEOUT_SECONDS", 0.3)
    said: list[str] = []
    with running(LineageServer(delay_seconds=5.0)) as silent:
        started = time.monotonic()
        with lineage(settings_of(tmp_path, silent.url), said).telling("load"):
            pass
        assert time.monotonic() - started < 3
    monkeypatch.setattr(sending, "_silent_until", 0.0)
    with lineage(settings_of(tmp_path, "http://127.0.0.1:9"), said).telling("load"):
        pass
    assert len(said) == 2


def test_slow_server_gets_what_fits_into_the_budget_of_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "BUDGET_SECONDS", 0.3)
    said: list[str] = []
    with running(LineageServer(delay_seconds=0.1)) as server:
        sender = lineage(settings_of(tmp_path, server.url), said)
        job = sender.job("load")
        sender.send((job, "START", datetime.now(UTC), None) for _ in range(100))
        assert 1 <= len(server.events) < 10
    assert len(said) == 1


def test_a_missing_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openlineage.client.transport.http", None)
    said: list[str] = []
    with lineage(settings_of(tmp_path, "https://lineage.example.com"), said).telling("load"):
        pass
    [sentence] = said
    assert "pip install 'lead-pipeline[openlineage]'" in sentence


# A run --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def assets() -> list[AssetsDefinition]:
    models = build_dbt_assets()
    return [models, build_published_asset(models.keys)]


def test_a_run_tells_of_each_model_what_it_is_made_of_and_of_the_publication(
    assets: list[AssetsDefinition],
    server: LineageServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEAD_PIPELINE_OPENLINEAGE_URL", server.url)
    monkeypatch.setenv("LEAD_PIPELINE_OPENLINEAGE_NAMESPACE", "sales")
    home = Home(tmp_path / "home", assets)
    home.path.mkdir()
    home.load(SAMPLE)
    assert home.run().success

    for event in server.events:
        check(event)
        assert event["job"]["namespace"] == "sales"
    complete = {e["job"]["name"]: e for e in server.events if e["eventType"] == "COMPLETE"}
    started = {e["job"]["name"] for e in server.events if e["eventType"] == "START"}
    assert complete.keys() == started
    [leads] = complete["dbt/marts/leads"]["outputs"]
    [email] = leads["facets"]["columnLineage"]["fields"]["email"]["inputFields"]
    assert email["field"] == "email"
    assert email["name"] in {found["name"] for found in complete["dbt/marts/leads"]["inputs"]}
    assert {"name": "email", "type": "VARCHAR", "fields": []} in leads["facets"]["schema"]["fields"]
    assert "marts/leads" in {found["name"] for found in complete["publish"]["inputs"]}
    assert [found["name"] for found in complete["publish"]["outputs"]] == ["bi/published"]
    everything = json.dumps(server.events)
    assert str(tmp_path) not in everything
    rows = read(home.published, "select lead_key, coalesce(full_name, lead_key) from marts.leads")
    assert [value for row in rows for value in row if f'"{value}"' in everything] == []


def test_a_run_succeeds_although_its_events_cannot_be_sent(
    assets: list[AssetsDefinition], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEAD_PIPELINE_OPENLINEAGE_URL", "http://127.0.0.1:9")
    home = Home(tmp_path / "home", assets)
    home.path.mkdir()
    home.load(SAMPLE)
    assert home.run().success
    assert home.published.exists()


def test_landing_and_load_are_told_from_the_api_to_the_tables(
    server: LineageServer, sandbox: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {**sandbox.environment(), "LEAD_PIPELINE_HOME": str(home)}
    for name, value in {**given, "LEAD_PIPELINE_OPENLINEAGE_URL": server.url}.items():
        monkeypatch.setenv(name, value)
    put_leads(sandbox, "mega", 2, at(1, 12))
    days = (date(2026, 1, 1), date(2026, 1, 3))
    with instance_of(home) as instance:
        runner = PipelineRunner(defs(), instance)
        landed = runner.land(account_of(sandbox, "mega"), *days)
        sandbox.mega.faults.add(Fault("status", status=401, times=FOREVER))
        refused = runner.land(account_of(sandbox, "mega"), *days)
        assert runner.load_and_publish().failure is None
    assert (landed.failure, refused.failure is None) == (None, False)

    for event in server.events:
        check(event)
    stream = [e for e in server.events if e["job"]["name"] == "landing/mega/leads"]
    assert [e["eventType"] for e in stream] == ["START", "COMPLETE", "START", "FAIL"]
    assert [e["run"]["facets"]["parent"]["run"]["runId"] for e in stream[1::2]] == [
        landed.run_id,
        refused.run_id,
    ]
    [source], [written] = stream[1]["inputs"], stream[1]["outputs"]
    assert (source["name"], written["name"]) == ("mega/mega/leads", "landing/mega/leads")
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 2
    [load] = [
        e
        for e in server.events
        if (e["job"]["name"], e["eventType"]) == ("load_normalized", "COMPLETE")
    ]
    assert "landing/mega/leads" in {found["name"] for found in load["inputs"]}
    rows = {e["name"]: e["outputFacets"]["outputStatistics"]["rowCount"] for e in load["outputs"]}
    assert rows["normalized/leads"] == 2
    secrets = {value for name, value in given.items() if "TOKEN" in name or "KEY" in name}
    everything = json.dumps(server.events)
    assert [secret for secret in secrets if secret in everything] == []
    assert str(home) not in everything
