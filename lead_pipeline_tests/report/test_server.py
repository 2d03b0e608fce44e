"""`lead-pipeline serve`: the two pages and nothing else, to browsers of this machine alone."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lead_pipeline.report.server import PageServer
from lead_pipeline_tests.commands import environment, finish, lead_pipeline_here, start

SECRET = "personal data"


@pytest.fixture
def bi(home: Path) -> Path:
    """Pages beside what must not be served."""
    for name in (
        "report.html",
        "explore/index.html",
        "leads.duckdb",
        ".builds/20260101T0000.duckdb",
        ".sources/leads.duckdb",
        "explore/.index.html.new",
        "../warehouse.duckdb",
        "../.env",
    ):
        path = home / "bi" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<p>{name}</p>" if name.endswith(".html") else SECRET)
    return home / "bi"


@pytest.fixture
def server(bi: Path) -> Iterator[PageServer]:
    with PageServer(bi, "127.0.0.1", 0) as running:
        yield running


def raw(server: PageServer, target: str, *, host: str = "localhost") -> tuple[int, str]:
    """Ask for the target as it stands: clients would tidy it up. Returns status and body."""
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), body


def test_both_pages_are_served_as_html_that_nobody_keeps(server: PageServer) -> None:
    for path, content in (
        ("/report.html", "<p>report.html</p>"),
        ("/explore/", "<p>explore/index.html</p>"),
        ("/explore/index.html?from=2026-01-01", "<p>explore/index.html</p>"),
    ):
        answer = httpx.get(server.url + path)
        assert (answer.status_code, answer.text) == (200, content)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_shortest_address_leads_to_the_report(server: PageServer) -> None:
    assert httpx.get(server.url, follow_redirects=True).text == "<p>report.html</p>"
    # So that links of the page are those of its folder.
    assert httpx.get(f"{server.url}/explore").headers["location"] == "/explore/"


def test_the_next_publication_is_served_without_a_restart(server: PageServer, bi: Path) -> None:
    (bi / "report.html").write_text("<p>the next</p>")
    assert httpx.get(f"{server.url}/report.html").text == "<p>the next</p>"


@pytest.mark.parametrize(
    "target",
    [
        "/leads.duckdb",
        "/.builds/20260101T0000.duckdb",
        "/.sources/leads.duckdb",
        "/explore/.index.html.new",
        "/explore/../leads.duckdb",
        "/../warehouse.duckdb",
        "/..%2fwarehouse.duckdb",
        "/%2e%2e/.env",
        "/..\\.env",
        "//leads.duckdb",
        "/report.html/../leads.duckdb",
        "/report.html%00.duckdb",
        "/explore/%2e%2e/leads.duckdb",
        "/REPORT.HTML",
        "/.builds/",
        "http://localhost/leads.duckdb",
        "file:///etc/passwd",
        "leads.duckdb",
        "*",
    ],
)
def test_nothing_else_of_the_home_can_be_named(target: str, server: PageServer) -> None:
    status, body = raw(server, target)
    assert status == 404
    assert SECRET not in body


def test_nothing_is_written(server: PageServer) -> None:
    assert {
        httpx.request(method, f"{server.url}/report.html").status_code
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS")
    } == {501}


def test_who_asks_for_the_head_gets_no_body(server: PageServer) -> None:
    answer = httpx.head(f"{server.url}/report.html")
    assert (answer.content, answer.headers["content-length"]) == (b"", "18")


@pytest.mark.parametrize("host", ["crm.example.com", "127.0.0.1.example.com:80", "", "[::1"])
def test_a_name_of_elsewhere_that_leads_here_is_refused(host: str, server: PageServer) -> None:
    assert raw(server, "/report.html", host=host) == (421, "421 Misdirected Request\n")


def test_a_page_that_is_not_there_yet_says_how_it_is_made(server: PageServer, bi: Path) -> None:
    (bi / "explore" / "index.html").unlink()
    answer = httpx.get(f"{server.url}/explore/")
    assert (answer.status_code, answer.headers["content-type"]) == (
        404,
        "text/plain; charset=utf-8",
    )
    assert "lead-pipeline publish" in answer.text


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_interrupted_and_that_is_a_good_end(
    ending: signal.Signals, bi: Path, tmp_path: Path
) -> None:
    process = start(tmp_path, environment(bi.parent), ["serve", "--port", "0"])
    assert process.stdout is not None
    address = process.stdout.readline().split(": ")[1].strip()
    with httpx.Client() as client:
        assert client.get(address).text == "<p>report.html</p>"
        # While a browser keeps its connection.
        process.send_signal(ending)
        ran = finish(process)
    assert (ran.status, ran.errors) == (0, "")
    assert ran.output.endswith("The pages are served no more.\n")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "crm.example.com"])  # noqa: S104
def test_other_machines_are_refused_with_the_reason(host: str, bi: Path, tmp_path: Path) -> None:
    ran = lead_pipeline_here(tmp_path, environment(bi.parent), "serve", "--host", host)
    assert ran.status == 1
    said = " ".join(ran.errors.split())
    assert f"--host {host} would show the pages to whoever reaches this machine" in said


def test_a_port_that_is_taken_is_told(server: PageServer, bi: Path, tmp_path: Path) -> None:
    port = server.url.rpartition(":")[2]
    ran = lead_pipeline_here(tmp_path, environment(bi.parent), "serve", "--port", port)
    assert ran.status == 1
    assert f"port {port} (Address already in use)" in " ".join(ran.errors.split())
