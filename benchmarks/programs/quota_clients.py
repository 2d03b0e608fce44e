"""Our client against limits of every kind, in real time: as fast as pages are answered.

    python -m benchmarks.programs.quota_clients SCALE SECONDS ORIGIN …

One thread a kind of `benchmarks.limiters`, each with a client and a quota of its own. `SCALE` divides
all periods, those documented too. The last line tells how many requests each has sent.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import msgspec

from benchmarks.limiters import KINDS, Kind, scaled
from lead_pipeline.errors import LeadPipelineError
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account, Provider, Request
from lead_pipeline.providers.http import ApiClient
from lead_pipeline.providers.quota import Pause, Quota

MINUTE = 60.0
CREDENTIALS = ("token", "customer_id", "api_key")


class _Nobody:
    """Hears of waits and retries, and says nothing."""

    def waiting(self, pause: Pause) -> None:
        """A wait begins."""

    def retrying(self, reason: str, seconds: float) -> None:
        """A request is sent again."""


def _provider(kind: Kind, scale: float) -> Provider:
    """The provider, whose documented periods are as short as the server's."""
    of_kind = type(PROVIDERS[kind.provider])
    scaled_limits = {"documented_limits": scaled(kind.documented, scale)}
    made: Provider = type(of_kind.__name__, (of_kind,), scaled_limits)()
    return made


def _client(kind: Kind, origin: str, scale: float) -> ApiClient:
    account = Account(kind.provider, kind.provider, origin, dict.fromkeys(CREDENTIALS, "none"))
    return ApiClient(_provider(kind, scale), account, Quota(), _Nobody())


def _ask(kind: Kind, client: ApiClient, scale: float, begin: float, seconds: float) -> int:
    """Ask for pages for so long, from that moment (of the monotonic clock) on; how many requests it took."""
    documented, request = scaled(kind.documented, scale), Request("/api/leads")
    time.sleep(max(0.0, begin - time.monotonic()))
    until = time.monotonic() + seconds
    with client:
        while True:
            pause = client.quota.pause(time.time(), documented)
            if time.monotonic() + (0.0 if pause is None else pause.seconds) >= until:
                return client.counters.requests
            try:
                client.fetch(request, lambda body: body)
            except LeadPipelineError as error:
                print(f"{kind.name}: {error}", file=sys.stderr)
                return client.counters.requests


def main() -> None:
    """Ask all servers at once, and tell."""
    factor, seconds, *origins = sys.argv[1:]
    scale = float(factor)
    # Here, since what the first client reads from disk would be read by each thread.
    clients = [_client(*one, scale) for one in zip(KINDS, origins, strict=True)]
    # One after another, so that those that got a whole window at once do not ask at the same time.
    apart, began = MINUTE / scale / len(KINDS), time.monotonic()
    with ThreadPoolExecutor(len(KINDS)) as threads:
        asked = [
            threads.submit(_ask, kind, client, scale, began + number * apart, float(seconds))
            for number, (kind, client) in enumerate(zip(KINDS, clients, strict=True))
        ]
        print(msgspec.json.encode({"requests": [one.result() for one in asked]}).decode())


if __name__ == "__main__":
    main()
