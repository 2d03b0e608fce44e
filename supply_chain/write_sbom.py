"""Write the software bill of materials that each wheel carries: `lead_pipeline.cdx.json`.

    what is installed for lead-pipeline, at the versions of constraints.txt ──▶ CycloneDX, sorted

Belongs here: what the wheel needs to run, directly or not. Does not belong here: tools of
development, extras, and what another machine has installed; `backend` puts the file into the wheel.
"""

from __future__ import annotations

import platform
import sys
import tomllib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import Distribution, distribution
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
SBOM = HERE / "lead_pipeline.cdx.json"
PROJECT = HERE.parent / "pyproject.toml"
CONSTRAINTS = HERE.parent / "constraints.txt"


def sbom() -> str:
    """The bill as JSON, the same for the same `pyproject.toml`, `constraints.txt` and platform.

    Raises `ValueError` naming what is installed at another version than `constraints.txt` says.
    """
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    root = Component(
        name=project["name"],
        version=project["version"],
        type=ComponentType.APPLICATION,
        bom_ref=project["name"],
        licenses=[LicenseFactory().make_from_string(project["license"])],
    )
    wanted = [Requirement(line) for line in project["dependencies"]]
    found, needs = _all_needed(wanted, dict(_pins(CONSTRAINTS.read_text("utf-8"))))
    return _written(root, found, {root.name: _names(wanted), **needs})


def _all_needed(
    wanted: list[Requirement], pinned: dict[str, str]
) -> tuple[dict[str, Component], dict[str, set[str]]]:
    """Every package that is needed, directly or not, and the names of what each needs itself."""
    found: dict[str, Component] = {}
    needs: dict[str, set[str]] = {}
    done: set[tuple[str, frozenset[str]]] = set()
    waiting = list(wanted)
    while waiting:
        one = waiting.pop()
        name, extras = canonicalize_name(one.name), frozenset(one.extras)
        if (name, extras) in done:
            continue
        done.add((name, extras))
        installed = distribution(name)
        if pinned.get(name) != installed.version:
            raise ValueError(
                f"{name} {installed.version} is installed, and constraints.txt says "
                f"{pinned.get(name, 'nothing')}. Run make setup, or add it to constraints.txt."
            )
        further = list(_needed(installed, extras))
        needs.setdefault(name, set()).update(_names(further))
        found[name] = _component(name, installed)
        waiting += further
    return found, needs


def _names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def _pins(constraints: str) -> Iterator[tuple[str, str]]:
    for line in constraints.splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            [pin] = requirement.specifier
            yield canonicalize_name(requirement.name), pin.version


def _needed(installed: Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    """What a package needs on this platform, with these of its extras."""
    for line in installed.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras | {""}
        ):
            yield requirement


def _component(name: str, installed: Distribution) -> Component:
    expression = "".join(installed.metadata.get_all("License-Expression") or ())
    return Component(
        name=name,
        version=installed.version,
        type=ComponentType.LIBRARY,
        bom_ref=name,
        purl=PackageURL("pypi", name=name, version=installed.version),
        # Only what a package states in the standard form; make audit reads the rest.
        licenses=[LicenseFactory().make_from_string(expression)] if expression else (),
    )


def _written(root: Component, found: dict[str, Component], needs: dict[str, set[str]]) -> str:
    bom = Bom(components=found.values())
    bom.metadata.component = root
    # Other platforms and Pythons need a few other packages.
    resolved_on = f"Python {'.'.join(platform.python_version_tuple()[:2])}, {platform.system()}"
    bom.metadata.properties.add(Property(name="lead_pipeline:resolved_on", value=resolved_on))
    for name, targets in needs.items():
        bom.register_dependency(
            found.get(name, root), [found[target] for target in sorted(targets)]
        )
    contents = f"{root.version} " + " ".join(f"{c.name}=={c.version}" for c in found.values())
    # Time and number follow from the contents: the same contents are the same file.
    bom.metadata.timestamp = datetime(1980, 1, 1, tzinfo=UTC)
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_OID, " ".join(sorted(contents.split())))
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


if __name__ == "__main__":
    try:
        SBOM.write_text(sbom(), "utf-8")
    except ValueError as error:
        sys.exit(f"make sbom: {error}")
