"""The pages beside the BI file over HTTP, to browsers of this machine.

    GET /report.html, /explore/ ──▶ bi/report.html, bi/explore/index.html

Each address that is answered is listed here with its file, so that no address can name another one: not
the BI file, not a retained build, nothing outside of `bi/`. A file is read anew for each request, as
publications replace it.
"""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from lead_pipeline.addresses import LOOPBACK
from lead_pipeline.storage.publication import EXPLORE, REPORT

FILES = {"/report.html": REPORT, "/explore/": EXPLORE, "/explore/index.html": EXPLORE}
REDIRECTED = {"/": "/report.html", "/explore": "/explore/"}
NOT_YET = (
    "This page is made by the next publication: lead-pipeline run, or lead-pipeline publish where leads "
    "have landed.\n"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PageServer:
    """Serves the pages in the folder `bi`, by threads, from the start to the end of a `with`.

    `host` is one of `LOOPBACK`; port 0 takes a free one. Raises `OSError` where the port is taken.
    """

    def __init__(self, bi: Path, host: str, port: int) -> None:
        self._host = host
        self._server = _Server(bi, host, port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    @property
    def url(self) -> str:
        """The origin, with the port that was taken."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    # A browser that keeps its connection open does not keep the command from ending.
    daemon_threads = True
    block_on_close = False

    def __init__(self, bi: Path, host: str, port: int) -> None:
        self.bi = bi
        if ":" in host:
            import socket

            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked has gone away; nobody is waiting for the answer."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "lead-pipeline"
    sys_version = ""
    timeout = 30
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(code)d %(message)s\n"

    def do_GET(self) -> None:
        """Answer with the page."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answer without it."""
        self._answer(with_body=False)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name of the overridden
        """Who looks at a page on their own machine is nobody's business."""

    def end_headers(self) -> None:
        """The headers of every answer."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def _answer(self, *, with_body: bool) -> None:
        if not _is_of_this_machine(self.headers.get("Host", "")):
            # A page elsewhere whose name leads to this machine could read along otherwise.
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        path = urlsplit(self.path).path
        if path in REDIRECTED:
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", REDIRECTED[path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        name = FILES.get(path)
        if name is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        try:
            content, kind, status = (self.server.bi / name).read_bytes(), "html", HTTPStatus.OK
        except OSError:
            content, kind, status = NOT_YET.encode(), "plain", HTTPStatus.NOT_FOUND
        self.send_response(status)
        self.send_header("Content-Type", f"text/{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)


def _is_of_this_machine(host: str) -> bool:
    """Whether the `Host` of a request is a name of this machine, whatever the port."""
    try:
        return urlsplit(f"//{host}").hostname in LOOPBACK
    except ValueError:
        return False
