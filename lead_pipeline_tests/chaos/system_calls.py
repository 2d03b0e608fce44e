"""A child process that is stopped before each system call that changes files below a folder.

    child ──write, rename, …──▶ kernel: filter ──stops it──▶ this process ──▶ decide(call)

A kill leaves what the system calls before it have done, and nothing else. So a kill before each of
them shows every state that kills can leave, whoever makes the call: Python, Arrow or DuckDB with its
threads. Nothing of the code under test is changed. Linux on x86-64 only (`IS_POSSIBLE`). Belongs
here: stopping a child, and what can be done to it then. Does not belong here: what it is to do.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

IS_POSSIBLE = sys.platform == "linux" and platform.machine() == "x86_64"

# fmt: off
_BY_DESCRIPTOR = {
    1: "write", 18: "pwrite64", 20: "writev", 296: "pwritev", 328: "pwritev2",
    77: "ftruncate", 285: "fallocate", 74: "fsync", 75: "fdatasync", 277: "sync_file_range",
    91: "fchmod", 73: "flock", 40: "sendfile", 326: "copy_file_range",
}
_BY_PATH = {
    2: ("open", 0), 257: ("openat", 1), 85: ("creat", 0), 76: ("truncate", 0),
    82: ("rename", 1), 264: ("renameat", 3), 316: ("renameat2", 3),
    87: ("unlink", 0), 263: ("unlinkat", 1), 84: ("rmdir", 0),
    83: ("mkdir", 0), 258: ("mkdirat", 1), 86: ("link", 1), 265: ("linkat", 3),
    88: ("symlink", 1), 266: ("symlinkat", 2), 90: ("chmod", 0), 268: ("fchmodat", 1),
    452: ("fchmodat2", 1),
}
"""Names by the kernel's number, and which argument is the path: of two, the new one."""
# fmt: on
_CHANGED_DESCRIPTOR = {40: 0, 326: 2}
"""Which argument is the file that is changed, where it is not the first."""
_OPENING = {"open": 1, "openat": 2}
"""Which argument says how a file is opened."""
TAKING_ROOM = frozenset(
    {
        *("write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "fallocate"),
        *("sendfile", "copy_file_range", "open", "openat", "creat", "mkdir", "mkdirat"),
        *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
    }
)
"""Calls that a full disk can refuse."""
SYNCING = frozenset({"fsync", "fdatasync", "sync_file_range"})
WRITING = frozenset({"write", "pwrite64"})

_TRACEME, _CONT, _KILL_WITH_TRACER, _INFO = 0, 7, 0x100000, 0x420E
_GETREGS, _SETREGS, _SETOPTIONS = 12, 13, 0x4200
_OPTIONS = _KILL_WITH_TRACER | 0x80 | 0x8 | 0x4 | 0x2  # seccomp, clone, vfork, fork
_REGISTERS, _RAX, _RDX, _ORIG_RAX = 27, 10, 12, 15
_SECCOMP_EVENT = 7
_WALL = 0x40000000
_INFO_BYTES = 88
_LIMIT_SECONDS = 600

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

Deed = Callable[[], object]


class Call(NamedTuple):
    """A system call that is about to change something."""

    number: int
    """From 1, in the order of this process."""
    name: str
    path: str
    """Below the folder, `.` for the folder itself."""

    def __str__(self) -> str:
        return f"{self.name} {self.path}"


class Fail(NamedTuple):
    """The call is not made; the caller is given this error (`errno`), with 0 as if it had been."""

    errno: int


Decision = Literal["go on", "kill", "tear"] | Fail
"""`tear`: a write writes the first half of its bytes."""


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    status: int
    """Its exit status, negative for a signal."""
    said: str
    """What its error said, with its class first; empty where there was none."""
    calls: int
    """How many calls were met."""


class DoesNotEnd(Exception):
    """A child has not ended in `_LIMIT_SECONDS`; it is killed."""


def watched(deed: Deed, folder: Path, decide: Callable[[Call], Decision], said: Path) -> Ended:
    """Do `deed` in a child; at each call that changes something below `folder`, `decide` is asked.

    Forks, so this process itself must have no threads. What the child's error says is written to
    `said`, which lies outside of `folder`. Raises `DoesNotEnd`.
    """
    said.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        _be_watched()
        in_child(deed, said)
    os.waitpid(pid, 0)
    _ptrace(_SETOPTIONS, pid, data=_OPTIONS)
    _ptrace(_CONT, pid)
    with limited(pid):
        status, calls = _follow(pid, f"{folder}", decide)
    return Ended(status, _read(said), calls)


def unwatched(deed: Deed, said: Path) -> Ended:
    """Do `deed` in a child to its end. Raises `DoesNotEnd`."""
    said.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        in_child(deed, said)
    with limited(pid):
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return Ended(status, _read(said), 0)


def in_child(deed: Deed, said: Path) -> NoReturn:
    """Do it and end this process; for the child of a fork."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        deed()
    except BaseException as error:
        if os.environ.get("LEAD_PIPELINE_DEBUG"):
            traceback.print_exc()
        said.write_text(f"{type(error).__name__}: {error}")
        os._exit(1)
    os._exit(0)


@contextmanager
def limited(pid: int) -> Iterator[None]:
    """For the block: after `_LIMIT_SECONDS` the child is killed, and `DoesNotEnd` raised."""

    def stop(*_: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        raise DoesNotEnd(f"it did not end in {_LIMIT_SECONDS} s")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _LIMIT_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _read(said: Path) -> str:
    return said.read_text() if said.exists() else ""


# The child ------------------------------------------------------------------------------------


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _be_watched() -> None:
    """Wait for the watcher, then let the kernel stop this process before calls of interest."""
    _ptrace(_TRACEME, 0)
    os.kill(os.getpid(), signal.SIGSTOP)
    numbers = [*_BY_DESCRIPTOR, *_BY_PATH]
    load, equal, give = 0x20, 0x15, 0x06
    stop, allow = 0x7FF00000, 0x7FFF0000
    program = [
        (load, 0, 0, 0),
        # From each match, over those behind it and the `allow`, to the `stop`.
        *((equal, len(numbers) - place, 0, number) for place, number in enumerate(numbers)),
        (give, 0, 0, allow),
        (give, 0, 0, stop),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    given = _Program(len(program), ctypes.addressof(code))
    no_new_privileges, seccomp, by_filter = 38, 22, 2
    if _libc.prctl(no_new_privileges, 1, 0, 0, 0) or _libc.prctl(
        seccomp, by_filter, ctypes.byref(given), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")


# The watcher ----------------------------------------------------------------------------------


def _ptrace(request: int, pid: int, address: int = 0, data: int = 0) -> int:
    result = int(_libc.ptrace(request, pid, address, data))
    if result < 0 and (number := ctypes.get_errno()):
        raise OSError(number, f"ptrace request {request:#x}: {os.strerror(number)}")
    return result


def _follow(child: int, folder: str, decide: Callable[[Call], Decision]) -> tuple[int, int]:
    """Watch the child and its threads to the end: the exit status, and the calls that were met."""
    calls = 0
    while True:
        pid, status = os.waitpid(-1, _WALL)
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            if pid == child:
                return os.waitstatus_to_exitcode(status), calls
            continue
        delivered = 0
        if status >> 16 == _SECCOMP_EVENT:
            with suppress(ProcessLookupError):
                found = _call(pid, folder)
                if found is not None:
                    calls += 1
                    _do(child, pid, decide(Call(calls, *found)))
        elif status >> 16 == 0 and os.WSTOPSIG(status) != signal.SIGSTOP:
            delivered = os.WSTOPSIG(status)
        with suppress(ProcessLookupError):
            # It may have been killed meanwhile.
            _ptrace(_CONT, pid, data=delivered)


def _do(child: int, thread: int, decision: Decision) -> None:
    if decision == "kill":
        os.kill(child, signal.SIGKILL)
    elif decision == "tear":
        registers = _registers(thread)
        registers[_RDX] = max(registers[_RDX] // 2, 1)
        _ptrace(_SETREGS, thread, data=ctypes.addressof(registers))
    elif isinstance(decision, Fail):
        registers = _registers(thread)
        # No call of that number is made, and the value stays as its result.
        registers[_ORIG_RAX], registers[_RAX] = 2**64 - 1, -decision.errno % 2**64
        _ptrace(_SETREGS, thread, data=ctypes.addressof(registers))


def _registers(thread: int) -> ctypes.Array[ctypes.c_ulonglong]:
    registers = (ctypes.c_ulonglong * _REGISTERS)()
    _ptrace(_GETREGS, thread, data=ctypes.addressof(registers))
    return registers


def _call(thread: int, folder: str) -> tuple[str, str] | None:
    """Name and path of the call at which the thread has stopped; None where it changes nothing here."""
    info = ctypes.create_string_buffer(_INFO_BYTES)
    _ptrace(_INFO, thread, _INFO_BYTES, ctypes.addressof(info))
    number, *arguments = struct.unpack_from("Q6Q", info.raw, 24)
    if number in _BY_DESCRIPTOR:
        name = _BY_DESCRIPTOR[number]
        descriptor = arguments[_CHANGED_DESCRIPTOR.get(number, 0)]
        try:
            path = Path(f"/proc/{thread}/fd/{descriptor}").readlink().as_posix()
        except OSError:
            return None
    else:
        name, place = _BY_PATH[number]
        if name in _OPENING and not arguments[_OPENING[name]] & (os.O_CREAT | os.O_TRUNC):
            return None
        path = _text(thread, arguments[place])
    if path != folder and not path.startswith(f"{folder}/"):
        return None
    return name, path[len(folder) + 1 :].removesuffix(" (deleted)") or "."


def _text(thread: int, address: int) -> str:
    """The C string at an address of the thread."""
    page = 4096
    text = b""
    with Path(f"/proc/{thread}/mem").open("rb", buffering=0) as memory:
        while b"\0" not in text:
            memory.seek(address + len(text))
            # Never over the end of a page: the next one may not be there.
            text += memory.read(page - (address + len(text)) % page)
    return os.fsdecode(text.partition(b"\0")[0])
