"""The build backend: that of setuptools, and the bill of materials in every wheel (PEP 770).

    setuptools' wheel + lead_pipeline.cdx.json ──▶ wheel with *.dist-info/sboms/lead_pipeline.cdx.json

Belongs here: what a build adds. Does not belong here: writing the bill (`write_sbom`). Runs where
nothing but setuptools is installed.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

SBOM = Path(__file__).with_name("lead_pipeline.cdx.json")


def build_wheel(
    wheel_directory: str,
    config_settings: Any = None,
    metadata_directory: str | None = None,
) -> str:
    """Build the wheel into `wheel_directory`; returns its file's name."""
    name = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    add_sbom(Path(wheel_directory, name), SBOM.read_bytes())
    return name


def add_sbom(wheel: Path, sbom: bytes) -> None:
    """Put the bill into the wheel, and into the wheel's own list of its files."""
    whole = wheel.with_name(wheel.name + ".new")
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as new:
        [record] = (name for name in old.namelist() if name.endswith(".dist-info/RECORD"))
        place = f"{record.removesuffix('RECORD')}sboms/{SBOM.name}"
        for entry in old.infolist():
            if entry.filename != record:
                new.writestr(entry, old.read(entry), zipfile.ZIP_DEFLATED)
        new.writestr(_like(old.getinfo(record), place), sbom)
        line = f"{place},sha256={_digest(sbom)},{len(sbom)}\n"
        new.writestr(old.getinfo(record), line.encode() + old.read(record), zipfile.ZIP_DEFLATED)
    whole.replace(wheel)


def _like(entry: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name, entry.date_time)
    made.external_attr, made.compress_type = entry.external_attr, zipfile.ZIP_DEFLATED
    return made


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
