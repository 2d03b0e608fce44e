"""The HTTP client against real servers: what is asked again, what is not, what messages show."""

from __future__ import annotations

import gzip
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.errors import (
    AccessRefused,
    LeadPipelineError,
    MalformedPage,
    QuotaExhausted,
    RequestRefused,
    RetryableError,
)
from lead_pipeline.landing.landed import LandedRecords
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account, Page, PullRequest, RecordWalk, Request
from lead_pipeline.providers.fields import describe_body
from lead_pipeline.providers.http import ApiClient, RetryPolicy
from lead_pipeline.providers.quota import Pause, Quota
from lead_pipeline.providers.transport import Timeouts, readable_headers
from lead_pipeline.sandbox import Fault, Sandbox
from lead_pipeline_tests.properties import examples
from lead_pipeline_tests.pulling import QUICK_RETRY, account_of, at, days, put_leads

SECRET = "vapk_test_not_to_be_shown"
LEADS = Request("/api/v1/leads", {"limit": "100"})


@dataclass
class Answer:
    """One scripted answer."""

    status: int = 200
    body: bytes = b'{"data": [], "next_cursor": null, "has_more": false}'
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Told:
    """An observer that remembers."""

    waits: list[Pause] = field(default_factory=list)
    retries: list[str] = field(default_factory=list)

    def waiting(self, pause: Pause) -> None:
        """Remember a wait."""
        self.waits.append(pause)

    def retrying(self, reason: str, seconds: float) -> None:
        """Remember a retry."""
        self.retries.append(reason)


class Script(ThreadingHTTPServer):
    """A server that gives the answers in order, the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[Mapping[str, str]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """The origin."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Script

    def do_GET(self) -> None:
        server = self.server
        answer = server.answers[min(len(server.asked), len(server.answers) - 1)]
        server.asked.append({**dict(self.headers), ":path": self.path})
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *unused: object) -> None:
        """Silence."""


@contextmanager
def serving(*answers: Answer) -> Iterator[Script]:
    """A running server with these answers."""
    with Script(*answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def account_at(url: str) -> Account:
    return Account("salon", "vorel", url, {"api_key": SECRET}, None, ("SALON_KEY",))


def client_of(url: str, told: Told | None = None, **options: object) -> ApiClient:
    """A client for Vorel at `url`."""
    arguments: dict[str, object] = {"retry": QUICK_RETRY, **options}
    return ApiClient(
        PROVIDERS["vorel"],
        account_at(url),
        Quota(),
        told or Told(),
        **arguments,  # type: ignore[arg-type]
    )


def read_page(body: bytes | None) -> Page:
    """The page of Vorel's list in `body`."""
    pull = PullRequest(days(1), timedelta(hours=1), at(5), options={"horizon_days": None})
    landed = LandedRecords(Path("nowhere"), "salon", PROVIDERS["vorel"])
    return PROVIDERS["vorel"].walk("leads", pull, landed).page(body, None)


def fetch(client: ApiClient) -> bytes | None:
    """The body of the list."""
    with client:
        return client.fetch(LEADS, lambda body: body)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_asked_again(status: int) -> None:
    with serving(Answer(status), Answer()) as server:
        fetch(client_of(server.url))

    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 422, 204, 301, 307])
def test_what_asking_again_does_not_change_is_asked_once(status: int) -> None:
    with (
        serving(Answer(status, b"", {"Location": "http://127.0.0.1:9/"})) as server,
        pytest.raises((AccessRefused, RequestRefused)),
    ):
        fetch(client_of(server.url))

    assert len(server.asked) == 1


def test_redirect_is_not_followed_so_that_the_key_stays_here() -> None:
    with serving(Answer()) as elsewhere:
        answer = Answer(302, b"", {"Location": elsewhere.url})
        with (
            serving(answer) as server,
            pytest.raises(RequestRefused, match="a redirect, which is not followed"),
        ):
            fetch(client_of(server.url))

    assert elsewhere.asked == []


def test_attempts_are_bounded() -> None:
    with serving(Answer(500)) as server, pytest.raises(RetryableError, match="failed 4 times"):
        fetch(client_of(server.url))

    assert len(server.asked) == 4


def test_server_that_is_not_there_is_a_connection_error() -> None:
    with serving(Answer()) as server:
        url = server.url

    with pytest.raises(RetryableError, match=r"a connection error \(ConnectError\)"):
        fetch(client_of(url))


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed(status: int) -> None:
    told = Told()
    with serving(Answer(status, b"", {"Retry-After": "1"}), Answer()) as server:
        fetch(client_of(server.url, told))

    assert [pause.reason for pause in told.waits] == [
        f"the server asked to come back later ({status})"
    ]


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_beyond_the_longest_wait_is_for_a_later_run(status: int) -> None:
    with (
        serving(Answer(status, b"", {"Retry-After": "3600"})) as server,
        pytest.raises(QuotaExhausted, match=r"salon: .*come back in 3,600 s") as failure,
    ):
        fetch(client_of(server.url))

    assert failure.value.seconds == pytest.approx(3600, abs=2)
    assert len(server.asked) == 1


@pytest.mark.parametrize("value", ["soon", "²", "-7", "", "nan"])
def test_retry_after_that_makes_no_sense_is_answered_with_backoff(value: str) -> None:
    answer = Answer(429, b"", {"Retry-After": value})
    with serving(answer, Answer()) as server:
        fetch(client_of(server.url))

    assert len(server.asked) == 2


@pytest.mark.parametrize("value", ["1e18", "Fri, 31 Dec 9999 23:59:59 GMT", "30000"])
def test_retry_after_that_is_not_credible_means_a_minute(value: str) -> None:
    with (
        serving(Answer(429, b"", {"Retry-After": value})) as server,
        pytest.raises(QuotaExhausted, match=f'states, "{re.escape(value)}", is not') as failure,
    ):
        fetch(client_of(server.url, max_wait_seconds=1))

    assert failure.value.seconds == pytest.approx(60, abs=1)


def test_last_attempt_that_is_refused_without_a_credible_end_comes_back_within_the_hour() -> None:
    with (
        serving(Answer(503, b"", {"Retry-After": "1e300"})) as server,
        pytest.raises(QuotaExhausted, match="failed 1 times") as failure,
    ):
        fetch(client_of(server.url, retry=RetryPolicy(attempts=1)))

    assert failure.value.seconds == 60


@pytest.mark.parametrize(
    "answer", [Answer(429, b"", {"Retry-After": "1"}), Answer(500)], ids=["quota", "failure"]
)
def test_before_each_wait_there_is_time_to_make_durable_what_came(answer: Answer) -> None:
    told: list[str] = []

    def sleep(seconds: float) -> None:
        told.append("wait")
        time.sleep(seconds)

    with serving(answer, Answer()) as server:
        client = client_of(server.url, sleep=sleep)
        client.before_pause = lambda: told.append("durable")
        fetch(client)

    assert told[:2] == ["durable", "wait"]


def test_clock_that_is_set_back_during_a_wait_does_not_make_the_wait_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    real_time, real_sleep = time.time, time.sleep

    def sleep_while_the_clock_is_set_back(seconds: float) -> None:
        slept.append(seconds)
        assert seconds <= 1
        monkeypatch.setattr(time, "time", lambda: real_time() - 86_400)
        real_sleep(seconds)

    with serving(Answer(429, b"", {"Retry-After": "1"}), Answer()) as server:
        client = client_of(server.url, sleep=sleep_while_the_clock_is_set_back)
        with client:
            client.fetch(LEADS, lambda body: body)
            client.fetch(LEADS, lambda body: body)

    assert sum(slept) == pytest.approx(1, abs=0.1)


def test_429_to_all_attempts_means_later_not_failed() -> None:
    with (
        serving(Answer(429, b"", {"Retry-After": "0"})) as server,
        pytest.raises(QuotaExhausted, match="failed 4 times, last with: 429"),
    ):
        fetch(client_of(server.url))


def test_body_that_drips_ends_at_the_deadline(sandbox: Sandbox) -> None:
    """Each piece comes in time, the whole would take half a minute."""
    put_leads(sandbox, "vorel", 100, at(2))
    sandbox.vorel.faults.add(Fault("slow_body", delay=0.05, chunk=64))
    account = account_of(sandbox, "vorel")
    client = ApiClient(
        PROVIDERS["vorel"],
        account,
        Quota(),
        Told(),
        retry=RetryPolicy(attempts=1),
        timeouts=Timeouts(connect=1, read=1, total=0.3),
    )
    started = time.monotonic()

    with pytest.raises(RetryableError, match="a body that took over 0 s"):
        fetch(client)

    assert time.monotonic() - started < 5


def test_page_that_cannot_be_read_is_asked_for_again() -> None:
    with serving(Answer(body=b"<html>wait</html>"), Answer()) as server:
        told = Told()
        with client_of(server.url, told) as client:
            client.fetch(LEADS, lambda body: read_page(body))

    assert told.retries[0].startswith("a body of 17 bytes, markup starting with '<html': ")


def test_compressed_body_is_read() -> None:
    answer = Answer(body=gzip.compress(Answer().body), headers={"Content-Encoding": "gzip"})
    with serving(answer) as server:
        assert fetch(client_of(server.url)) == Answer().body


def test_missing_record_is_an_answer_where_it_is_accepted() -> None:
    with serving(Answer(404)) as server, client_of(server.url) as client:
        assert client.fetch(LEADS, lambda body: body, accepts_missing=True) is None


@pytest.mark.parametrize(
    "answer", [Answer(401), Answer(403), Answer(400), Answer(500), Answer(302)]
)
def test_message_names_account_purpose_and_path_and_no_secret(answer: Answer) -> None:
    answer.body = b'{"error": {"message": "jane@example.com ' + SECRET.encode() + b'"}}'
    with serving(answer) as server, pytest.raises(LeadPipelineError) as failure:
        fetch(client_of(server.url, purpose="/leads, window W"))

    message = str(failure.value)
    assert message.startswith(f"salon/leads, window W: GET {server.url}/api/v1/leads ")
    assert SECRET not in message
    assert "jane" not in message


def test_refused_key_is_told_by_where_it_comes_from() -> None:
    with serving(Answer(401)) as server, pytest.raises(AccessRefused, match="SALON_KEY"):
        fetch(client_of(server.url))


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_keys_on_loopback_pass_no_proxy(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Answer()) as proxy, serving(Answer()) as server:
        monkeypatch.setenv(variable, proxy.url)
        fetch(client_of(server.url))

    assert (len(proxy.asked), len(server.asked)) == (0, 1)


def test_every_request_counts() -> None:
    with serving(Answer(500), Answer(500), Answer()) as server:
        client = client_of(server.url)
        fetch(client)

    assert (client.counters.requests, client.counters.retries) == (3, 2)


@pytest.mark.parametrize(
    "record_id", ["../../admin", "a/b", "a?limit=1", "a#b", "{id}", "a b", "é"]
)
def test_id_of_a_record_stays_one_segment_of_the_path(record_id: str) -> None:
    walk = RecordWalk("/api/v1/leads/{id}", {}, read_page, record_ids=(record_id,))
    request = walk.request(None)

    url = httpx.URL("http://127.0.0.1").join(request.path)
    assert len(url.raw_path.decode().split("/")) == 5
    assert url.query == b""


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@examples(60)
@given(
    st.sampled_from(["/", "/api/v1/leads", "/a b/é/%2F", "/a#b", "/a?b=c", ""]),
    st.dictionaries(_texts, _texts, max_size=3),
)
def test_request_travels_as_httpx_writes_it(path: str, parameters: dict[str, str]) -> None:
    with serving(Answer()) as server, client_of(server.url) as client:
        client.fetch(Request(path, parameters), lambda body: body)
        authentication = PROVIDERS["vorel"].authentication(account_at(server.url))
        with httpx.Client(base_url=server.url, auth=authentication, trust_env=False) as plain:
            plain.get(path, params=parameters)

    ours, theirs = server.asked
    own = ("Accept", "Accept-Encoding", "User-Agent")
    assert sorted(ours) == sorted(theirs)
    assert {k: v for k, v in ours.items() if k not in own} == {
        k: v for k, v in theirs.items() if k not in own
    }


def test_header_that_comes_again_and_other_letters_are_read_as_httpx_reads_them() -> None:
    raw = [(b"Date", b"a"), (b"X-Note", "é".encode()), (b"x-note", b"b"), (b"X-Odd", b"\xe9")]
    for headers in (raw[:3], raw):
        assert dict(readable_headers(headers)) == dict(httpx.Headers(headers).items())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "a body of 0 bytes, empty"),
        (b'{"leads": [', "a body of 11 bytes, JSON starting with '{'"),
        (b"  <!DOCTYPE html><title>Jane</title>", "markup starting with '<!doctype html'"),
        (b"<jane@example.com>", "a body of 18 bytes, markup starting with '<'"),
        (b"jane@example.com", "a body of 16 bytes, neither JSON nor markup"),
    ],
)
def test_body_is_described_without_showing_it(body: bytes, words: str) -> None:
    assert describe_body(body).endswith(words)


def test_unreadable_page_is_an_error_without_its_content() -> None:
    body = b'{"data": "jane@example.com", "next_cursor": null, "has_more": false}'
    with pytest.raises(MalformedPage) as failure:
        read_page(body)

    assert str(failure.value).endswith("Expected `array`, got `str` - at `$.data`")
