"""Whether a landed file is still, byte for byte, what its crawl has written.

DuckDB does not compare a page with its checksum: a flipped bit loads as another value. So whoever
loads a file compares its digest first. Belongs here: the comparison. Does not belong here: looking
at files that nobody loads (`scrub.py`).
"""

from __future__ import annotations

from pathlib import Path

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.commits import LandedFile
from lead_pipeline.storage.files import digest_of

SET_ASIDE = "_damaged"
"""The folder of an account in which `lead-pipeline scrub --repair` puts damaged files, by their paths."""
REMEDY = (
    "Restore the file from a backup; without one, lead-pipeline scrub --repair sets it aside, says "
    "what is lost, and lets its window be asked for again."
)


def damage_of(landing: Path, file: LandedFile) -> str | None:
    """What is wrong with the file, in words; None where it is as written, as far as is known.

    Of files without a digest only that they are there. Reads the whole file.
    """
    path = landing / file.path
    try:
        size = path.stat().st_size
        if file.sha256 is None:
            return None
        if size != file.bytes:
            return f"it has {size:,} bytes instead of {file.bytes:,}"
        if digest_of(path) != file.sha256:
            return "its digest is not that of what was written"
    except FileNotFoundError:
        return "it is gone"
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def check_file(landing: Path, file: LandedFile) -> None:
    """Raise `LoadError` naming the file, and the remedy, where it is not as written."""
    if (damage := damage_of(landing, file)) is not None:
        raise LoadError(f"{landing / file.path} cannot be read: {damage}. {REMEDY}")
