"""A sandbox with a fortnight behind it, and a client for each of its APIs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline_tests.sandbox.clients import client_of


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Lived in until 2026-01-15 and without limits. Only for tests that change nothing."""
    with Sandbox(World(), limits=False) as running:
        running.set_clock(datetime(2026, 1, 15, tzinfo=UTC))
        yield running


@pytest.fixture
def empty() -> Iterator[Sandbox]:
    """Without any lead, with limits: for tests that put their own."""
    with Sandbox(World.empty()) as running:
        yield running


@pytest.fixture
def mega(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with client_of(sandbox, "mega") as client:
        yield client


@pytest.fixture
def expert_ai_labs(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with client_of(sandbox, "expert_ai_labs") as client:
        yield client


@pytest.fixture
def vorel(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with client_of(sandbox, "vorel") as client:
        yield client
