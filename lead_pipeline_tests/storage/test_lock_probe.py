"""A home on a file system whose locks do not hold is refused, before anything is written twice."""

from __future__ import annotations

import errno
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.storage.lock_probe import Mount, mount_of, refuse_where_locks_do_not_hold
from lead_pipeline.storage.locks import held
from lead_pipeline_tests.chaos.system_calls import IS_POSSIBLE, Call, Decision, Ended, Fail, watched

TABLE = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /mnt rw - tmpfs tmpfs rw
31 30 0:41 / /mnt/team rw,relatime shared:5 - nfs files:/team rw,vers=3,nolock,local_lock=all
32 30 0:42 / /mnt/a\040b rw - nfs4 files:/b rw,vers=4.2,local_lock=none
"""


def test_locks_of_this_machine_hold(tmp_path: Path) -> None:
    with held(tmp_path / ".locks" / "warehouse", "loading"):
        refuse_where_locks_do_not_hold(tmp_path / ".locks" / "warehouse.lock")


@pytest.mark.parametrize(
    ("path", "mount"),
    [
        ("/home/leads", Mount("/", "ext4", "rw,relatime,rw")),
        ("/mntx", Mount("/", "ext4", "rw,relatime,rw")),
        ("/mnt/team/x", Mount("/mnt/team", "nfs", "rw,relatime,rw,vers=3,nolock,local_lock=all")),
        ("/mnt/a b/x", Mount("/mnt/a b", "nfs4", "rw,rw,vers=4.2,local_lock=none")),
    ],
)
def test_the_mount_that_a_path_lies_in_is_found(path: str, mount: Mount) -> None:
    assert mount_of(Path(path), TABLE) == mount


def test_a_table_that_is_not_there_tells_nothing() -> None:
    assert mount_of(Path("/mnt/team"), "") is None


@pytest.mark.parametrize(
    ("options", "is_refused"),
    [
        ("nfs files:/team rw,vers=3,nolock", True),
        ("nfs files:/team rw,vers=3,local_lock=none", False),
        ("nfs4 files:/team rw,vers=4.2,local_lock=flock", True),
        ("nfs4 files:/team rw,vers=4.2,local_lock=none", False),
        ("cifs //files/team rw,vers=3.1.1,nobrl", True),
        ("cifs //files/team rw,vers=3.1.1", False),
        ("fuse.sshfs me@files:/team rw", True),
        ("ext4 /dev/vda rw", False),
    ],
)
def test_mounts_whose_locks_other_machines_do_not_see_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, is_refused: bool
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(f"22 1 254:0 / / rw,relatime shared:1 - {options}\n")
    monkeypatch.setattr("lead_pipeline.storage.lock_probe._MOUNTS", table)
    refused: AbstractContextManager[object] = (
        pytest.raises(ConfigurationError, match="LEAD_PIPELINE_HOME")
        if is_refused
        else nullcontext()
    )
    with refused, held(tmp_path / "home" / ".locks" / "warehouse", "loading"):
        assert not is_refused


def locks_that(answer: int, folder: Path, said: Path) -> Ended:
    """What becomes of a command in a folder in which the kernel answers so to whoever locks."""

    def lock() -> None:
        with held(folder / ".locks" / "warehouse", "loading"):
            (folder / "written").write_text("by two at the same time")

    def decide(call: Call) -> Decision:
        return Fail(answer) if call.name == "flock" else "go on"

    return watched(lock, folder, decide, said)


@pytest.mark.skipif(not IS_POSSIBLE, reason="a child can be watched on Linux on x86-64 only")
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (0, "could be taken a second time"),
        (errno.ENOLCK, "No locks available"),
        (errno.EOPNOTSUPP, "not supported"),
        (errno.ENOSYS, "not implemented"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_home_whose_locks_exclude_nobody_is_refused_with_the_way_out(
    tmp_path: Path, answer: int, why: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    ended = locks_that(answer, home, tmp_path / "said")
    assert ended.said.startswith("ConfigurationError: Locks do not hold in ")
    assert why in ended.said
    assert "LEAD_PIPELINE_HOME" in ended.said
    assert not (home / "written").exists()
