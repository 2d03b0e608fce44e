"""The bill of materials that each wheel carries: complete, current, and valid by its schema."""

from __future__ import annotations

import json
import platform
import sys
import tomllib
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement

from supply_chain.write_sbom import CONSTRAINTS, PROJECT, SBOM, sbom

RESOLVED_HERE = sys.version_info[:2] == (3, 11) and platform.system() == "Linux"


def test_committed_bill_is_what_this_environment_needs() -> None:
    if not RESOLVED_HERE:
        pytest.skip("the bill is resolved for Python 3.11 on Linux")
    assert SBOM.read_text("utf-8") == sbom(), "run make sbom"


def test_bill_is_valid_by_its_schema() -> None:
    errors = JsonStrictValidator(SchemaVersion.V1_6).validate_str(SBOM.read_text("utf-8"))
    assert errors is None


def test_bill_with_an_unknown_field_is_not_valid() -> None:
    bill = json.loads(SBOM.read_text("utf-8")) | {"unknown": 1}
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is not None


def test_bill_names_every_direct_dependency_at_its_pinned_version() -> None:
    bill = json.loads(SBOM.read_text("utf-8"))
    named = {component["name"]: component["version"] for component in bill["components"]}
    direct = [
        Requirement(line).name.lower()
        for line in tomllib.loads(PROJECT.read_text("utf-8"))["project"]["dependencies"]
    ]
    pins = dict(line.lower().split("==") for line in CONSTRAINTS.read_text("utf-8").splitlines())
    assert {name: named.get(name) for name in direct} == {name: pins[name] for name in direct}
    [ours] = (entry for entry in bill["dependencies"] if entry["ref"] == "lead-pipeline")
    assert set(ours["dependsOn"]) == set(direct)


def test_bill_names_no_host_but_that_of_its_schema() -> None:
    text = SBOM.read_text("utf-8")
    assert text.count("://") == text.count("http://cyclonedx.org/schema/") == 1


def test_package_at_another_version_than_the_pinned_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = tmp_path / "constraints.txt"
    lines = CONSTRAINTS.read_text("utf-8").splitlines()
    changed.write_text("\n".join("msgspec==0.0.1" if "msgspec==" in x else x for x in lines))
    monkeypatch.setattr("supply_chain.write_sbom.CONSTRAINTS", changed)
    with pytest.raises(ValueError, match=r"msgspec .* is installed, and constraints.txt says 0\.0"):
        sbom()
