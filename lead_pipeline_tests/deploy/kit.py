"""The files of `deploy/`, read as their programs read them.

Here: reading them. Not here: what they promise (the tests beside this module).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    """`compose.yaml`, or another one."""
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text("utf-8"))
    return loaded


def command_of(service: str) -> list[str]:
    """What the container of a service of `compose.yaml` runs."""
    return [str(part) for part in compose()["services"][service]["command"]]


@dataclass(frozen=True)
class Instruction:
    """A line of the Dockerfile, continued lines joined."""

    name: str
    arguments: str


def instructions() -> list[Instruction]:
    """The lines of the Dockerfile that are no comments."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", lines)
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def executed(instruction: Instruction) -> list[str]:
    """The command of a CMD or HEALTHCHECK."""
    found: list[str] = json.loads(instruction.arguments[instruction.arguments.index("[") :])
    return found


def directives(unit: Path) -> Iterator[tuple[str, str]]:
    """Names and values of a unit file, in its order; a name may come several times."""
    for line in unit.read_text("utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield name, value


def started_by(unit: Path) -> list[list[str]]:
    """The commands that a service of systemd starts, in their order."""
    names = ("ExecStartPre", "ExecStart")
    return [shlex.split(value) for name, value in directives(unit) if name in names]
