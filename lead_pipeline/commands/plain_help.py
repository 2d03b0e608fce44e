"""Help that people read: no types of Python where an option takes none.

Belongs here: how typer's help is made plain. Does not belong here: the texts, which stand with
each command.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup


def _plain(parameters: list[Any]) -> list[Any]:
    """The parameters: switches take nothing, and a name such as LEAD says more than a type."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
        if isinstance(parameter, TyperArgument):
            # Their metavar is the name on the left; on its right typer shows the type.
            parameter.display_type_rich = lambda ctx: None  # type: ignore[method-assign]
    return parameters


class PlainCommand(TyperCommand):
    """A command with plain help."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, `--help` included."""
        return _plain(super().get_params(ctx))


class PlainGroup(TyperGroup):
    """The program itself, with plain help."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, `--help` included."""
        return _plain(super().get_params(ctx))
