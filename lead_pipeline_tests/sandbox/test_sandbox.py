"""The three servers together: start, stop, clock, hooks, records of requests, control."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import pytest

from lead_pipeline.sandbox import Request, Sandbox, World, serve
from lead_pipeline.sandbox.examples import lead_id, mega_lead
from lead_pipeline_tests.sandbox.clients import LEADS, LISTS, MEGA_LEADS, client_of


def test_the_environment_has_credentials_in_the_documented_formats(empty: Sandbox) -> None:
    environment = empty.environment()
    formats = {
        "MEGA_BASE_URL": r"http://127\.0\.0\.1:\d+",
        "MEGA_TOKEN": r"mega_[0-9a-f]{64}",
        "MEGA_CUSTOMER_ID": r"[0-9a-f-]{36}",
        "EXPERT_AI_LABS_BASE_URL": r"http://127\.0\.0\.1:\d+",
        "EXPERT_AI_LABS_API_KEY": r"eal_test_\w+",
        "VOREL_BASE_URL": r"http://127\.0\.0\.1:\d+",
        "VOREL_API_KEY": r"vapk_test_[0-9a-f]{48}",
    }
    assert environment.keys() == formats.keys()
    for name, pattern in formats.items():
        assert re.fullmatch(pattern, environment[name])


def test_nothing_is_left_running_after_the_end() -> None:
    threads = set(threading.enumerate())
    with Sandbox(World.empty()) as sandbox, client_of(sandbox, "vorel") as client:
        client.get(LEADS)
        port = httpx.URL(sandbox.vorel.url).port
    assert set(threading.enumerate()) == threads
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_port_that_is_taken_leaves_nothing_running() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        threads = set(threading.enumerate())
        sandbox = Sandbox(World.empty(), ports=(0, 0, taken.getsockname()[1]))
        with pytest.raises(OSError, match="in use"):
            sandbox.__enter__()
        assert set(threading.enumerate()) == threads


def test_before_the_start_there_is_a_store_but_no_url() -> None:
    sandbox = Sandbox(World.empty())
    assert len(sandbox.mega.store) == 0
    with pytest.raises(RuntimeError, match="mega"):
        _ = sandbox.mega.url


def test_one_connection_serves_many_requests(empty: Sandbox) -> None:
    with client_of(empty, "mega") as client:
        ports = {
            client.get(MEGA_LEADS).extensions["network_stream"].get_extra_info("client_addr")
            for _ in range(5)
        }
    assert len(ports) == 1


def test_many_clients_are_served_at_once(sandbox: Sandbox) -> None:
    def count(_: int) -> int:
        with client_of(sandbox, "vorel") as client:
            return len(client.get(LEADS, params={"limit": 100}).json()["data"])

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(count, range(24))) == {100}


def test_the_clock_only_moves_forward(empty: Sandbox) -> None:
    assert empty.now == datetime(2026, 1, 1, tzinfo=UTC)
    empty.set_clock(datetime(2026, 1, 2, tzinfo=UTC))
    with pytest.raises(ValueError, match="does not go back"):
        empty.set_clock(datetime(2026, 1, 1, 23, 59, tzinfo=UTC))
    with pytest.raises(ValueError, match="offset"):
        empty.set_clock(datetime(2026, 1, 3))  # noqa: DTZ001 - the mistake under test


def test_requests_are_recorded_as_they_came(empty: Sandbox) -> None:
    with client_of(empty, "mega") as client:
        client.get(MEGA_LEADS, params={"limit": "7"})
        client.get(MEGA_LEADS, params={"limit": "0"})
    first, second = empty.mega.requests
    assert (first.method, first.path, dict(first.query)) == ("GET", MEGA_LEADS, {"limit": "7"})
    assert first.headers["x-customer-id"] == empty.environment()["MEGA_CUSTOMER_ID"]
    assert (first.status, second.status) == (200, 400)
    assert first.received_at <= second.received_at
    assert empty.vorel.requests == []


def test_hooks_can_change_the_store_before_a_request_is_answered(empty: Sandbox) -> None:
    def put_one(request: Request) -> None:
        empty.mega.store.put(mega_lead(len(empty.mega.requests)))

    empty.mega.before_request.append(put_one)
    with client_of(empty, "mega") as client:
        assert [client.get(MEGA_LEADS).json()["total"] for _ in range(3)] == [1, 2, 3]
        empty.mega.before_request.clear()
        assert client.get(MEGA_LEADS).json()["total"] == 3


def test_hooks_can_move_the_clock(empty: Sandbox) -> None:
    empty.vorel.before_request.append(
        lambda request: empty.set_clock(datetime(2026, 2, 1, tzinfo=UTC))
    )
    with client_of(empty, "vorel") as client:
        client.get(LEADS)
    assert empty.now == datetime(2026, 2, 1, tzinfo=UTC)


def test_a_record_can_have_fields_that_nobody_documented(empty: Sandbox) -> None:
    empty.mega.store.put(mega_lead(1, utm_campaign="spring"))
    with client_of(empty, "mega") as client:
        assert client.get(MEGA_LEADS).json()["leads"][0]["utm_campaign"] == "spring"


@pytest.mark.parametrize("provider", list(LISTS))
def test_the_clock_can_be_asked_and_moved_from_any_port(empty: Sandbox, provider: str) -> None:
    with client_of(empty, provider) as client:
        assert client.get("/_sandbox/clock").json() == {"now": "2026-01-01T00:00:00.000Z"}
        moved = client.post("/_sandbox/clock", json={"now": "2026-01-05T06:00:00Z"})
        assert moved.json() == {"now": "2026-01-05T06:00:00.000Z"}
        assert client.post("/_sandbox/clock", json={"now": "2026-01-01T00:00:00Z"}).is_error
        assert client.post("/_sandbox/clock", json={}).status_code == 400
    assert empty.now == datetime(2026, 1, 5, 6, tzinfo=UTC)


def test_control_requests_are_neither_counted_nor_limited(empty: Sandbox) -> None:
    with client_of(empty, "vorel") as client:
        added = client.post("/_sandbox/faults", json={"kind": "status", "status": 503})
        assert added.status_code == 200
        assert client.post("/_sandbox/faults", json={"kind": "earthquake"}).status_code == 400
        assert [client.get(LEADS).status_code for _ in range(2)] == [503, 200]
        counts = client.get("/_sandbox/requests").json()
        assert counts == {"count": 2, "by_status": {"503": 1, "200": 1}}
        assert client.get("/_sandbox/nothing").status_code == 404
        assert client.get(f"{LEADS}/{lead_id(1)}").headers["X-RateLimit-Remaining"] == "197"


def test_serving_prints_what_to_paste_and_ends_at_a_signal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def stop_once_served() -> None:
        # A signal before its handler is in place would end the test run itself.
        while signal.getsignal(signal.SIGTERM) is before:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop_once_served)
    stopper.start()
    serve((0, 0, 0), datetime(2026, 1, 2, tzinfo=UTC), world=World.empty())
    stopper.join()
    assert signal.getsignal(signal.SIGTERM) is before
    printed = capsys.readouterr().out
    assert "2026-01-02T00:00:00.000Z" in printed
    assert re.search(r"^export MEGA_BASE_URL=http://127\.0\.0\.1:\d+$", printed, re.MULTILINE)
    assert re.search(r"^export VOREL_API_KEY=vapk_test_[0-9a-f]{48}$", printed, re.MULTILINE)
