"""`lead-pipeline new-provider`: a package for one more lead API, with tests that pass.

    name ──▶ template/ ──▶ lead-pipeline-<name>/

Belongs here: the template, and writing it. Does not belong here: what a provider is
(`lead_pipeline.providers.base`).
"""

from __future__ import annotations

import tempfile
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from lead_pipeline.errors import ConfigurationError

# jinja2 is imported by the function that needs it, so that `--help` answers at once.


def new_provider(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Slug of the provider: lower-case letters, digits and underscores."
        ),
    ],
    folder: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Where the package's folder is made.", file_okay=False),
    ] = Path(),
) -> None:
    """Write a package for one more lead API, with tests that pass, to be made into yours.

    The package registers the provider by an entry point; nothing in lead-pipeline is edited. Its
    README.md says which file answers which question about the API.

    Example: lead-pipeline new-provider acme
    """
    from lead_pipeline.commands.console import say
    from lead_pipeline.providers import PROVIDERS
    from lead_pipeline.providers.registry import is_slug

    if not is_slug(name):
        raise ConfigurationError(
            f"{name!r} is no slug. Use lower-case letters, digits and underscores, starting with "
            "a letter."
        )
    if name in PROVIDERS:
        raise ConfigurationError(f"There is a provider {name!r} already. Choose another name.")
    target = folder / f"lead-pipeline-{name}"
    write_package(name, target)
    say(f"Wrote {target}. Its tests pass as they are:")
    say("")
    say(f"  pip install --editable {target}")
    say(f"  pytest {target}")
    say("")
    say(f"{target / 'README.md'} says what to change for your API.")


def write_package(name: str, target: Path) -> None:
    """Write the package of the provider `name` as the folder `target`, whole or not at all.

    Raises `ConfigurationError` where the folder is there already, or cannot be made.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-provider-") as made:
            draft = Path(made) / "package"
            _render(files(__package__).joinpath("template"), draft, name)
            # Fails where the folder has come to be meanwhile, unless it is empty.
            draft.rename(target)
    except OSError as error:
        raise ConfigurationError(
            f"{target} cannot be made ({error.strerror}). Remove it, or choose another --folder."
        ) from None


def _render(template: Traversable, target: Path, name: str) -> None:
    """Render a folder of the template: file names and contents both."""
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        # What is written is code, not HTML; the name is a slug.
        autoescape=False,  # noqa: S701
    )
    words = {
        "slug": name,
        "package": f"lead_pipeline_{name}",
        "variable": name.upper(),
        "title": name.replace("_", " ").title(),
        "class_name": "".join(word.capitalize() for word in name.split("_")),
    }
    target.mkdir()
    for entry in template.iterdir():
        if entry.name == "__pycache__":
            continue
        if entry.is_dir():
            of_package = words["package"] if entry.name == "package" else entry.name
            _render(entry, target / of_package, name)
            continue
        text = environment.from_string(entry.read_text("utf-8")).render(words)
        path = target / entry.name.removesuffix(".jinja").replace("SLUG", name)
        path.write_text(text, "utf-8")
