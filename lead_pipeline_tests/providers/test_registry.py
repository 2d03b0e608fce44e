"""Which providers there are, and what is said of one that cannot be used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import pytest

import lead_pipeline
from lead_pipeline.errors import ConfigurationError, ProviderNotInstalled
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Stream
from lead_pipeline.providers.registry import Registry
from lead_pipeline.providers.vorel.provider import Vorel

PACKAGE = Path(lead_pipeline.__file__).parent


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> Registry:
    """The registry of an installation with one more entry point, `acme`, of that value."""
    info = folder / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[lead_pipeline.providers]\nacme = {value}\n")
    monkeypatch.syspath_prepend(folder)
    return Registry()


def test_own_folders_and_entry_points_are_found(deals_installed: Path) -> None:
    assert list(Registry()) == ["deals", "expert_ai_labs", "mega", "vorel"]


def test_unknown_provider_is_told_with_those_that_are_installed() -> None:
    with pytest.raises(ProviderNotInstalled) as failure:
        PROVIDERS["hubspot"]
    assert str(failure.value) == (
        "There is no provider 'hubspot'; installed are expert_ai_labs, mega, vorel. Install the "
        "package that brings it."
    )
    assert "hubspot" not in PROVIDERS


def test_package_that_cannot_be_imported_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme.py").write_text("import no_such_module\n")
    registry = installed(tmp_path, monkeypatch, "acme:PROVIDER")
    with pytest.raises(ConfigurationError, match="acme = acme:PROVIDER of acme cannot be loaded"):
        list(registry)


def test_entry_point_that_is_no_provider_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = installed(tmp_path, monkeypatch, "pathlib:Path")
    with pytest.raises(ConfigurationError, match="names type, which is no instance of"):
        list(registry)


def test_slug_that_is_taken_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = installed(tmp_path, monkeypatch, "lead_pipeline.providers.vorel:PROVIDER")
    with pytest.raises(ConfigurationError, match="the slug 'vorel' is taken by Vorel"):
        list(registry)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"slug": "My API"}, "its slug must be lower-case letters"),
        ({"streams": ()}, "exactly one stream of kind `records`"),
        ({"streams": (Stream("a", "records", ""), Stream("b", "records", ""))}, "exactly one"),
        ({"streams": (Stream("All leads", "records", ""),)}, "'All leads' must be a slug"),
        ({"streams": (Stream("a", "records", ""), Stream("a", "cohort", ""))}, "have one name"),
        (
            {"streams": (Stream("a", "records", "", after=("b",)), Stream("b", "events", ""))},
            "stream a comes after b, which is not pulled before it",
        ),
        (
            {"streams": (Stream("a", "records", "", has_stage_history=True),)},
            "lacks stage_events.sql",
        ),
    ],
)
def test_declaration_that_cannot_be_used_says_why(changes: dict[str, Any], problem: str) -> None:
    class Changed(Vorel):
        slug: ClassVar[str] = "acme"
        folder = PROVIDERS["vorel"].folder

    for name, value in changes.items():
        setattr(Changed, name, value)
    with pytest.raises(ConfigurationError, match=re.escape(problem)):
        Registry().register(Changed())


def test_provider_can_be_registered_for_one_process() -> None:
    class Acme(Vorel):
        slug: ClassVar[str] = "acme"
        folder = PROVIDERS["vorel"].folder

    registry, acme = Registry(), Acme()
    registry.register(acme)
    assert registry["acme"] is acme


def shared_files() -> list[Path]:
    """Everything but the providers' own folders, and the imitation of the three APIs."""
    own = {PACKAGE / "providers" / slug for slug in PROVIDERS}
    # What people are shown of the sandbox is about these three.
    own |= {PACKAGE / "sandbox", PACKAGE / "commands" / "sandbox.py", PACKAGE / "dbt_project"}
    return [
        path
        for path in PACKAGE.rglob("*")
        if path.suffix in (".py", ".sql", ".csv", ".html", ".yaml")
        and not any(folder == path or folder in path.parents for folder in own)
    ]


def test_shared_code_names_no_provider_and_no_stream_of_one() -> None:
    """Tables that happen to be called like a stream are named with their schema."""
    titles = {provider.title for provider in PROVIDERS.values()}
    streams = {stream.name for p in PROVIDERS.values() for stream in p.streams} - {"leads"}
    names = "|".join(map(re.escape, sorted({*PROVIDERS, *titles, *streams})))
    pattern = re.compile(rf"(?<![\w.])({names})(?!\w)")
    found = [
        f"{path.relative_to(PACKAGE)}: {match[0]}"
        for path in shared_files()
        for match in pattern.finditer(path.read_text("utf-8"))
    ]
    assert found == []
