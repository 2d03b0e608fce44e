"""Whether locks hold where the home lies: where they do not, two runs would write at the same time.

    lock that is held ──taken again, as another process would──▶ refused: it holds │ taken: it does not
    table of mounts ──known to lock for one machine only──▶ it does not

Belongs here: finding out, and what to do. Does not belong here: taking locks (`locks.py`).
"""

from __future__ import annotations

import errno
import fcntl
import re
from dataclasses import dataclass
from pathlib import Path

from lead_pipeline.errors import ConfigurationError

_HELD_ELSEWHERE = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES}
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
"""What file systems say that know no locks, or whose server does not answer for them."""

_MOUNTS = Path("/proc/self/mountinfo")
_OF_ONE_MACHINE = (
    ("nfs", re.compile(r"\b(nolock|local_lock=(all|flock))\b")),
    ("nfs4", re.compile(r"\blocal_lock=(all|flock)\b")),
    ("cifs", re.compile(r"\b(nobrl|nolock)\b")),
    ("smb3", re.compile(r"\b(nobrl|nolock)\b")),
    ("fuse.sshfs", re.compile("")),
    ("vboxsf", re.compile("")),
)
"""File systems, and the options with which their locks are kept by this machine alone: two processes
of it exclude each other, so that no probe can tell, while other machines write."""


@dataclass(frozen=True)
class Mount:
    """Where a file system begins, of which type it is, and all of its options."""

    point: str
    type: str
    options: str


def refuse_where_locks_do_not_hold(lock_file: Path) -> None:
    """Raise `ConfigurationError` if the lock at `lock_file`, which this process holds, excludes nobody."""
    mount = mount_of(lock_file, _MOUNTS.read_text() if _MOUNTS.exists() else "")
    if why := _taken_again(lock_file) or _is_of_one_machine(mount):
        raise ConfigurationError(refusal(lock_file, why, mount))


def refusal(lock_file: Path, why: str, mount: Mount | None = None) -> str:
    """That locks do not hold at `lock_file`, and the way out."""
    where = "" if mount is None else f" (file system {mount.type}, mounted at {mount.point})"
    return (
        f"Locks do not hold in {lock_file.parent}{where}: {why}. Two runs could write the same file "
        "at the same time. Set LEAD_PIPELINE_HOME to a folder on a local disk, in a container to a "
        "volume, or mount that file system with locks."
    )


def mount_of(path: Path, table: str) -> Mount | None:
    """The mount that `path` lies in, by the kernel's `table` of mounts; None where it is not known."""
    found = None
    for line in table.splitlines():
        fields, _, of_file_system = line.partition(" - ")
        words, more = fields.split(), of_file_system.split()
        if len(words) < 6 or len(more) < 3:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), words[4])
        # The last of several at one place hides the others.
        if path.is_relative_to(point) and (found is None or len(point) >= len(found.point)):
            found = Mount(point, more[0], f"{words[5]},{more[2]}")
    return found


def _taken_again(lock_file: Path) -> str | None:
    """Why the lock does not hold; None where whoever comes second is refused."""
    with lock_file.open("rb") as second:
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return None if error.errno in _HELD_ELSEWHERE else f"{error.strerror}"
    return "a lock that is held could be taken a second time"


def _is_of_one_machine(mount: Mount | None) -> str | None:
    for type_, options in _OF_ONE_MACHINE:
        if mount is not None and mount.type == type_ and options.search(mount.options):
            return "as it is mounted, its locks are known to this machine only"
    return None
