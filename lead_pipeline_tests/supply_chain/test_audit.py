"""The audit: what a tool could not find out is never told as found to be well."""

from __future__ import annotations

import json
import tomllib

import pytest

from supply_chain.audit import Outcome, is_allowed, licences, vulnerabilities
from supply_chain.write_sbom import PROJECT

SOUND = {"name": "sound", "version": "1.0", "vulns": []}
FLAWED = {
    "name": "flawed",
    "version": "2.0",
    "vulns": [{"id": "CVE-2026-1", "fix_versions": ["2.1"], "aliases": [], "description": "x"}],
}
SKIPPED = {"name": "unknown", "skip_reason": "Dependency not found and could not be audited"}


def report(*packages: object) -> bytes:
    """A report as pip-audit writes it."""
    return json.dumps({"dependencies": packages, "fixes": []}).encode()


def test_packages_that_a_service_answered_for_have_no_known_vulnerability() -> None:
    answer = vulnerabilities(report(SOUND), "")
    assert answer.outcome is Outcome.FINE
    assert str(answer) == "known vulnerabilities: none in 1 packages"


def test_vulnerability_is_named_with_its_package_and_what_fixes_it() -> None:
    answer = vulnerabilities(report(SOUND, FLAWED), "")
    assert answer.outcome is Outcome.FOUND
    assert "flawed 2.0: CVE-2026-1 (fixed in 2.1)" in str(answer)


@pytest.mark.parametrize(
    ("written", "errors", "says"),
    [
        # pip-audit itself says "No known vulnerabilities found" of these, with exit status 0.
        pytest.param(report(SOUND, SKIPPED), "", "1 of 2 packages", id="one unknown"),
        pytest.param(report(SKIPPED), "", "of unknown: Dependency not found", id="all unknown"),
        pytest.param(report(), "", "0 of 0 packages", id="nothing asked"),
        pytest.param(b"", "ERROR: could not connect", "could not connect", id="unreachable"),
        pytest.param(b"{}", "", "wrote no report", id="another format"),
    ],
)
def test_what_no_service_answered_for_is_not_evaluated(
    written: bytes, errors: str, says: str
) -> None:
    answer = vulnerabilities(written, errors)
    assert answer.outcome is Outcome.NOT_EVALUATED
    assert str(answer).startswith("known vulnerabilities: not evaluated: ")
    assert says in str(answer)


def test_vulnerability_counts_although_others_were_not_evaluated() -> None:
    answer = vulnerabilities(report(FLAWED, SKIPPED), "")
    assert answer.outcome is Outcome.FOUND
    assert "not evaluated: 1 of 2 packages" in str(answer)


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("MIT OR Proprietary", True),
        ("MIT AND Proprietary", False),
        # Classifiers do not say whether one chooses among them.
        ("MIT; Proprietary", False),
        ("BSD; MIT", True),
        ("(MIT)", False),
        ("UNKNOWN", False),
        ("", False),
    ],
)
def test_licence_is_allowed_when_a_choice_is_in_all_of_its_parts(
    licence: str, allowed: bool
) -> None:
    assert is_allowed(licence, {"MIT", "BSD"}) is allowed


def test_licence_that_the_policy_does_not_allow_is_named_with_its_package() -> None:
    policy = tomllib.loads(PROJECT.read_text("utf-8"))["tool"]["licences"]
    packages = [
        {"Name": "good", "License": "MIT"},
        {"Name": "text-unidecode", "License": "GNU General Public License (GPL)"},
        {"Name": "bad", "License": "GPL-3.0-only"},
    ]
    answer = licences(packages, policy)
    assert answer.outcome is Outcome.FOUND
    assert str(answer) == "licences: FOUND: not allowed: bad (GPL-3.0-only)"
    assert licences(packages[:2], policy).outcome is Outcome.FINE
    assert licences([], policy).outcome is Outcome.NOT_EVALUATED
