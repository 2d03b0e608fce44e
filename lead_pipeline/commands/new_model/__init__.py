"""`lead-pipeline new-model`: a dbt model of your own, with tests that pass, or one of ours to change.

    name ──▶ template/ ──▶ <home>/dbt/models/<name>.sql, .yml
    a model or seed of ours ──copied──▶ <home>/dbt/

Belongs here: the template, and writing it. Does not belong here: how own models are built
(`lead_pipeline.bi.merged_project`).
"""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from lead_pipeline.errors import ConfigurationError

# jinja2 and dbt are imported by the functions that need them, so that `--help` answers at once.

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def new_model(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="What the table is called: lower-case letters, digits and underscores.",
        ),
    ] = None,
    override: Annotated[
        str | None,
        typer.Option(
            "--override", metavar="MODEL", help="Copy this model or seed of ours, to change it."
        ),
    ] = None,
) -> None:
    """Write a dbt model of your own, which is built, tested and published with ours.

    It is a query with its description and tests, in the folder dbt below LEAD_PIPELINE_HOME (or that
    LEAD_PIPELINE_OWN_MODELS names). With --override, a copy of one of ours, which it takes the place of.

    Example: lead-pipeline new-model deals_by_campaign
    """
    from lead_pipeline.commands.console import say
    from lead_pipeline.commands.edge import settings_of_command

    if (name is None) == (override is None):
        raise ConfigurationError(
            "Give a NAME for a new model, or --override MODEL for one of ours; not both."
        )
    folder = settings_of_command(refreshes=False).own_models_path
    written = write_model(name, folder) if name else write_override(str(override), folder)
    for path in written:
        say(f"Wrote {path}.")
    say("")
    say("Make it yours, then try it on what the last build has read (nothing is published):")
    say("")
    say(f"  {trying(written[0].stem)}")
    say("")
    say("Then: lead-pipeline publish. docs/own_models.md says what else is possible.")


def trying(name: str) -> str:
    """A command that builds and tests the model and shows it, as it is pasted into any shell."""
    python = Path(sys.executable)
    dbt = python.with_name("dbt")
    folder = f'cd "$({python} -m lead_pipeline.bi.merged_project)"'
    # Of tests, those of what is built: not also of marts that read the same.
    which = f"--select +{name} --indirect-selection buildable --exclude-resource-type unit_test"
    build = f"{dbt} build {which}"
    return f"({folder} && {build} && {dbt} show --select {name})"


def write_model(name: str, folder: Path) -> list[Path]:
    """Write a model and its YAML into the users' `folder`; returns the files, the query first.

    Raises `ConfigurationError` for a name that cannot be used, and leaves files that are there alone.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} is no name of a table. Use lower-case letters, digits and underscores, starting "
            "with a letter."
        )
    if name in _paths_of_ours():
        raise ConfigurationError(
            f"There is a model {name} of ours. Choose another name, or change ours with "
            f"--override {name}."
        )
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        # What is written is SQL and YAML; the name is checked.
        autoescape=False,  # noqa: S701
    )
    template = files(__package__).joinpath("template")
    texts = {
        folder / "models" / f"{name}{suffix}": environment.from_string(
            template.joinpath(f"model{suffix}.jinja").read_text("utf-8")
        ).render(name=name)
        for suffix in (".sql", ".yml")
    }
    return _write(texts)


def write_override(name: str, folder: Path) -> list[Path]:
    """Copy our model or seed of that name into the users' `folder`; its YAML goes on to count.

    Raises `ConfigurationError` where there is none, and leaves a file that is there alone.
    """
    ours = _paths_of_ours()
    if name not in ours:
        raise ConfigurationError(
            f"There is no model or seed {name} of ours. There are: {', '.join(sorted(ours))}."
        )
    kind, path = ours[name]
    return _write({folder / kind / path.name: path.read_text("utf-8")})


def _paths_of_ours() -> dict[str, tuple[str, Path]]:
    """Our models and seeds: of which kind, and the file."""
    from lead_pipeline.bi.dbt_project import ours

    return {
        path.stem: (kind, path)
        for kind, suffix in (("models", "sql"), ("seeds", "csv"))
        for path in (ours().folder / kind).rglob(f"*.{suffix}")
    }


def _write(texts: dict[Path, str]) -> list[Path]:
    """Write all files, or none where one is there already."""
    for path in texts:
        if path.exists():
            raise ConfigurationError(f"{path} is there already. Change it, or move it away first.")
    written: list[Path] = []
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Fails where somebody has made it meanwhile.
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise ConfigurationError(
            f"{path} cannot be written ({error.strerror}). Correct the folder's permissions, or make room."
        ) from None
    return written
