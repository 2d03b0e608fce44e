"""The API of each provider as tests of every provider see it, whatever it looks like inside.

`IMITATIONS` starts one by the slug of its provider. A new provider joins the tests that run over
every provider with one more line there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol

from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import ApiServer, RecordedRequest, Sandbox, World
from lead_pipeline_tests.fourth_provider.imitation import DealsImitation
from lead_pipeline_tests.pulling import (
    MAKE_LEAD,
    PAGE_SIZES,
    SLUGS,
    account_of,
    server_of,
    stored_states,
)

LIST_PATHS = {
    "mega": "/api/agents/crm/leads",
    "expert_ai_labs": "/api/v1/leads",
    "vorel": "/api/v1/leads",
}


class Imitation(Protocol):
    """A running imitation of one provider's API, without any lead at first."""

    @property
    def slug(self) -> str:
        """The provider's slug."""

    @property
    def account(self) -> Account:
        """An account with the credentials that the API takes."""

    @property
    def server(self) -> ApiServer[Any]:
        """The server."""

    @property
    def page_size(self) -> int:
        """The largest page that the API documents, in records."""

    def put(self, number: int, moment: datetime) -> str:
        """Put one lead created and updated at `moment`; returns its id."""

    def put_many(self, count: int, moment: datetime, first: int = 0) -> None:
        """Put leads numbered from `first` on, created a second apart from `moment` on."""

    def change(self, lead_id: str, moment: datetime) -> None:
        """Change a lead at `moment`, as the provider would."""

    def states(self) -> dict[str, datetime]:
        """The time of the last update of each lead that the API holds."""

    def asked(self) -> list[RecordedRequest]:
        """The requests for pages of the list of leads."""

    def asked_page_sizes(self) -> list[int]:
        """How many records each of these requests asked for."""


class SandboxImitation:
    """One of the three APIs of the sandbox."""

    def __init__(self, sandbox: Sandbox, slug: str) -> None:
        self._sandbox = sandbox
        self.slug = slug
        self.account = account_of(sandbox, slug)
        self.server = server_of(sandbox, slug)
        self.page_size = PAGE_SIZES[slug]

    def put(self, number: int, moment: datetime) -> str:
        lead = MAKE_LEAD[self.slug](number, moment)
        self.server.store.put(lead)
        return str(lead["id"])

    def put_many(self, count: int, moment: datetime, first: int = 0) -> None:
        self.server.store.put_all(
            MAKE_LEAD[self.slug](number, moment + timedelta(seconds=number))
            for number in range(first, first + count)
        )

    def change(self, lead_id: str, moment: datetime) -> None:
        if self.slug == "expert_ai_labs":
            # With an event in the audit log.
            self._sandbox.expert_ai_labs.store.update(lead_id, {"lead_score": 77}, moment)
            return
        text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.server.store.put({**self.server.store.get(lead_id), "updated_at": text})

    def states(self) -> dict[str, datetime]:
        return stored_states(self._sandbox, self.slug)

    def asked(self) -> list[RecordedRequest]:
        return [
            request
            for request in self.server.requests
            if request.path == LIST_PATHS[self.slug] and "stale_for_days" not in request.query
        ]

    def asked_page_sizes(self) -> list[int]:
        return [int(request.query["limit"]) for request in self.asked()]


def _of_sandbox(slug: str) -> Callable[[], AbstractContextManager[Imitation]]:
    @contextmanager
    def start() -> Iterator[Imitation]:
        with Sandbox(World.empty(), limits=False) as sandbox:
            yield SandboxImitation(sandbox, slug)

    return start


IMITATIONS: Mapping[str, Callable[[], AbstractContextManager[Imitation]]] = {
    **{slug: _of_sandbox(slug) for slug in SLUGS},
    "deals": DealsImitation.start,
}
