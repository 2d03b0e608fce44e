"""Which providers there are: those of our own folders, and those that other packages bring.

    folders beside this module ────────────────────┐
    entry points `lead_pipeline.providers` ────────┴──▶ PROVIDERS, by slug

Each names an instance of `Provider`: a folder here as `PROVIDER`, a package by its entry point.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

import lead_pipeline.providers
from lead_pipeline.errors import ConfigurationError, ProviderNotInstalled
from lead_pipeline.providers.base import Provider

GROUP = "lead_pipeline.providers"
"""The entry point group."""
_SLUG = re.compile(r"[a-z][a-z0-9_]*")


class Registry(Mapping[str, Provider]):
    """Providers by slug, in the order of their slugs; found when first asked for.

    Looking one up that is not there raises `ProviderNotInstalled`, finding them
    `ConfigurationError` naming an entry point that cannot be used.
    """

    def __init__(self) -> None:
        self._found: dict[str, Provider] | None = None

    def __getitem__(self, slug: str) -> Provider:
        providers = self._providers()
        if slug not in providers:
            raise ProviderNotInstalled(slug, tuple(providers))
        return providers[slug]

    def __iter__(self) -> Iterator[str]:
        return iter(self._providers())

    def __len__(self) -> int:
        return len(self._providers())

    def register(self, provider: Provider) -> None:
        """Add a provider to this process, e.g. in a test of one that is not installed.

        Raises `ConfigurationError` where its declaration cannot be used or its slug is taken.
        """
        providers = self._providers()
        self._found = _added(providers, provider, f"provider {provider.slug!r}")

    def _providers(self) -> dict[str, Provider]:
        if self._found is None:
            self._found = _find()
        return self._found


def is_slug(name: str) -> bool:
    """Whether a provider or a stream may be called so."""
    return _SLUG.fullmatch(name) is not None


def _find() -> dict[str, Provider]:
    found: dict[str, Provider] = {}
    for module in pkgutil.iter_modules(lead_pipeline.providers.__path__):
        if module.ispkg:
            name = f"{lead_pipeline.providers.__name__}.{module.name}"
            found = _added(found, import_module(name).PROVIDER, name)
    for entry_point in entry_points(group=GROUP):
        found = _added(found, _loaded(entry_point), _where(entry_point))
    return found


def _loaded(entry_point: EntryPoint) -> Provider:
    try:
        provider = entry_point.load()
    except Exception as error:
        # Whatever another package raises while it is imported.
        raise ConfigurationError(
            f"{_where(entry_point)} cannot be loaded ({type(error).__name__}: {error}). Fix the "
            "package, or uninstall it."
        ) from error
    if not isinstance(provider, Provider):
        raise ConfigurationError(
            f"{_where(entry_point)} names {type(provider).__name__}, which is no instance of "
            "lead_pipeline.providers.base.Provider."
        )
    return provider


def _where(entry_point: EntryPoint) -> str:
    package = entry_point.dist.name if entry_point.dist else "unknown package"
    return f"Entry point {entry_point.name} = {entry_point.value} of {package}"


def _added(found: Mapping[str, Provider], provider: Provider, where: str) -> dict[str, Provider]:
    problem = _problem(provider)
    if problem is not None:
        raise ConfigurationError(f"{where} cannot be used: {problem}.")
    if provider.slug in found:
        raise ConfigurationError(
            f"{where}: the slug {provider.slug!r} is taken by {type(found[provider.slug]).__name__}."
        )
    return dict(sorted({**found, provider.slug: provider}.items()))


def _problem(provider: Provider) -> str | None:
    """What is wrong with a declaration; None where nothing is."""
    names = [stream.name for stream in provider.streams]
    if not is_slug(provider.slug):
        return "its slug must be lower-case letters, digits and underscores, starting with a letter"
    if wrong := [name for name in names if not is_slug(name)]:
        return f"the stream name {wrong[0]!r} must be a slug, as it is the name of a folder"
    if len(set(names)) < len(names):
        return "two of its streams have one name"
    if len(provider.streams_of("records")) != 1:
        return "it needs exactly one stream of kind `records`, the list of leads"
    for number, stream in enumerate(provider.streams):
        if unknown := set(stream.after) - set(names[:number]):
            return f"stream {stream.name} comes after {min(unknown)}, which is not pulled before it"
    needed = ["leads.sql", "contract.csv", "stages.csv"]
    if any(stream.tells_stage_changes for stream in provider.streams):
        needed.append("stage_events.sql")
    if missing := [name for name in needed if not provider.folder.joinpath(name).is_file()]:
        return f"its folder {provider.folder} lacks {', '.join(missing)}"
    return None
