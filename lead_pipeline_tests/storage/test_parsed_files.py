"""Files that are parsed once: what counts as unchanged, and what a summary spares other processes."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from lead_pipeline.storage.files import write_atomically
from lead_pipeline.storage.parsed_files import LEAST_NEW, ParsedFiles
from lead_pipeline.storage.sealed import open_bytes, seal_bytes


class Note(msgspec.Struct):
    """What a file of these tests says."""

    text: str
    is_final: bool = True


class Reader:
    """A process of its own, as far as its memory goes: what it has parsed, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parsed: list[str] = []
        self._files = ParsedFiles(Note, self._parse, lambda note: note.is_final)

    def _parse(self, path: Path) -> Note:
        self.parsed.append(path.stem)
        return msgspec.json.decode(path.read_bytes(), type=Note)

    def texts(self) -> dict[str, str]:
        found = self._files.read(self.folder, self.summary, lambda name: True)
        return {name: note.text for name, note in found}

    def summarize(self) -> None:
        self._files.summarize(self.folder, self.summary)

    @property
    def summary(self) -> Path:
        return self.folder.with_suffix(".summary")


def write(folder: Path, name: str, text: str, *, is_final: bool = True) -> None:
    write_atomically(folder / f"{name}.json", msgspec.json.encode(Note(text, is_final)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with more files than a summary is worth."""
    for number in range(LEAST_NEW):
        write(tmp_path / "notes", f"{number:03}", f"note {number}")
    return tmp_path / "notes"


def test_a_file_is_parsed_once_however_often_it_is_read(folder: Path) -> None:
    reader = Reader(folder)
    first = reader.texts()
    assert first["007"] == "note 7"
    assert reader.texts() == first
    assert len(reader.parsed) == LEAST_NEW


def test_a_file_that_was_replaced_is_parsed_again_also_with_its_old_time_and_size(
    folder: Path,
) -> None:
    reader = Reader(folder)
    reader.texts()
    before = (folder / "007.json").stat()
    write(folder, "007", "NOTE 7")
    os.utime(folder / "007.json", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (folder / "007.json").stat().st_size == before.st_size
    assert reader.texts()["007"] == "NOTE 7"
    assert reader.parsed.count("007") == 2


def test_what_is_not_final_is_parsed_each_time(folder: Path) -> None:
    write(folder, "running", "page 1", is_final=False)
    reader = Reader(folder)
    for _ in range(3):
        assert reader.texts()["running"] == "page 1"
    assert reader.parsed.count("running") == 3


def test_a_removed_file_is_forgotten(folder: Path) -> None:
    reader = Reader(folder)
    reader.texts()
    (folder / "007.json").unlink()
    assert "007" not in reader.texts()


def test_another_process_parses_only_what_the_summary_lacks(folder: Path) -> None:
    first = Reader(folder)
    first.texts()
    first.summarize()
    write(folder, "new", "note of today")
    other = Reader(folder)
    assert other.texts() == first.texts()
    assert other.parsed == ["new"]


def test_a_summary_is_written_again_only_when_much_is_new(folder: Path) -> None:
    reader = Reader(folder)
    reader.texts()
    reader.summarize()
    written = reader.summary.stat().st_mtime_ns
    write(folder, "new", "note of today")
    reader.texts()
    reader.summarize()
    assert reader.summary.stat().st_mtime_ns == written
    for number in range(LEAST_NEW):
        write(folder, f"later-{number:03}", "another")
    reader.texts()
    reader.summarize()
    assert reader.summary.stat().st_mtime_ns > written


@pytest.mark.parametrize("content", [b"", b"\x93\xa1", b"not msgpack at all"])
def test_a_damaged_summary_costs_time_and_nothing_else(folder: Path, content: bytes) -> None:
    first = Reader(folder)
    expected = first.texts()
    first.summarize()
    first.summary.write_bytes(content)
    other = Reader(folder)
    assert other.texts() == expected
    assert len(other.parsed) == LEAST_NEW
    other.summarize()
    assert Reader(folder).texts() == expected


def test_a_summary_of_another_form_is_not_believed(folder: Path) -> None:
    first = Reader(folder)
    expected = first.texts()
    first.summarize()
    summary = msgspec.msgpack.decode(open_bytes(first.summary.read_bytes()))
    summary[0] = "the form of another release"
    first.summary.write_bytes(seal_bytes(msgspec.msgpack.encode(summary)))
    other = Reader(folder)
    assert other.texts() == expected
    assert len(other.parsed) == LEAST_NEW


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert Reader(tmp_path / "notes").texts() == {}
