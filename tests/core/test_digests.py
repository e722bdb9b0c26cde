"""Digests of files: right, read at once, and read again only where a file was written to."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from hubseg.probability import digests, file_digest, file_digests

pytestmark = pytest.mark.skipif(os.name == "nt", reason="nothing is remembered there")


@pytest.fixture
def reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of files that were read; the cache lies in the test's folder."""
    seen: list[str] = []
    read = digests._read
    monkeypatch.setattr(digests, "_read", lambda path: seen.append(path.name) or read(path))
    monkeypatch.setattr(digests, "_file", lambda: tmp_path / "cache" / "digests.json")
    monkeypatch.setattr(digests, "_WORTH", 1)
    monkeypatch.setattr(digests, "_SETTLED_NS", -1)
    monkeypatch.setattr(digests, "_known", {})
    return seen


def own(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def test_digests_of_many_files_are_those_of_each(tmp_path: Path, reads: list[str]):
    files = {tmp_path / f"m_{n}": bytes([n]) * (n * 1000) for n in range(20)}
    for path, content in files.items():
        path.write_bytes(content)
    assert file_digests(files) == {path: own(content) for path, content in files.items()}
    assert sorted(reads) == sorted(path.name for path in files)


def test_another_process_finds_what_was_read(
    tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "m").write_bytes(b"one")
    for _ in range(2):
        monkeypatch.setattr(digests, "_known", {})  # as a new process has it
        assert file_digest(tmp_path / "m") == own(b"one")
    assert reads == ["m"]


@pytest.mark.parametrize("known", [True, False])
def test_a_file_written_over_in_place_with_its_old_date_is_read_again(
    tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch, known: bool
):
    path = tmp_path / "m"
    path.write_bytes(b"one")
    before = path.stat()
    assert file_digest(path) == own(b"one")
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # the system's clock has ticks
        with path.open("r+b") as file:
            file.write(b"two")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    if not known:
        monkeypatch.setattr(digests, "_known", {})
    assert file_digest(path) == own(b"two")


def test_a_file_written_to_just_now_is_not_remembered_on_disk(
    tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(digests, "_SETTLED_NS", 10**18)
    (tmp_path / "m").write_bytes(b"one")
    file_digest(tmp_path / "m")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"m": 3}', '{"m": [[1, 2], "x"]}', "no json"])
def test_a_cache_that_says_nothing_is_no_loss(tmp_path: Path, reads: list[str], content: str):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "digests.json").write_text(content)
    (tmp_path / "m").write_bytes(b"one")
    assert file_digest(tmp_path / "m") == own(b"one")
    stored = json.loads((tmp_path / "cache" / "digests.json").read_text())
    assert list(stored) == [str(tmp_path / "m")]


def test_a_file_that_is_not_there_is_said(tmp_path: Path, reads: list[str]):
    with pytest.raises(FileNotFoundError, match="absent"):
        file_digests([tmp_path / "absent"])
