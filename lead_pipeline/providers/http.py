"""The one HTTP client: authenticated requests, bounded retries and the quota.

    Request ──▶ wait for the quota ──▶ ask ──▶ retry what may pass ──▶ body, or an error

Retried, with jittered backoff: connection errors, timeouts, 429 and 503 (after what they ask
for), other 5xx, and bodies that are not the documented page. Never retried: other 4xx, redirects.

Belongs here: what a status means, and when to ask again. Does not belong here: cursors and
records; how long an answer may take and how large it may be (`transport.py`).
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from http import HTTPStatus
from io import BytesIO
from types import TracebackType
from typing import Protocol, Self, TypeVar
from urllib.parse import urlencode, urlsplit

import httpcore
import httpx

from lead_pipeline.addresses import LOOPBACK
from lead_pipeline.errors import (
    AccessRefused,
    ConfigurationError,
    CrawlError,
    QuotaExhausted,
    RequestRefused,
    RetryableError,
)
from lead_pipeline.providers.authentication import HeaderAuth
from lead_pipeline.providers.base import Account, Provider, Request
from lead_pipeline.providers.fields import parse_http_date
from lead_pipeline.providers.quota import Pause, Quota
from lead_pipeline.providers.transport import (
    ACCEPTED_ENCODING,
    Answer,
    BoundedTransport,
    Timeouts,
    as_it_travels,
)

USER_AGENT = "lead-pipeline"

_NO_URL = (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError)
"""What is raised for texts that are no URL; `UnicodeError` of host names is among them."""
_LONG_REQUEST = 4_096

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class RetryPolicy:
    """How often to ask again, and how long to wait between (seconds)."""

    attempts: int = 6
    first_backoff: float = 0.5
    longest_backoff: float = 30.0

    def backoff(self, attempt: int) -> float:
        """A random wait after the failed attempt number `attempt` (1 is the first)."""
        ceiling = min(self.longest_backoff, self.first_backoff * 2.0 ** (attempt - 1))
        # Half fixed, half random: clients that failed together come back apart.
        return ceiling * (0.5 + 0.5 * random.random())  # noqa: S311 - not for secrets


@cache
def _tls(*, trust_env: bool) -> ssl.SSLContext:
    """What every client would make for itself: reading all authorities costs more than requests."""
    return httpx.create_ssl_context(trust_env=trust_env)


class Observer(Protocol):
    """Who is told of waits and retries while they happen."""

    def waiting(self, pause: Pause) -> None:
        """The client is about to wait for a quota."""

    def retrying(self, reason: str, seconds: float) -> None:
        """The client is about to ask again after `seconds`."""


@dataclass
class Counters:
    """What the client has done so far."""

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    waits: list[Pause] = field(default_factory=list)


class ApiClient:
    """Asks one account's API. Use as a context manager; not for use by several threads."""

    def __init__(
        self,
        provider: Provider,
        account: Account,
        quota: Quota,
        observer: Observer,
        *,
        purpose: str = "",
        max_wait_seconds: float = 600.0,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`purpose` follows the account's name in messages, e.g. `/leads, window […)`."""
        self._provider = provider
        self._account = account
        self._purpose = purpose
        self._observer = observer
        self._max_wait_seconds = max_wait_seconds
        self._retry = retry or RetryPolicy()
        self._timeouts = timeouts or Timeouts()
        self._sleep = sleep
        self._kept_requests = max(
            *(limit.requests for limit in provider.documented_limits),
            account.requests_per_minute or 0,
            1,
        )
        self.before_pause: Callable[[], None] = lambda: None
        """Called before each wait, which may be long: what is not durable yet had better be."""
        self.quota = quota
        self.counters = Counters()
        self.served_at: datetime | None = None
        """When the last answer was served, by the server's own `Date`; None where it said none."""
        try:
            # A proxy of the environment would get to see the keys of plain http on loopback.
            trust_env = urlsplit(account.base_url).hostname not in LOOPBACK
        except _NO_URL:
            raise self._no_server() from None
        self._transport = BoundedTransport(
            self._timeouts, _tls(trust_env=trust_env), trust_env=trust_env
        )
        self._authentication = provider.authentication(account)
        self._http = self._new_client()
        self._last_path = ""
        self._last_asked: httpcore.Request | None = None
        """The request for `_last_path`, as it travels."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def _new_client(self) -> httpx.Client:
        try:
            return httpx.Client(
                base_url=self._account.base_url,
                auth=self._authentication,
                headers={
                    "Accept": "application/json",
                    "Accept-Encoding": ACCEPTED_ENCODING,
                    "User-Agent": USER_AGENT,
                },
                timeout=httpx.Timeout(self._timeouts.read, connect=self._timeouts.connect),
                follow_redirects=False,
                transport=self._transport,
            )
        except _NO_URL:
            raise self._no_server() from None

    def _no_server(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self._account.name}: its base URL names no server; it must be an origin such as "
            f"{self._provider.default_base_url}."
        )

    def fetch(
        self,
        request: Request,
        read: Callable[[bytes | None], _Answer],
        *,
        accepts_missing: bool = False,
    ) -> _Answer:
        """Send `request` and return what `read` makes of the body (None for an accepted 404).

        Raises `QuotaExhausted` before a wait that is too long and when all attempts were for
        a quota that others use up, `AccessRefused` and `RequestRefused` for answers that asking
        again does not change, and `RetryableError` when all attempts have failed.
        """
        for attempt in range(1, self._retry.attempts + 1):
            self._wait_for_quota()
            try:
                body = self._send(request, accepts_missing)
                return read(body)
            except RetryableError as error:
                if attempt == self._retry.attempts:
                    raise self._failed(error, request) from None
                self._before_retry(error, attempt)
        raise AssertionError("the last attempt returns or raises")

    def _failed(self, error: RetryableError, request: Request) -> Exception:
        message = (
            f"{self._where(request)} failed {self._retry.attempts} times, last with: {error}. "
            "The checkpoint is saved; run again to resume from it."
        )
        if error.retry_after is not None:
            return QuotaExhausted(message, seconds=error.retry_after)
        return type(error)(message)

    def _before_retry(self, error: RetryableError, attempt: int) -> None:
        self.counters.retries += 1
        if error.retry_after is not None and error.retry_after > 0:
            return  # The quota knows how long to wait.
        seconds = self._retry.backoff(attempt)
        self.before_pause()
        self._observer.retrying(str(error), seconds)
        self._sleep(seconds)

    def _wait_for_quota(self) -> None:
        pause = self.quota.pause(
            time.time(), self._provider.documented_limits, self._account.requests_per_minute
        )
        if pause is None:
            return
        if pause.seconds > self._max_wait_seconds:
            raise QuotaExhausted(
                f"{self._account.name}{self._purpose}: {pause.reason}; requests come back in "
                f"{pause.seconds:,.0f} s, longer than the longest single wait of "
                f"{self._max_wait_seconds:,.0f} s. The checkpoint is saved.",
                seconds=pause.seconds,
            )
        self.counters.waits.append(pause)
        self.before_pause()
        self._observer.waiting(pause)
        # Sleeps may end early by a hair; the quota is for the server's clock to refuse. A clock
        # that is set back meanwhile must not make the wait longer.
        deadline = time.monotonic() + pause.seconds
        while (left := deadline - time.monotonic()) > 0:
            self._sleep(left)

    def _send(self, request: Request, accepts_missing: bool) -> bytes | None:
        sent_at = time.time()
        self.quota.sent(sent_at, self._kept_requests)
        self.counters.requests += 1
        answer = self._asked(request)
        try:
            self.quota.observe(answer.headers, sent_at, time.time())
            self.served_at = parse_http_date(answer.headers.get("date"))
            if answer.status == 200:
                self.quota.served()
                return self._body(answer)
            if answer.status == 404 and accepts_missing:
                self.quota.served()
                return None
            self._raise_for(answer, request)
        finally:
            answer.close()
        raise AssertionError("every other status raises")

    def _asked(self, request: Request) -> Answer:
        """The answer to `request`, its body still to come.

        What differs between the pages of a list is the query alone; that much is written here.
        """
        is_ordinary = (
            type(self._authentication) is HeaderAuth
            and request.body is None
            and "?" not in request.path
            and _size(request) <= _LONG_REQUEST
        )
        if not is_ordinary:
            response = self._http.send(self._built(request), stream=True)
            pieces = response.iter_bytes()
            return Answer(response.status_code, response.headers, pieces, response.close)
        if self._last_asked is None or self._last_path != request.path:
            [authenticated] = self._authentication.sync_auth_flow(
                self._built(Request(request.path))
            )
            self._last_path, self._last_asked = request.path, as_it_travels(authenticated)
        path, _, _ = self._last_asked.url.target.partition(b"?")
        query = b"&".join(map(_written, request.parameters.items()))
        self._last_asked.url.target = b"%b?%b" % (path, query) if query else path
        return self._transport.ask(self._last_asked)

    def _built(self, request: Request) -> httpx.Request:
        try:
            built = self._http.build_request(
                request.method, request.path, params=dict(request.parameters), json=request.body
            )
            # Only asking for the host shows whether it is one.
            if built.url.host:
                return built
        except _NO_URL:
            if _size(request) > _LONG_REQUEST:
                raise CrawlError(
                    f"{self._account.name}{self._purpose}: the next request would be too long for "
                    "a URL: the server's cursor or a record's id is."
                ) from None
        raise self._no_server()

    def _body(self, answer: Answer) -> bytes:
        # Not a list of pieces: joining them would need the room twice.
        body = BytesIO()
        for piece in answer.pieces:
            body.write(piece)
        self.counters.bytes += body.tell()
        return body.getvalue()

    def _raise_for(self, answer: Answer, request: Request) -> None:
        status = answer.status
        named = _named(status)
        if status in (429, 503):
            wait = self.quota.refused(
                answer.headers.get("retry-after"),
                time.time(),
                self._provider.documented_limits,
                status=status,
                date=answer.headers.get("date"),
            )
            raise RetryableError(named, retry_after=wait)
        if status >= 500 or status == 408:
            raise RetryableError(named)
        where = self._where(request)
        if status in (401, 403):
            raise AccessRefused(f"{where} answered {status}: {self._access_remedy(status)}")
        if 300 <= status < 400:
            raise RequestRefused(
                f"{where} answered {status}, a redirect, which is not followed so that the key "
                "goes nowhere else. Set the base URL to the API's own origin.",
                status=status,
            )
        raise RequestRefused(
            f"{where} answered {named}; asking again unchanged does not help.",
            status=status,
        )

    def _access_remedy(self, status: int) -> str:
        names = " and ".join(self._account.credential_names)
        if status == 401:
            return f"the credentials ({names}) of the account are wrong or revoked. Set new ones."
        return (
            f"the key may not read this. Check the scope of the key and that the credentials "
            f"({names}) belong together."
        )

    def _where(self, request: Request) -> str:
        return f"{self._account.name}{self._purpose}: {request.method} {self._account.base_url}{request.path}"


@lru_cache(maxsize=64)
def _written(parameter: tuple[str, str]) -> bytes:
    """One parameter as it stands in a query; all but the cursor are the same on every page."""
    return urlencode([parameter]).encode()


def _size(request: Request) -> int:
    return len(request.path) + sum(map(len, request.parameters.values()))


def _named(status: int) -> str:
    """A status with its standard name: what the server calls it could be anything."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
