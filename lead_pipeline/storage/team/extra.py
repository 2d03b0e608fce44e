"""The packages that a team's settings need and one machine does not."""

from __future__ import annotations

from importlib.util import find_spec

from lead_pipeline.errors import ConfigurationError


def require_team(variable: str, *modules: str) -> None:
    """Raise `ConfigurationError` if a module is missing that `variable` needs."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ConfigurationError(
            f"{variable} is set, and what it needs is not installed ({', '.join(missing)}): "
            'pip install "lead-pipeline[team]"'
        )
