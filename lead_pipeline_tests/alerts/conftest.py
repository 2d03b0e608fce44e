"""Fixtures of the tests of alerts: servers that take them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lead_pipeline_tests.alerts.servers import MailServer, WebServer, mail_server, web_server


@pytest.fixture
def web() -> Iterator[WebServer]:
    """Where alerts are posted, and the heartbeat goes."""
    with web_server() as running:
        yield running


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """The server that takes e-mails."""
    with mail_server() as running:
        yield running
