"""How requests are authenticated: fixed headers, or an access token that expires.

request ──▶ headers of the account ──▶ request          (HeaderAuth)
request ──▶ a token that is still good, or a new one ──▶ request          (ExpiringToken)
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping

import httpx
import msgspec

from lead_pipeline.errors import AccessRefused, MalformedPage, RetryableError
from lead_pipeline.providers.fields import decode_envelope

RENEW_SECONDS = 30.0
"""A token that expires within so many seconds is renewed before it is used."""


class HeaderAuth(httpx.Auth):
    """The same headers on every request."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the headers."""
        request.headers.update(self._headers)
        yield request


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float | None = None


_token_decoder = msgspec.json.Decoder(_Token)


class ExpiringToken(httpx.Auth):
    """A bearer token got from the provider, renewed before it expires or when it is refused.

    `url` and `form` are those of the token request (OAuth 2.0, RFC 6749 section 4.4 or 6): a POST
    of the form, answered by `access_token` and `expires_in` (seconds).
    """

    def __init__(self, url: str, form: Mapping[str, str]) -> None:
        self._url = url
        self._form = dict(form)
        self._token = ""
        self._good_until = 0.0

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request with a good token; once more with a new one where it is refused.

        Raises `AccessRefused` where no token is given, `RetryableError` where that may pass.
        """
        if time.monotonic() >= self._good_until:
            yield from self._renew()
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code == 401:
            # Revoked before its time, or its time was not told.
            yield from self._renew()
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _renew(self) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield httpx.Request("POST", self._url, data=self._form)
        body = response.read()
        if response.status_code in (408, 429) or response.status_code >= 500:
            raise RetryableError(f"{response.status_code} from the token request")
        if response.status_code != 200:
            raise AccessRefused(
                f"POST {self._url} gave no access token ({response.status_code}): the credentials "
                "of the account are wrong or revoked. Set new ones."
            )
        try:
            token = decode_envelope(body, _token_decoder)
        except MalformedPage as error:
            raise RetryableError(f"an answer to the token request that is none: {error}") from None
        self._token = token.access_token
        lifetime = token.expires_in if token.expires_in is not None else float("inf")
        self._good_until = time.monotonic() + max(0.0, lifetime - RENEW_SECONDS)
