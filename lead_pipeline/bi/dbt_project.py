"""A dbt project, its command line and its manifest: ours, or ours with the users' own models.

Belongs here: what counts for both. Does not belong here: how the second is made of the first
(`lead_pipeline.bi.merged_project`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from lead_pipeline.accounts import account_variables
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.settings import (
    DBT_PROJECT_DIR,
    environment_variables,
    is_secret,
    setting_variables,
)
from lead_pipeline.storage.locks import held

PROJECT_DIR = DBT_PROJECT_DIR
TARGET_DIR = (
    PROJECT_DIR / "target"
    if os.access(PROJECT_DIR, os.W_OK)
    # Installed for everybody, by somebody else.
    else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lead_pipeline"
) / "pipeline"
"""The pipeline's own artifacts; people's dbt writes beside them, at any time."""

SOURCE_FILES = (
    "dbt_project.yml",
    "profiles.yml",
    "models/**/*",
    "seeds/**/*",
    "macros/**/*",
    "tests/**/*",
)

RESULTS = "run_results.json"
"""What dbt calls its artifact about the nodes that it has run."""

MANIFEST = "manifest.json"
"""What dbt calls its artifact about the project."""

CANDIDATE_TARGET = ("--target", "candidate")

CANDIDATE_VARIABLE = "LEAD_PIPELINE_CANDIDATE"
"""Names the file that dbt builds in; read by `profiles.yml`."""

READ_BY_MODELS = ("LEAD_PIPELINE_VALUE_FIELD", "LEAD_PIPELINE_LOSS_REASON_FIELD")
"""Settings that models read by `env_var`, each time that they are built."""
PLACES = {
    "models": "models/own",
    "seeds": "seeds/own",
    "macros": "macros/own",
    # dbt looks for generic tests in no other folder than the first of a place of tests.
    "tests": "own_tests",
}
"""Where the folders of users lie in a merged project."""


@dataclass(frozen=True)
class DbtProject:
    """A dbt project, and where what dbt makes of it is kept."""

    folder: Path
    target: Path
    """The pipeline's own artifacts; people's dbt writes elsewhere, at any time."""
    own: Path | None = None
    """The users' folder that is part of it; None: it is ours alone."""

    def source_of(self, path: str) -> Path:
        """The file that somebody edits, of a `path` as dbt names it in this project."""
        if self.own is not None:
            for kind, place in PLACES.items():
                if Path(path).is_relative_to(place):
                    return self.own / kind / Path(path).relative_to(place)
        return self.folder / path

    def is_own(self, path: str) -> bool:
        """Whether a `path` as dbt names it is a file of the users."""
        return self.source_of(path) != self.folder / path

    def told(self, message: str) -> str:
        """What dbt says, with the users' files named as they know them."""
        if self.own is None:
            return message
        for kind, place in PLACES.items():
            message = re.sub(rf"(?<![\w/]){place}/", f"{self.own / kind}/", message)
        # Of a YAML file that cannot be read, dbt names the path below the folder of its kind.
        for path in set(re.findall(r"(?<=: own/)\S+", message)):
            for kind in PLACES:
                if (self.own / kind / path).exists():
                    message = message.replace(f": own/{path}", f": {self.own / kind / path}")
        return message


def ours() -> DbtProject:
    """The project that this package carries."""
    return DbtProject(PROJECT_DIR, TARGET_DIR)


_SECRET = re.compile(
    r"TOKEN|SECRET|PASSW|CREDENTIAL|WEBHOOK|HEARTBEAT|SMTP|DATABASE|BROKER|DSN(_|$)|(^|_)KEY(_|$)|APIKEY"
    r"|KEY_ID|PRIVATE|_PWD$|CONNECTION_STRING|(_|^)PAT$"
)
"""What names of variables have that hold secrets, ours and those of other programs."""


def dbt_folder(candidate: Path) -> Path:
    """Where dbt's artifacts and logs of builds in `candidate` lie."""
    return candidate.parent / "dbt"


def dbt_command(*arguments: str) -> list[str]:
    """dbt of this Python, so that it is found although no environment is activated."""
    executable = Path(sys.executable).with_name("dbt")
    return [
        str(executable) if executable.exists() else "dbt",
        *arguments,
        *CANDIDATE_TARGET,
    ]


def dbt_environment(
    target_path: Path, candidate: Path | None = None, project: DbtProject | None = None
) -> dict[str, str]:
    """Environment for dbt in `project` (ours): artifacts and logs go to `target_path`.

    The shell may hold dbt's variables of another project: `DBT_EMPTY` would publish tables without
    rows. Those of one's own models (`DBT_ENV_…`, dbt's prefix for them) stay. Secrets do not: dbt
    runs the code of models and packages, and has no use for them. What models read of our settings
    (`READ_BY_MODELS`) is there, also from `.env`.
    """
    withheld = {CANDIDATE_VARIABLE, *_secrets()}
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("DBT_ENV_")
        or (name not in withheld and not name.startswith("DBT_") and not _SECRET.search(name))
    }
    given = environment_variables()
    environment |= {name: given[name] for name in READ_BY_MODELS if name in given}
    if candidate is not None:
        environment[CANDIDATE_VARIABLE] = str(candidate)
    folder = str((project or ours()).folder)
    return environment | {
        "DBT_PROJECT_DIR": folder,
        "DBT_PROFILES_DIR": folder,
        "DBT_TARGET_PATH": str(target_path),
        "DBT_LOG_PATH": str(target_path),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "PYTHONUNBUFFERED": "1",
    }


def _secrets() -> set[str]:
    """The variables that hold our secrets and keys of accounts, whatever they are called."""
    ours = {variable for name, variable in setting_variables().items() if is_secret(name)}
    file = environment_variables().get(setting_variables()["accounts"])
    return ours | set(account_variables(Path(file).expanduser() if file else None))


def load_manifest(project: DbtProject | None = None) -> dict[str, Any]:
    """What dbt knows of the project (ours); parsed (some seconds) only when a source has changed.

    Several processes may ask at once: one parses, the others wait for it. Raises
    `ConfigurationError` when the project is missing or dbt cannot parse it.
    """
    project = project or ours()
    keep_parsed(project)
    manifest: dict[str, Any] = json.loads(project.target.joinpath(MANIFEST).read_bytes())
    return manifest


def parsed_project(project: DbtProject) -> bytes:
    """The same in dbt's own form, which `lead_pipeline.bi.parsed_dbt` reads."""
    keep_parsed(project)
    return project.target.joinpath("partial_parse.msgpack").read_bytes()


def keep_parsed(project: DbtProject) -> str:
    """Parse the project if a source has changed; returns what changes with the sources."""
    if not project.folder.joinpath("dbt_project.yml").exists():
        if project.own is not None:
            raise ConfigurationError(
                f"The copy of your models at {project.folder} was removed after this process had begun. "
                "Give the command again: lead-pipeline publish."
            )
        raise ConfigurationError(
            f"There is no dbt project at {project.folder}. Install lead-pipeline again: from its "
            "wheel, or from a checkout with pip install -e ."
        )
    # A merged project never changes, and is named after all that it was made of.
    digest = digest_of(project) if project.own is None else project.folder.name
    if not _is_parsed(project, digest):
        with held(project.target / "parse", "parsing the dbt project"):
            if not _is_parsed(project, digest):
                _parse(project, digest)
    return digest


def keep_manifest(target_path: Path, project: DbtProject | None = None) -> None:
    """Put what dbt has parsed beside the results of the build that it was parsed for."""
    shutil.copyfile((project or ours()).target / MANIFEST, target_path / MANIFEST)


def project_variable(name: str, project: DbtProject | None = None) -> Any:
    """A variable of the dbt project as `dbt_project.yml` has it; None where it has none."""
    path = (project or ours()).folder / "dbt_project.yml"
    return (yaml.safe_load(path.read_text("utf-8")).get("vars") or {}).get(name)


def node_name(unique_id: str, manifest: Mapping[str, Any]) -> str:
    """`test some_name` for `test.lead_pipeline.some_name.0123abcd`."""
    node = manifest["nodes"].get(unique_id) or manifest.get("unit_tests", {}).get(unique_id) or {}
    kind, _, rest = unique_id.partition(".")
    return f"{kind.replace('_', ' ')} {node.get('name', rest)}"


def _is_parsed(project: DbtProject, digest: str) -> bool:
    try:
        return project.target.joinpath("manifest.digest").read_text() == digest
    except FileNotFoundError:
        return False


def _parse(project: DbtProject, digest: str) -> None:
    mark = project.target / "manifest.digest"
    mark.unlink(missing_ok=True)
    result = subprocess.run(  # noqa: S603 - a fixed command
        dbt_command("parse", "--quiet", "--no-use-colors"),
        env=dbt_environment(project.target, project=project),
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        said = project.told(result.stdout.strip() or result.stderr.strip())
        said = re.sub(r"^\S+ +Encountered an error:\n", "", said)
        what = f"the project at {project.folder}"
        if project.own is not None:
            what = f"your models in {project.own}"
        raise ConfigurationError(f"dbt cannot parse {what}. Correct what it names:\n{said}")
    mark.write_text(digest)


def digest_of(project: DbtProject) -> str:
    """Changes with every source of the project, where it lies, and the versions that parse it."""
    digest = hashlib.sha256()
    for package in ("dbt-core", "dbt-duckdb"):
        digest.update(f"{package} {version(package)}\n".encode())
    digest.update(f"{project.folder}\n".encode())
    for path in source_files(project):
        digest.update(f"{path.relative_to(project.folder)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def source_files(project: DbtProject) -> list[Path]:
    """All files that dbt reads of the project, in the order of their paths."""
    found = {path for pattern in SOURCE_FILES for path in project.folder.glob(pattern)}
    return sorted(path for path in found if path.is_file())
