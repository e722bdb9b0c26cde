"""The command that reads damaged files: a small part of it, and that it sees what is wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hubseg.network import read_checkpoint
from hubseg.slide import read_rows


@pytest.fixture
def fuzz(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command, from the folder of benchmarks."""
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    import fuzz

    return fuzz


@pytest.fixture
def readers(fuzz: Any) -> Any:
    """Its child."""
    import _readers

    return _readers


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory and time are Linux's")
@pytest.mark.parametrize(("kind", "count"), [("tiff", 60), ("checkpoint", 40), ("csv", 40)])
def test_damaged_files_are_read_or_refused_in_one_sentence(
    fuzz: Any, tmp_path: Path, kind: str, count: int
):
    tally = fuzz.fuzz(kind, count, seed=13, readers=1, zoo=None, keep=tmp_path / "kept")
    assert tally.findings == []
    assert sum(tally.counts.values()) == count
    assert tally.counts["refused"] > 0


@pytest.mark.parametrize(
    ("raised", "became"),
    [
        (None, "read"),
        (ValueError("FILE is no TIFF image: choose another."), "refused"),
        (ValueError("bad magic"), "no sentence"),
        (OSError("FILE went away while it was read.\nAnd a second line."), "no sentence"),
        (ValueError("FILE says \x1b[31m, which is no sentence."), "no sentence"),
        (TypeError("FILE cannot be added to a number."), "other error"),
        (MemoryError(), "too large"),
    ],
)
def test_only_a_refusal_in_one_sentence_is_clean(readers: Any, raised: Any, became: str):
    def read(path: Path) -> None:
        if raised is not None:
            raise type(raised)(str(raised).replace("FILE", str(path)))

    assert readers.outcome(read, Path("/a/file.tif"))["became"] == became


@pytest.mark.skipif(sys.platform == "win32", reason="processes end otherwise there")
@pytest.mark.parametrize(("ends_by", "became"), [("SIGPROF", "too long"), ("SIGSEGV", "died")])
def test_a_reader_that_dies_is_a_finding_and_another_takes_its_place(
    fuzz: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends_by: str, became: str
):
    script = tmp_path / "dies.py"
    script.write_text(
        "import os, signal, sys\nprint('ready', flush=True)\nprint('The end.', file=sys.stderr)\n"
        f"sys.stdin.readline()\nos.kill(os.getpid(), signal.{ends_by})\n"
    )
    monkeypatch.setattr(fuzz, "READERS", script)
    tally = fuzz.fuzz("csv", 2, seed=1, readers=1, zoo=None, keep=tmp_path / "kept")
    assert tally.counts == {became: 2}
    assert len(list((tmp_path / "kept").iterdir())) == 2
    assert all("The end." in said for _, _, said in tally.findings)


@given(seed=st.integers(0, 2**32), data=st.binary(min_size=1, max_size=4096))
def test_a_mutant_follows_from_its_seed(repository: Path, seed: int, data: bytes):
    sys.path.insert(0, str(repository / "benchmarks"))
    try:
        from _mutants import mutated
    finally:
        sys.path.pop(0)
    first, second = (mutated(data, np.random.default_rng(seed)) for _ in range(2))
    assert first == second
    assert len(first) <= len(data) + 3 * 128


# ---- what it has found --------------------------------------------------------------------------


def test_a_table_is_refused_without_the_control_characters_it_holds(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("i\x07d,rle,\x1b[31m\n1,2,3\n")
    with pytest.raises(ValueError, match=r"it has i\ufffdd, rle, \ufffd\[31m") as refused:
        read_rows(path)
    assert str(refused.value).isprintable()


def test_names_of_tensors_are_shown_without_control_characters(tmp_path: Path):
    torch.save({"state_dict": {"a\x1b[31m": torch.zeros(2)}, b"b": 1}, tmp_path / "m.pth")
    checkpoint = read_checkpoint(tmp_path / "m.pth")
    assert list(checkpoint.state) == ["a\ufffd[31m"]
    assert all(note.isprintable() for note in checkpoint.notes)


def test_a_table_of_tensors_may_lie_under_a_name_that_is_no_text(tmp_path: Path):
    torch.save({5: {"a": torch.zeros(2)}}, tmp_path / "m.pth")
    checkpoint = read_checkpoint(tmp_path / "m.pth")
    assert list(checkpoint.state) == ["a"]
    assert "taken from 5" in checkpoint.notes[0]


def test_a_zip_that_says_it_is_one_of_several_is_damaged(tmp_path: Path):
    path = tmp_path / "m.pth"
    torch.save({"a": torch.zeros(2)}, path)
    data = bytearray(path.read_bytes())
    locator = data.rindex(b"PK\x06\x07")
    data[locator + 16 : locator + 20] = (2).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"m\.pth .*is damaged.*multiple disks"):
        read_checkpoint(path)
