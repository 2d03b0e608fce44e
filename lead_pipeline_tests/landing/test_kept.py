"""What has landed stays as it is, byte by byte, whatever is pulled later."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lead_pipeline.sandbox import Sandbox
from lead_pipeline.settings import Settings
from lead_pipeline_tests.pulling import (
    MAKE_LEAD,
    SLUGS,
    account_of,
    at,
    days,
    pull_all,
    put_leads,
    server_of,
)


def landed_files(landing: Path) -> dict[str, str]:
    """The digest of each landed file and each finished commit record, by path."""
    files = [*landing.rglob("*.parquet"), *landing.rglob("_crawls/*.json")]
    assert files
    return {
        path.relative_to(landing).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.mark.parametrize("slug", SLUGS)
def test_no_later_pull_changes_or_removes_what_has_landed(
    slug: str, sandbox: Sandbox, settings: Settings
) -> None:
    account = account_of(sandbox, slug)
    put_leads(sandbox, slug, 8, at(2, 9))
    pull_all(settings, account, days(1, 3))
    before = landed_files(settings.landing_path)
    store = server_of(sandbox, slug).store
    # Others at the same times, a change, and three that are gone.
    store.put_all(MAKE_LEAD[slug](number, at(2, 9, 0, number)) for number in range(8, 11))
    store.put(MAKE_LEAD[slug](0, at(2, 9), at(3, 9)))
    changed = MAKE_LEAD[slug](0, at(2))["id"]
    for lead_id in [record["id"] for record in store if record["id"] != changed][:3]:
        store.delete(lead_id)
    for is_full in (False, False, True):
        pull_all(settings, account, days(1, 3), full=is_full)
    after = landed_files(settings.landing_path)
    assert len(after) > len(before)
    assert {path: after.get(path) for path in before} == before
