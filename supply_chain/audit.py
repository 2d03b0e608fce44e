"""What `make audit` says of the packages that we ship and build with, a line per question.

    constraints.txt ──pip-audit──▶ known vulnerabilities?
    bill of materials ──pip-licenses──▶ licences that the policy in pyproject.toml allows?
    imports ──deptry──▶ packages that are unused, or used and not declared?

Belongs here: asking the tools, and telling what they could not find out from what they found.
Does not belong here: what follows from it. A package that no service has answered for is "not
evaluated", and never without vulnerabilities.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


class Outcome(IntEnum):
    """What a check came to. The audit exits with FOUND before NOT_EVALUATED before FINE."""

    FINE = 0
    FOUND = 1
    NOT_EVALUATED = 3


@dataclass(frozen=True)
class Answer:
    """What one check says."""

    question: str
    outcome: Outcome
    text: str

    def __str__(self) -> str:
        state = {Outcome.NOT_EVALUATED: "not evaluated: ", Outcome.FOUND: "FOUND: "}
        return f"{self.question}: {state.get(self.outcome, '')}{self.text}"


def vulnerabilities(report: bytes, errors: str) -> Answer:
    """What pip-audit's JSON says; `errors` is what it said where it wrote none."""
    try:
        packages = msgspec.json.decode(report)["dependencies"]
    except (msgspec.DecodeError, KeyError):
        said = (errors.strip().splitlines() or ["pip-audit wrote no report"])[-1]
        return Answer("known vulnerabilities", Outcome.NOT_EVALUATED, said)
    found = [
        f"{package['name']} {package['version']}: {flaw['id']}"
        f" ({'fixed in ' + ', '.join(flaw['fix_versions']) if flaw['fix_versions'] else 'no fix'})"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    skipped = [package for package in packages if "skip_reason" in package]
    unanswered = f"{len(skipped)} of {len(packages)} packages; " + (
        f"of {skipped[0]['name']}: {skipped[0]['skip_reason']}" if skipped else ""
    )
    if found:
        more = f"; not evaluated: {unanswered}" if skipped else ""
        return Answer("known vulnerabilities", Outcome.FOUND, "; ".join(found) + more)
    if skipped or not packages:
        return Answer("known vulnerabilities", Outcome.NOT_EVALUATED, unanswered)
    return Answer("known vulnerabilities", Outcome.FINE, f"none in {len(packages)} packages")


def licences(packages: Sequence[dict[str, str]], policy: dict[str, Any]) -> Answer:
    """Whether each package's licence is one that the policy allows, or the package an exception."""
    allowed, exceptions = set(policy["allowed"]), policy.get("exceptions", {})
    refused = sorted(
        {
            f"{package['Name']} ({package['License']})"
            for package in packages
            if package["Name"].lower() not in exceptions
            and not is_allowed(package["License"], allowed)
        }
    )
    if refused:
        return Answer("licences", Outcome.FOUND, "not allowed: " + "; ".join(refused))
    if not packages:
        return Answer("licences", Outcome.NOT_EVALUATED, "no package was looked at")
    return Answer("licences", Outcome.FINE, f"all allowed in {len(packages)} packages")


def is_allowed(licence: str, allowed: set[str]) -> bool:
    """Whether one of the choices (OR) is allowed in all of its parts (AND; several classifiers).

    An expression with brackets is not taken apart: it is refused, and becomes an exception.
    """
    return any(
        all(part.strip() in allowed for part in re.split(r" AND |; ", choice))
        for choice in licence.split(" OR ")
    )


def _ask_for_vulnerabilities(service: str | None) -> Answer:
    pinned = [str(BIN / "pip-audit"), "--requirement", str(ROOT / "constraints.txt")]
    ours = ["--no-deps", "--disable-pip", "--format=json", "--progress-spinner=off"]
    chosen = ["--vulnerability-service=osv", f"--osv-url={service}"] if service else []
    ran = _run([*pinned, *ours, *chosen])
    return vulnerabilities(ran.stdout, ran.stderr.decode(errors="replace"))


def _ask_for_licences() -> Answer:
    bill = msgspec.json.decode((ROOT / "supply_chain" / "lead_pipeline.cdx.json").read_bytes())
    shipped = [component["name"] for component in bill["components"]]
    policy = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["licences"]
    asked = ["--from=mixed", "--format=json", "--with-system", "--packages", *shipped]
    ran = _run([str(BIN / "pip-licenses"), f"--python={sys.executable}", *asked])
    try:
        packages = msgspec.json.decode(ran.stdout)
    except msgspec.DecodeError:
        said = (ran.stderr.decode(errors="replace").strip().splitlines() or ["no answer"])[-1]
        return Answer("licences", Outcome.NOT_EVALUATED, said)
    seen = {re.sub(r"[-_.]+", "-", package["Name"]).lower() for package in packages}
    missing = sorted(set(shipped) - seen)
    if missing:
        return Answer("licences", Outcome.NOT_EVALUATED, "not installed: " + ", ".join(missing))
    return licences(packages, policy)


def _ask_for_dependencies() -> Answer:
    ran = _run([str(BIN / "deptry"), "--no-ansi", "."])
    said = [line for line in ran.stderr.decode(errors="replace").splitlines() if " DEP" in line]
    if said:
        return Answer("dependencies", Outcome.FOUND, "; ".join(said))
    if ran.returncode != 0:
        text = ran.stderr.decode(errors="replace").strip() or "deptry failed"
        return Answer("dependencies", Outcome.NOT_EVALUATED, text.splitlines()[-1])
    return Answer("dependencies", Outcome.FINE, "all declared, all used")


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False)  # noqa: S603


def main() -> int:
    """Ask everything, print the answers, return the exit status."""
    parser = argparse.ArgumentParser(prog="audit", description=__doc__.partition("\n")[0])
    parser.add_argument("--service", help="the address of another service of OSV's kind")
    parser.add_argument("--offline", action="store_true", help="do not ask for vulnerabilities")
    wanted = parser.parse_args()
    checks: list[Callable[[], Answer]] = [_ask_for_licences, _ask_for_dependencies]
    if not wanted.offline:
        checks.insert(0, lambda: _ask_for_vulnerabilities(wanted.service))
    answers = [check() for check in checks]
    sys.stdout.writelines(f"{answer}\n" for answer in answers)
    outcomes = {answer.outcome for answer in answers}
    worst = (Outcome.FOUND, Outcome.NOT_EVALUATED, Outcome.FINE)
    return next(int(outcome) for outcome in worst if outcome in outcomes)


if __name__ == "__main__":
    sys.exit(main())
