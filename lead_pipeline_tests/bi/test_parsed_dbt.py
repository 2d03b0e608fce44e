"""dbt in this process leaves the process as it was, and knows nothing that it has no use for."""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from dbt.contracts.graph.manifest import Manifest

from lead_pipeline.bi import parsed_dbt
from lead_pipeline.bi.dbt_project import RESULTS, DbtProject
from lead_pipeline.bi.parsed_dbt import DbtRan, prepare_dbt, run_dbt

ENDLESS = "select count(*) from range(1000000000000) as numbers(i) where i % 7 = 8"


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    """An empty DuckDB file."""
    path = tmp_path / "leads.duckdb"
    duckdb.connect(str(path)).close()
    return path


def shown(expression: str, candidate: Path) -> str:
    """What dbt makes of `expression` in a statement."""
    ran = inline(f"select '{{{{ {expression} }}}}' as said", candidate)
    assert ran.succeeded, ran.messages
    return said(ran)


def inline(sql: str, candidate: Path) -> DbtRan:
    arguments = ("show", "--inline", sql, "--output", "json")
    return run_dbt(arguments, candidate.parent / "dbt", candidate)


def said(ran: DbtRan) -> str:
    return "\n".join(message["info"]["msg"] for message in ran.messages)


def test_dbt_sees_no_secret_of_this_process(
    candidate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEGA_TOKEN", "t0ken-of-nobody")
    monkeypatch.setenv("SOMEBODYS_PASSWORD", "passw0rd-of-nobody")
    for variable in ("MEGA_TOKEN", "SOMEBODYS_PASSWORD"):
        assert "absent" in shown(f"env_var('{variable}', 'absent')", candidate)
    assert os.environ["MEGA_TOKEN"] == "t0ken-of-nobody"


def test_variables_of_another_dbt_project_do_not_reach_dbt_and_stay_here(
    candidate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_EMPTY", "true")
    monkeypatch.setenv("DBT_TARGET", "dev")
    before = dict(os.environ)
    assert "candidate" in shown("target.name", candidate)
    assert dict(os.environ) == before


def test_folder_warnings_and_handlers_of_signals_are_those_from_before(candidate: Path) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    folder, filters = Path.cwd(), list(warnings.filters)
    assert inline("select 1 as one", candidate).succeeded
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert (Path.cwd(), list(warnings.filters)) == (folder, filters)


def test_the_file_is_closed_when_dbt_has_ended_however_it_ended(candidate: Path) -> None:
    for sql, succeeds in (("select 1 as one", True), ("select no_such_column", False)):
        assert inline(sql, candidate).succeeded is succeeds
        with closing(duckdb.connect(str(candidate), config={"access_mode": "READ_WRITE"})) as again:
            assert again.execute("select 42").fetchall() == [(42,)]


def test_what_dbt_cannot_do_at_all_is_a_failure(candidate: Path) -> None:
    ran = run_dbt(("build", "--no-such-option"), candidate.parent / "dbt", candidate)
    assert not ran.succeeded
    assert not (candidate.parent / "dbt" / RESULTS).exists()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Manifest]:
    """What has been read of the parse that is kept."""
    read: list[Manifest] = []
    load = parsed_dbt.load_parsed

    def reading(project: DbtProject) -> Manifest:
        read.append(load(project))
        return read[-1]

    monkeypatch.setattr(parsed_dbt, "load_parsed", reading)
    monkeypatch.setattr(parsed_dbt, "_prepared", {})
    return read


def test_what_is_prepared_serves_one_run(candidate: Path, reads: list[Manifest]) -> None:
    prepare_dbt()
    prepare_dbt()
    assert len(reads) == 1
    assert inline("select 1 as one", candidate).succeeded
    assert len(reads) == 1
    assert inline("select 2 as two", candidate).succeeded
    assert len(reads) == 2


def test_what_was_prepared_of_another_project_is_not_used(
    candidate: Path, reads: list[Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_dbt()
    monkeypatch.setattr(parsed_dbt, "keep_parsed", lambda _: "another digest")
    assert inline("select 1 as one", candidate).succeeded
    assert len(reads) == 2


def test_messages_are_the_same_with_a_verbose_log(
    candidate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def codes(ran: DbtRan) -> list[str]:
        return sorted(message["info"]["code"] for message in ran.messages)

    quiet = inline("select no_such_column", candidate)
    monkeypatch.setattr(logging.getLogger("lead_pipeline"), "level", logging.DEBUG)
    logging.getLogger("lead_pipeline").manager._clear_cache()  # type: ignore[attr-defined]
    verbose = inline("select no_such_column", candidate)

    assert codes(quiet) == codes(verbose)
    assert codes(quiet)


def test_two_threads_run_dbt_one_after_the_other(tmp_path: Path) -> None:
    answers: dict[int, str] = {}

    def ask(number: int) -> None:
        candidate = tmp_path / str(number) / "leads.duckdb"
        candidate.parent.mkdir()
        answers[number] = shown(f"target.path ~ ' is {number}'", candidate)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for number, answer in answers.items():
        assert f"{tmp_path / str(number) / 'leads.duckdb'} is {number}" in answer.replace("\\", "")


@pytest.fixture
def interrupted() -> Iterator[list[int]]:
    """Signals that have come through dbt to whom this process gave them before."""
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    yield came
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_cancels_the_query_closes_the_file_and_then_reaches_its_handler(
    candidate: Path, interrupted: list[int], number: int, caplog: pytest.LogCaptureFixture
) -> None:
    # Statements are in dbt's log then.
    caplog.set_level(logging.DEBUG, "lead_pipeline")
    is_running = threading.Event()

    def send_once_it_runs() -> None:
        log = candidate.parent / "dbt" / "dbt.log"
        while not (log.exists() and "range(1000000000000)" in log.read_text("utf-8")):
            is_running.wait(0.05)
        for _ in range(2):
            os.kill(os.getpid(), number)

    sender = threading.Thread(target=send_once_it_runs)
    sender.start()
    ran = inline(ENDLESS, candidate)
    sender.join()

    assert not ran.succeeded
    assert set(interrupted) == {number}
    with closing(duckdb.connect(str(candidate))) as again:
        assert again.execute("select 42").fetchall() == [(42,)]
