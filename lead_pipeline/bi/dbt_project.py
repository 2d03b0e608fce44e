"""The dbt project at the repository's root: its command line and its manifest."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
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

CANDIDATE_TARGET = ("--target", "candidate")

CANDIDATE_VARIABLE = "LEAD_PIPELINE_CANDIDATE"
"""Names the file that dbt builds in; read by `profiles.yml`."""

READ_BY_MODELS = ("LEAD_PIPELINE_VALUE_FIELD", "LEAD_PIPELINE_LOSS_REASON_FIELD")
"""Settings that models read by `env_var`, each time that they are built."""

_SECRET = re.compile(
    r"TOKEN|SECRET|PASSW|CREDENTIAL|WEBHOOK|HEARTBEAT|SMTP|DATABASE|BROKER|DSN(_|$)|(^|_)KEY(_|$)|APIKEY"
    r"|KEY_ID|PRIVATE|_PWD$|CONNECTION_STRING|(_|^)PAT$"
)
"""What names of variables have that hold secrets, ours and those of other programs."""


def dbt_command(*arguments: str) -> list[str]:
    """dbt of this Python, so that it is found although no environment is activated."""
    executable = Path(sys.executable).with_name("dbt")
    return [
        str(executable) if executable.exists() else "dbt",
        *arguments,
        *CANDIDATE_TARGET,
    ]


def dbt_environment(target_path: Path, candidate: Path | None = None) -> dict[str, str]:
    """Environment for dbt: artifacts and logs go to `target_path`.

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
    return environment | {
        "DBT_PROJECT_DIR": str(PROJECT_DIR),
        "DBT_PROFILES_DIR": str(PROJECT_DIR),
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


def load_manifest() -> dict[str, Any]:
    """What dbt knows of the project; parsed (some seconds) only when a source has changed.

    Several processes may ask at once: one parses, the others wait for it. Raises
    `ConfigurationError` when the project is missing or dbt cannot parse it.
    """
    keep_parsed()
    manifest: dict[str, Any] = json.loads(TARGET_DIR.joinpath("manifest.json").read_bytes())
    return manifest


def parsed_project() -> bytes:
    """The same in dbt's own form, which `lead_pipeline.bi.parsed_dbt` reads."""
    keep_parsed()
    return TARGET_DIR.joinpath("partial_parse.msgpack").read_bytes()


def keep_parsed() -> str:
    """Parse the project if a source has changed; returns what changes with the sources."""
    if not PROJECT_DIR.joinpath("dbt_project.yml").exists():
        raise ConfigurationError(
            f"There is no dbt project at {PROJECT_DIR}. Install lead-pipeline again: from its "
            "wheel, or from a checkout with pip install -e ."
        )
    digest = _digest()
    if not _is_parsed(digest):
        with held(TARGET_DIR / "parse", "parsing the dbt project"):
            if not _is_parsed(digest):
                _parse(digest)
    return digest


def project_variable(name: str) -> Any:
    """A variable of the dbt project as `dbt_project.yml` has it; None where it has none."""
    project = yaml.safe_load(PROJECT_DIR.joinpath("dbt_project.yml").read_text("utf-8"))
    return (project.get("vars") or {}).get(name)


def node_name(unique_id: str, manifest: Mapping[str, Any]) -> str:
    """`test some_name` for `test.lead_pipeline.some_name.0123abcd`."""
    node = manifest["nodes"].get(unique_id) or manifest.get("unit_tests", {}).get(unique_id) or {}
    kind, _, rest = unique_id.partition(".")
    return f"{kind.replace('_', ' ')} {node.get('name', rest)}"


def _is_parsed(digest: str) -> bool:
    try:
        return TARGET_DIR.joinpath("manifest.digest").read_text() == digest
    except FileNotFoundError:
        return False


def _parse(digest: str) -> None:
    mark = TARGET_DIR / "manifest.digest"
    mark.unlink(missing_ok=True)
    result = subprocess.run(  # noqa: S603 - a fixed command
        dbt_command("parse", "--quiet"),
        env=dbt_environment(TARGET_DIR),
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise ConfigurationError(
            f"dbt cannot parse the project at {PROJECT_DIR}. Correct what it names:\n"
            f"{result.stdout.strip() or result.stderr.strip()}"
        )
    mark.write_text(digest)


def _digest() -> str:
    """Changes with every source of the project, where it lies, and the versions that parse it."""
    digest = hashlib.sha256()
    for package in ("dbt-core", "dbt-duckdb"):
        digest.update(f"{package} {version(package)}\n".encode())
    digest.update(f"{PROJECT_DIR}\n".encode())
    for path in sorted(path for pattern in SOURCE_FILES for path in PROJECT_DIR.glob(pattern)):
        if path.is_file():
            digest.update(f"{path.relative_to(PROJECT_DIR)}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
