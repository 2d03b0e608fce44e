"""The users' own models, seeds, macros and tests: what lies in their folder, read once.

    <home>/dbt/{models,seeds,macros,tests}, vars.yml or dbt_project.yml ──▶ OwnModels

Belongs here: which files count, and what cannot. Does not belong here: what is made of them
(`lead_pipeline.bi.merged_project`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from lead_pipeline.bi.dbt_project import PLACES, DbtProject, digest_of
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.settings import Settings

VARIABLES = ("dbt_project.yml", "vars.yml")
"""Files with a line `vars:`; what the last one says counts."""

SUFFIXES = frozenset({".sql", ".py", ".yml", ".yaml", ".csv", ".md"})
"""Of files that dbt reads; what editors leave beside them has others."""

_NOT_READ = {
    "packages.yml": "copy the macros that you need into macros",
    "dependencies.yml": "copy the macros that you need into macros",
    "snapshots": "the history of leads is in stage_visits and lead_changes",
    "analyses": "keep it elsewhere",
}
"""Parts of a dbt project that would have no effect, and what to do in their place."""

_HARMLESS = re.compile(
    r"name|version|config-version|profile|require-dbt-version|clean-targets|.*-paths?|vars"
)
"""Keys of `dbt_project.yml` that say nothing of models: dbt itself asks for most of them."""


@dataclass(frozen=True)
class OwnModels:
    """The files of the users' folder, as they were at one moment."""

    home: Path
    folder: Path
    files: Mapping[PurePosixPath, bytes]
    """By the path below the folder, in order."""

    def of_kind(self, kind: str) -> Iterator[tuple[PurePosixPath, bytes]]:
        """The files of `models`, `seeds`, `macros` or `tests`, by the path below that."""
        for path, content in self.files.items():
            if path.parts[0] == kind:
                yield path.relative_to(kind), content

    def variables(self) -> dict[str, Any]:
        """The variables that count in place of ours. Raises `ConfigurationError`."""
        found: dict[str, Any] = {}
        for name in VARIABLES:
            content = self.files.get(PurePosixPath(name))
            if content is not None:
                found |= _variables_in(self.folder / name, content)
        return found


def _variables_in(path: Path, content: bytes) -> dict[str, Any]:
    try:
        read = yaml.safe_load(content) or {}
        if path.name == "vars.yml":
            return dict(read["vars"] or {})
        if configured := [key for key in read if not _HARMLESS.fullmatch(key)]:
            raise ConfigurationError(
                f"{', '.join(configured)} in {path} has no effect there: configuration stands in the models "
                "and in the YAML beside them. Move it there."
            )
        return dict(read.get("vars") or {})
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {_cause(error)}. It begins with the line "
            "vars: and has one variable on each line below, as stale_after_days: 30."
        ) from None


def state_of(own: OwnModels, project: DbtProject) -> str:
    """Changes with every file of users, with every file of the project, and with how they are merged."""
    digest = hashlib.sha256(f"{digest_of(project)}\n{own.folder}\n".encode())
    digest.update(Path(__file__).with_name("merged_project.py").read_bytes())
    for path, content in own.files.items():
        digest.update(f"{path} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def read_own_models(settings: Settings) -> OwnModels | None:
    """What users have in their folder; None where they have nothing.

    Raises `ConfigurationError` that names what cannot be read, or would have no effect.
    """
    folder = settings.own_models_path
    if not folder.is_dir():
        if settings.own_models is not None:
            raise ConfigurationError(
                f"LEAD_PIPELINE_OWN_MODELS names {folder}, and there is no such folder. Correct it, or "
                "unset it to go without models of your own."
            )
        return None
    for name, remedy in _NOT_READ.items():
        if (folder / name).exists():
            raise ConfigurationError(
                f"{folder / name} has no effect there: {remedy}, and move it away."
            )
    try:
        files = {
            PurePosixPath(path.relative_to(folder).as_posix()): path.read_bytes()
            for path in _paths(folder)
        }
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename} cannot be read ({error.strerror}). Correct its permissions."
        ) from None
    return OwnModels(settings.home, folder, files) if files else None


def _paths(folder: Path) -> Iterator[Path]:
    for name in VARIABLES:
        if (folder / name).is_file():
            yield folder / name
    for kind in PLACES:
        for path in sorted((folder / kind).rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if path.suffix in SUFFIXES and not hidden and path.is_file():
                yield path


def _cause(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return "it has no line vars:" if mark is None else f"line {mark.line + 1} is no YAML"
