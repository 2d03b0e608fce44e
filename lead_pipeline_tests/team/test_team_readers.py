"""A team's readers, while builds are published: those who stay attached, and those who fetch.

attached    DuckDB over S3, by the immutable name of a build
fetched     lead-pipeline fetch, which may only read and knows no PostgreSQL
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import pytest

from lead_pipeline.storage.duckdb_files import wal_of
from lead_pipeline.storage.publication import publication_at
from lead_pipeline.storage.team.builds import CURRENT, object_of
from lead_pipeline.storage.team.copies import is_copy
from lead_pipeline.storage.team.objects import open_store
from lead_pipeline_tests.commands import (
    environment,
    finish,
    lead_pipeline,
    lead_pipeline_here,
    start,
    wait_until,
)
from lead_pipeline_tests.deploy.database import free_port
from lead_pipeline_tests.team.object_store import Passage, S3Server
from lead_pipeline_tests.team.publishing import ROWS, publish, published_of, stamp_in, stamp_of

PUBLICATIONS = 20
PAUSE_SECONDS = 0.1
BETWEEN_READS = 0.03


@pytest.fixture(autouse=True)
def no_publications_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test says of its files counts for that test alone."""
    monkeypatch.setattr("lead_pipeline.storage.publication._of_files", {})


def names(count: int) -> list[str]:
    """Of so many builds, in their order."""
    return [f"build_{number:02d}" for number in range(count)]


def load_httpfs(connection: duckdb.DuckDBPyConnection) -> None:
    """The extension, from its wheel: readers elsewhere say `install httpfs; load httpfs`."""
    found = pytest.importorskip("duckdb_extension_httpfs", reason="httpfs is not installed")
    folder = Path(found.__path__[0], "extensions", f"v{duckdb.__version__}")
    connection.execute(f"load '{folder / 'httpfs.duckdb_extension'}'")


@contextmanager
def connected(server: S3Server) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB as a reader has it: with httpfs, and credentials that may read."""
    variables = server.variables_of_reader
    with closing(duckdb.connect()) as connection:
        load_httpfs(connection)
        connection.execute(
            f"create secret (type s3, key_id '{variables['AWS_ACCESS_KEY_ID']}', "
            f"secret '{variables['AWS_SECRET_ACCESS_KEY']}', region 'us-east-1', use_ssl false, "
            f"endpoint '{urlsplit(variables['AWS_ENDPOINT_URL']).netloc}', url_style 'path')"
        )
        yield connection


def attach_newest(connection: duckdb.DuckDBPyConnection, url: str) -> None:
    """What docs/team.md tells readers to do."""
    [(statement,)] = connection.execute(
        f"select content from read_text('{url}/{CURRENT}')"  # noqa: S608 - our own address
    ).fetchall()
    connection.execute(statement)


class Reader:
    """A thread that reads until it is told to stop; what it has seen, and what went wrong."""

    def __init__(self, read: Callable[[], str]) -> None:
        self.seen: list[str] = []
        self.error: BaseException | None = None
        self._read = read
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def _go_on(self) -> None:
        try:
            while not self._over.wait(BETWEEN_READS):
                self.seen.append(self._read())
        except BaseException as error:
            self.error = error

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read during the block."""
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()


def in_order(seen: Sequence[str], builds: Sequence[str]) -> bool:
    """Whether only whole builds were seen, and never an older one after a newer one."""
    return set(seen) <= set(builds) and list(seen) == sorted(seen)


def publish_all(home: Path, url: str, builds: Sequence[str]) -> None:
    """One publication after the other, of which none is retained; the first is there already."""
    for before, build in pairwise(builds):
        publish(home, url, build, before, rows=ROWS)
        publication_at(published_of(home, url)).remove(before)
        time.sleep(PAUSE_SECONDS)


@contextmanager
def started(
    folder: Path, variables: Mapping[str, str], arguments: Sequence[str]
) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on until it is told to stop, at the latest at the end of the block."""
    process = start(folder, variables, arguments)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            finish(process)


@pytest.mark.long
def test_attached_and_fetching_readers_notice_nothing_of_twenty_publications(
    s3_server: S3Server, shared: str, tmp_path: Path
) -> None:
    builds = names(PUBLICATIONS + 1)
    publish(tmp_path / "home", shared, builds[0], None, rows=ROWS)
    fetched = tmp_path / "reader" / "leads.duckdb"
    variables = reader_variables(s3_server, shared, tmp_path / "reader")
    arguments = ["fetch", "--to", str(fetched), "--every", "1"]
    with (
        started(tmp_path, variables, arguments) as fetching,
        connected(s3_server) as staying,
        connected(s3_server) as following,
    ):

        def stay_attached() -> str:
            return stamp_of(staying, "leads")

        def follow() -> str:
            attach_newest(following, shared)
            found = stamp_of(following, "leads")
            following.execute("detach leads")
            return found

        attach_newest(staying, shared)
        wait_until(fetched.exists)
        readers = [Reader(stay_attached), Reader(follow), Reader(lambda: stamp_in(fetched))]
        with readers[0].reading(), readers[1].reading(), readers[2].reading():
            publish_all(tmp_path / "home", shared, builds)
            wait_until(lambda: stamp_in(fetched) == builds[-1])
        fetching.send_signal(signal.SIGINT)
        ran = finish(fetching)

    assert [reader.error for reader in readers] == [None, None, None]
    attached, followed, opened = (reader.seen for reader in readers)
    assert set(attached) == {builds[0]}
    assert in_order(followed, builds)
    assert in_order(opened, builds)
    assert len(set(followed)) > 3
    assert len(set(opened)) > 1
    assert ran.status == 130
    assert "Traceback" not in ran.errors


def reader_variables(server: S3Server, url: str, home: Path, **more: str) -> dict[str, str]:
    """The environment of somebody who may only read, on a machine of their own."""
    return environment(home, {**server.variables_of_reader, "LEAD_PIPELINE_SHARED": url, **more})


def test_fetch_gives_what_readers_have_to_whoever_may_read(
    s3_server: S3Server, shared: str, tmp_path: Path
) -> None:
    publish(tmp_path / "home", shared, "build_1", None)
    variables = reader_variables(s3_server, shared, tmp_path / "reader")
    ran = lead_pipeline(tmp_path, variables, "fetch")
    fetched = tmp_path / "reader" / "bi" / "leads.duckdb"

    assert ran.status == 0, ran.errors
    assert ran.output.startswith(f"{fetched} is now the build build_1, which readers have since ")
    assert fetched.read_bytes() == (tmp_path / "home" / "bi" / "leads.duckdb").read_bytes()
    assert stamp_in(fetched) == "build_1"


def test_a_file_that_is_current_is_not_downloaded_again(
    s3_server: S3Server, shared: str, tmp_path: Path
) -> None:
    publish(tmp_path / "home", shared, "build_1", None)
    with Passage(s3_server).open() as passage:
        variables = reader_variables(
            s3_server,
            shared,
            tmp_path / "reader",
            **{"AWS_ENDPOINT_URL": passage.variables["AWS_ENDPOINT_URL"]},
        )
        for _ in range(2):
            ran = lead_pipeline_here(tmp_path, variables, "fetch", "--to", "copy.duckdb")
            assert ran.status == 0, ran.errors

    downloads = [found for found in passage.requests if found.path.endswith(".duckdb")]
    assert len(downloads) == 1
    assert ran.output == (
        f"{tmp_path / 'copy.duckdb'} is the build build_1, which readers have since "
        f"{ran.output.split('since ')[1]}"
    )
    assert ran.output.endswith("nothing to fetch.\n")


def test_fetch_tells_programs_what_the_file_is(
    s3_server: S3Server, shared: str, tmp_path: Path
) -> None:
    publish(tmp_path / "home", shared, "build_1", None)
    variables = reader_variables(s3_server, shared, tmp_path / "reader")
    first = lead_pipeline(tmp_path, variables, "fetch", "--to", "copy.duckdb", "--json")
    second = lead_pipeline(tmp_path, variables, "fetch", "--to", "copy.duckdb", "--json")
    said = json.loads(first.output)

    assert said["build"] == "build_1"
    assert said["path"] == str(tmp_path / "copy.duckdb")
    assert said["bytes"] == (tmp_path / "copy.duckdb").stat().st_size
    assert is_copy(tmp_path / "copy.duckdb", said["sha256"])
    assert (said["is_new"], json.loads(second.output)["is_new"]) == (True, False)


def test_what_comes_damaged_leaves_the_file_as_it_is(
    s3_server: S3Server, shared: str, tmp_path: Path
) -> None:
    publish(tmp_path / "home", shared, "build_1", None)
    variables = reader_variables(s3_server, shared, tmp_path / "reader")
    assert lead_pipeline_here(tmp_path, variables, "fetch", "--to", "copy.duckdb").status == 0
    publish(tmp_path / "home", shared, "build_2", "build_1")
    open_store(shared).put(object_of("build_2"), b"something else")
    ran = lead_pipeline_here(tmp_path, variables, "fetch", "--to", "copy.duckdb")

    assert ran.status == 1
    assert "which is not what was written there" in ran.last_line
    assert stamp_in(tmp_path / "copy.duckdb") == "build_1"


def test_a_log_beside_the_file_is_not_applied_to_the_new_one(
    s3_server: S3Server, shared: str, tmp_path: Path
) -> None:
    publish(tmp_path / "home", shared, "build_1", None)
    copy = tmp_path / "copy.duckdb"
    wal_of(copy).write_bytes(b"of somebody who wrote to the file")
    variables = reader_variables(s3_server, shared, tmp_path / "reader")
    ran = lead_pipeline_here(tmp_path, variables, "fetch", "--to", "copy.duckdb")

    assert ran.status == 0, ran.errors
    assert not wal_of(copy).exists()


def test_several_who_fetch_into_one_file_at_once_leave_one_whole_build(
    s3_server: S3Server, shared: str, tmp_path: Path
) -> None:
    publish(tmp_path / "home", shared, "build_1", None, rows=ROWS)
    variables = reader_variables(s3_server, shared, tmp_path / "reader")
    started = [start(tmp_path, variables, ["fetch", "--to", "copy.duckdb"]) for _ in range(3)]
    ended = [finish(process) for process in started]

    assert [ran.status for ran in ended] == [0, 0, 0]
    assert sorted("is now" in ran.output for ran in ended) == [False, False, True]
    assert stamp_in(tmp_path / "copy.duckdb") == "build_1"


def test_a_fetch_that_is_killed_leaves_nothing_for_a_hand(
    s3_server: S3Server, shared: str, tmp_path: Path
) -> None:
    publish(tmp_path / "home", shared, "build_1", None)
    variables = reader_variables(s3_server, shared, tmp_path / "reader")
    assert lead_pipeline_here(tmp_path, variables, "fetch", "--to", "copy.duckdb").status == 0
    publish(tmp_path / "home", shared, "build_2", "build_1", rows=ROWS)
    killed: list[int] = []

    def kill(request: object) -> bool:
        is_download = getattr(request, "path", "").endswith("build_2.duckdb")
        if is_download:
            process.kill()
            killed.append(process.wait())
        return is_download

    passage = Passage(s3_server, loses_answer_of=kill)
    with passage.open():
        through = {**variables, "AWS_ENDPOINT_URL": passage.variables["AWS_ENDPOINT_URL"]}
        process = start(tmp_path, through, ["fetch", "--to", "copy.duckdb"])
        finish(process)
    assert killed == [-signal.SIGKILL]
    assert stamp_in(tmp_path / "copy.duckdb") == "build_1"
    # As a kill in the middle of a download leaves it.
    (tmp_path / ".copy.duckdb.new").write_bytes(b"half")
    (tmp_path / "..copy.duckdb.new.1-2.tmp").write_bytes(b"half")
    assert lead_pipeline_here(tmp_path, variables, "fetch", "--to", "copy.duckdb").status == 0

    assert stamp_in(tmp_path / "copy.duckdb") == "build_2"
    left = sorted(path.name for path in tmp_path.iterdir() if "copy.duckdb" in path.name)
    assert left == [".copy.duckdb.copy", ".copy.duckdb.lock", "copy.duckdb"]


def test_fetch_goes_on_while_the_store_does_not_answer(
    s3_server: S3Server, shared: str, tmp_path: Path
) -> None:
    publish(tmp_path / "home", shared, "build_1", None)
    away = threading.Event()
    passage = Passage(s3_server, refuses=lambda request: away.is_set())
    with passage.open():
        variables = reader_variables(
            s3_server,
            shared,
            tmp_path / "reader",
            **{"AWS_ENDPOINT_URL": passage.variables["AWS_ENDPOINT_URL"]},
        )
        arguments = ["fetch", "--to", "copy.duckdb", "--every", "1"]
        with started(tmp_path, variables, arguments) as process:
            wait_until((tmp_path / "copy.duckdb").exists)
            away.set()
            asked = len(passage.requests)
            wait_until(lambda: len(passage.requests) > asked + 2)
            publish(tmp_path / "home", shared, "build_2", "build_1")
            assert process.poll() is None
            assert stamp_in(tmp_path / "copy.duckdb") == "build_1"
            away.clear()
            wait_until(lambda: stamp_in(tmp_path / "copy.duckdb") == "build_2")
            process.send_signal(signal.SIGTERM)
            ran = finish(process)

    assert ran.status == 130
    assert "is now the build build_2" in ran.output


@pytest.mark.parametrize(
    ("variables", "arguments", "remedy"),
    [
        pytest.param({}, (), "LEAD_PIPELINE_SHARED is not set", id="no store"),
        pytest.param(
            {"LEAD_PIPELINE_SHARED": "s3://tests/nothing/here"},
            (),
            "Nothing has been published in s3://tests/nothing/here yet",
            id="nothing published",
        ),
        pytest.param(
            {"LEAD_PIPELINE_SHARED": "s3://tests/nothing/here"},
            ("--to", "."),
            "is a folder. Name the file",
            id="a folder",
        ),
        pytest.param(
            {"LEAD_PIPELINE_SHARED": "s3://tests/x", "AWS_ACCESS_KEY_ID": "AKIANOBODY"},
            (),
            "Check the credentials",
            id="wrong credentials",
        ),
        pytest.param(
            {"LEAD_PIPELINE_SHARED": "s3://tests/x", "AWS_ENDPOINT_URL": "http://example.com"},
            (),
            "plain http is taken for localhost only",
            id="plain text",
        ),
    ],
)
def test_refusal_says_what_to_do_in_its_last_line(
    s3_server: S3Server,
    tmp_path: Path,
    variables: dict[str, str],
    arguments: tuple[str, ...],
    remedy: str,
) -> None:
    given = environment(tmp_path / "reader", {**s3_server.variables_of_reader, **variables})
    ran = lead_pipeline_here(tmp_path, given, "fetch", *arguments)

    assert ran.status in (1, 2)
    assert remedy in ran.errors.replace("\n", " ")
    assert not (tmp_path / "reader" / "bi" / "leads.duckdb").exists()


def test_fetch_needs_no_postgresql(s3_server: S3Server, shared: str, tmp_path: Path) -> None:
    publish(tmp_path / "home", shared, "build_1", None)
    nowhere = f"postgresql://u:p@127.0.0.1:{free_port()}/x"
    program = (
        "import sys; sys.modules['psycopg2'] = None; from lead_pipeline.cli import main; main()"
    )
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program, "fetch", "--to", "copy.duckdb"],
        cwd=tmp_path,
        env=reader_variables(
            s3_server, shared, tmp_path / "reader", LEAD_PIPELINE_DATABASE=nowhere
        ),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert os.access(tmp_path / "copy.duckdb", os.R_OK)
