"""Our dbt project with the users' own models in it, as a project of its own.

    dbt_project/ ────────┐
    <home>/dbt/ ──read───┴──▶ <home>/.dbt/<digest of both>/ ──dbt parse──▶ its target/
      a model, seed, macro or test of the same name takes the place of ours

One project and not two packages of dbt's: of packages, no macro replaces ours where our models use it, our
materializations are passed over, and a second model of a name is an error. A folder is named after
all that it was made of and never changes, so an edit meanwhile disturbs no build.

Belongs here: making the folder. Does not belong here: which files users have (`own_models.py`).
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from dbt_common.clients._jinja_blocks import BlockTag
from dbt_common.clients.jinja import extract_toplevel_blocks
from dbt_common.exceptions import CompilationError

from lead_pipeline.bi.dbt_project import PLACES, DbtProject, ours, source_files
from lead_pipeline.bi.own_models import OwnModels, read_own_models, state_of
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.settings import Settings, load_settings
from lead_pipeline.storage.files import temporary_of

KEPT_SECONDS = 2 * 24 * 3600.0
"""A merged project that nobody has asked for as long goes; a run that began before has ended."""

_MACROS = {"macro", "materialization", "test", "data_test"}


def project_of(settings: Settings) -> DbtProject:
    """The project that is built: ours, with the users' models where there are some.

    Raises `ConfigurationError` that names what cannot be merged.
    """
    own = read_own_models(settings)
    if own is None:
        return ours()
    folder = settings.merged_dbt_path / state_of(own, ours())
    try:
        _keep_merged(own, folder)
    except OSError as error:
        raise ConfigurationError(
            f"Your models cannot be copied to {folder} ({error.strerror}). Make room or correct the "
            "permissions."
        ) from None
    return DbtProject(folder, folder / "target" / "pipeline", own.folder)


def project_to_try(settings: Settings) -> Path:
    """The folder of a project for people's dbt, in which the users' files are linked, not copied.

    Raises `ConfigurationError` that names what cannot be merged.
    """
    own = read_own_models(settings) or OwnModels(settings.home, settings.own_models_path, {})
    made_of = dict.fromkeys(own.files, b"") | {
        path: content
        for path, content in own.files.items()
        if path.suffix in (".yml", ".yaml") or path.parts[0] == "macros"
    }
    folder = settings.merged_dbt_path / f"try-{state_of(replace(own, files=made_of), ours())}"
    _keep_merged(own, folder, linked=True)
    return folder


def _keep_merged(own: OwnModels, folder: Path, *, linked: bool = False) -> None:
    """Make the folder if it is not there, whole or not at all; forget those that nobody asks for."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = temporary_of(folder)
        try:
            _merge(own, ours(), draft, linked=linked)
            draft.rename(folder)
        except OSError:
            # Fails where another process has made the same one meanwhile.
            if not folder.exists():
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    os.utime(folder)
    for other in folder.parent.iterdir():
        with suppress(FileNotFoundError):
            if time.time() - other.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(other, ignore_errors=True)


def _merge(own: OwnModels, project: DbtProject, folder: Path, *, linked: bool) -> None:
    overridden = _overridden(own, project)
    for source in source_files(project):
        path = PurePosixPath(source.relative_to(project.folder).as_posix())
        if path not in overridden.values():
            content = _without_what_is_replaced(path, source.read_bytes(), own, overridden)
            _write(folder / path, content)
    configured = _configured(own, project, overridden)
    _write(folder / "dbt_project.yml", yaml.safe_dump(configured, sort_keys=False).encode())
    profiles = _profiles(project, own.home)
    _write(folder / "profiles.yml", yaml.safe_dump(profiles, sort_keys=False).encode())
    for kind, place in PLACES.items():
        for path, content in own.of_kind(kind):
            target = folder / place / path
            if linked:
                # File by file: dbt does not look into folders that are links.
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(own.folder / kind / path)
            else:
                _write(target, content)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _overridden(own: OwnModels, project: DbtProject) -> dict[tuple[str, str], PurePosixPath]:
    """Our models, seeds and tests that own ones take the place of: our file, by kind and name."""
    names = {
        (kind, path.stem)
        for kind in ("models", "seeds", "tests")
        for path, _ in own.of_kind(kind)
        if path.suffix in (".sql", ".py", ".csv") and (kind, path.parts[0]) != ("tests", "generic")
    }
    paths = (PurePosixPath(path.relative_to(project.folder)) for path in source_files(project))
    return {
        (path.parts[0], path.stem): path
        for path in paths
        if path.suffix in (".sql", ".csv")
        and (path.parts[0], path.stem) in names
        and path.parts[:2] != ("tests", "generic")
    }


def _without_what_is_replaced(
    path: PurePosixPath,
    content: bytes,
    own: OwnModels,
    overridden: Mapping[tuple[str, str], PurePosixPath],
) -> bytes:
    """A file of ours, without what users say of the same names."""
    if path.parts[0] == "macros" or path.parts[:2] == ("tests", "generic"):
        return _without_macros(content.decode(), _own_macros(own)).encode()
    if path.suffix == ".yml" and path.parts[0] in ("models", "seeds"):
        kind = path.parts[0]
        replaced = {name for of, name in overridden if of == kind}
        if replaced & {entry["name"] for entry in _entries(content, kind)}:
            return _without_entries(content, kind, replaced, _described(own, kind))
    return content


def _own_macros(own: OwnModels) -> set[tuple[str, str]]:
    texts = [content for _, content in own.of_kind("macros")]
    texts += [content for path, content in own.of_kind("tests") if path.parts[0] == "generic"]
    return {
        (block.block_type_name, block.block_name)
        for text in texts
        for block in _blocks(text.decode(errors="replace"))
    }


def _blocks(text: str) -> list[BlockTag]:
    """The macros and the like of a file; none where dbt will refuse it."""
    try:
        found = extract_toplevel_blocks(text, _MACROS, collect_raw_data=False)
    except CompilationError:
        return []
    return [block for block in found if isinstance(block, BlockTag)]


def _without_macros(text: str, names: set[tuple[str, str]]) -> str:
    for block in _blocks(text):
        if (block.block_type_name, block.block_name) in names:
            text = text.replace(block.full_block or "", "")
    return text


def _entries(content: bytes, kind: str) -> list[dict[str, Any]]:
    """What a YAML file says of models or seeds; nothing where dbt will refuse it."""
    try:
        read = yaml.safe_load(content) or {}
        return [entry for entry in read.get(kind) or [] if "name" in entry]
    except (yaml.YAMLError, AttributeError, TypeError):
        return []


def _described(own: OwnModels, kind: str) -> set[str]:
    """Names of models or seeds that users describe themselves."""
    return {
        str(entry["name"])
        for path, content in own.of_kind(kind)
        if path.suffix in (".yml", ".yaml")
        for entry in _entries(content, kind)
    }


def _without_entries(content: bytes, kind: str, replaced: set[str], described: set[str]) -> bytes:
    """Our YAML about a model that is replaced: with its tests, unless users have some of their own.

    Unit tests are about our SQL.
    """
    read = yaml.safe_load(content)
    read[kind] = [entry for entry in read[kind] if entry["name"] not in replaced & described]
    read["unit_tests"] = [
        test for test in read.get("unit_tests") or [] if test["model"] not in replaced
    ]
    left = {name: value for name, value in read.items() if value or value == 0}
    return yaml.safe_dump(left, sort_keys=False, allow_unicode=True).encode()


def _configured(
    own: OwnModels, project: DbtProject, overridden: Mapping[tuple[str, str], PurePosixPath]
) -> dict[str, Any]:
    """Our `dbt_project.yml`, with the users' variables and what counts for their models."""
    read: dict[str, Any] = yaml.safe_load((project.folder / "dbt_project.yml").read_bytes())
    read["vars"] = {**(read.get("vars") or {}), **own.variables()}
    read["test-paths"] = [*read["test-paths"], PLACES["tests"]]
    layers = read["models"][read["name"]]
    mine = _without_contract(layers["marts"])
    # dbt warns of folders that are configured and not there.
    folders = {path.parts[0] for path, _ in own.of_kind("models")}
    mine |= {name: dict(layers[name]) for name in ("staging", "intermediate") if name in folders}
    for path, _ in own.of_kind("models"):
        if ours_at := overridden.get(("models", path.stem)):
            columns = dict(_columns_of(project.folder / ours_at, path.stem))
            keeps = "{{ keeps_columns(" + repr(columns) + ") }}"
            place = mine
            for part in path.parent.parts:
                place = place.setdefault(part, {})
            place[path.stem] = {
                **_without_contract(layers[ours_at.parts[1]]),
                "+post-hook": [keeps],
            }
    layers["own"] = mine
    return read


def _without_contract(layer: Mapping[str, Any]) -> dict[str, Any]:
    return {**layer, "+contract": {"enforced": False}}


def _columns_of(path: Path, name: str) -> Iterator[tuple[str, str | None]]:
    """The columns that our YAML beside the model at `path` promises, with types where it has them."""
    for entry in _entries(path.with_suffix(".yml").read_bytes(), "models"):
        if entry["name"] == name:
            for column in entry.get("columns") or []:
                yield column["name"], column.get("data_type")


def _profiles(project: DbtProject, home: Path) -> dict[str, Any]:
    """Our `profiles.yml`; its target dev reads and writes below the home, wherever dbt is called."""
    read: dict[str, Any] = yaml.safe_load((project.folder / "profiles.yml").read_bytes())
    [profile] = read.values()
    dev = profile["outputs"]["dev"]
    dev["path"] = "{{ env_var('LEAD_PIPELINE_DEV', " + repr(str(home / "dev.duckdb")) + ") }}"
    for plugin in dev["plugins"]:
        plugin["config"] = {"home": str(home)}
    return read


def main() -> None:
    """Print the folder in which people's dbt tries own models."""
    sys.stdout.write(f"{project_to_try(load_settings())}\n")


if __name__ == "__main__":
    main()
