"""Checkpoints as other programs and broken downloads leave them: loaded with a note, or refused
in one sentence that says what the file is."""

from __future__ import annotations

import argparse
import gzip
import io
import pickle
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from hubseg.network import check_checkpoint, load_into, read_checkpoint
from hubseg.recipe import Recipe, best_score, find_checkpoints, with_scores

Tensors = dict[str, torch.Tensor]


class Network(nn.Module):
    """The smallest network with names as ours: an encoder and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.res = nn.Conv2d(4, 1, 1)


@pytest.fixture
def state() -> Tensors:
    return {key: tensor.clone() for key, tensor in Network().state_dict().items()}


@pytest.fixture
def wanted(state: Tensors) -> dict[str, torch.Size]:
    return {key: tensor.shape for key, tensor in state.items()}


def prefixed(prefix: str) -> Callable[[Tensors], Tensors]:
    return lambda state: {prefix + key: tensor for key, tensor in state.items()}


def compiled_part(state: Tensors) -> Tensors:
    return {key.replace("encoder.", "encoder._orig_mod.", 1): one for key, one in state.items()}


def averaged(state: Tensors) -> Tensors:
    return {"n_averaged": torch.tensor(12), **prefixed("module.")(state)}


def mixed(state: Tensors) -> Tensors:
    prefixes = ("", "module.", "model._orig_mod.")
    return {prefixes[i % 3] + key: one for i, (key, one) in enumerate(state.items())}


@pytest.mark.parametrize(
    ("spelled", "said"),
    [
        (prefixed("module."), "module."),
        (prefixed("module.module."), "module."),
        (prefixed("model."), "model."),
        (prefixed("_orig_mod."), "_orig_mod."),
        (prefixed("model._orig_mod.module."), "model., _orig_mod., module."),
        (compiled_part, "_orig_mod."),
        (averaged, "n_averaged"),
        (mixed, "module., model., _orig_mod."),
    ],
)
def test_known_prefixes_are_taken_off_with_a_note(
    tmp_path: Path, state: Tensors, spelled: Callable[[Tensors], Tensors], said: str
):
    torch.save({"state_dict": spelled(state)}, tmp_path / "m_0.pth")
    checkpoint = read_checkpoint(tmp_path / "m_0.pth")
    same(checkpoint.state, state)
    assert any(said in note and "m_0.pth" in note for note in checkpoint.notes)
    load_into(Network(), checkpoint)


def same(found: Any, wanted: Tensors) -> None:
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


SMALL = {"encoder.conv.weight": torch.arange(6.0).reshape(2, 3), "res.bias": torch.ones(2)}
PREFIXES = st.lists(st.sampled_from(["model.", "_orig_mod.", "module."]), max_size=5)
TABLES = st.lists(
    st.sampled_from(["state_dict", "model_state_dict", "model", "net", "weights"]), max_size=3
)


@settings(max_examples=40)
@given(prefixes=st.lists(PREFIXES, min_size=2, max_size=2), tables=TABLES)
def test_any_nesting_of_known_prefixes_and_tables_loads_the_same_tensors(
    tmp_path_factory: pytest.TempPathFactory, prefixes: list[list[str]], tables: list[str]
):
    content: Any = {
        "".join(own) + key: tensor
        for own, (key, tensor) in zip(prefixes, SMALL.items(), strict=True)
    }
    for table in tables:
        content = {table: content, "optimizer": {"state": {0: {"step": torch.ones(1)}}}}
    path = tmp_path_factory.getbasetemp() / "nested"
    torch.save({**content, "epoch": 5}, path)
    checkpoint = read_checkpoint(path)
    same(checkpoint.state, SMALL)
    assert checkpoint.epoch == 5
    changed = any(any(own) for own in prefixes) or tables not in ([], ["state_dict"])
    assert bool(checkpoint.notes) >= changed


@pytest.mark.parametrize(
    "table",
    ["state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "my_unet"],
)
def test_tensors_are_found_under_the_names_that_programs_use(
    tmp_path: Path, state: Tensors, table: str
):
    adam = {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}
    torch.save({"epoch": 2, table: state, "optimizer": adam}, tmp_path / "m_0")
    checkpoint = read_checkpoint(tmp_path / "m_0")
    same(checkpoint.state, state)
    assert [table in note for note in checkpoint.notes] == ([] if table == "state_dict" else [True])


def test_of_weights_and_their_average_the_weights_are_taken_and_it_is_said(
    tmp_path: Path, state: Tensors
):
    average = {key: torch.zeros_like(one) for key, one in state.items()}
    torch.save({"model": state, "model_ema": average}, tmp_path / "m_0")
    checkpoint = read_checkpoint(tmp_path / "m_0")
    same(checkpoint.state, state)
    assert any("model_ema" in note for note in checkpoint.notes)


def test_files_with_a_score_of_numpys_are_read_by_several_threads_at_once(tmp_path: Path):
    content = {"state_dict": Network().state_dict(), "best_score": np.float64(0.5)}
    torch.save(content, tmp_path / "m")
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda _: read_checkpoint(tmp_path / "m").best_score, range(200)))
    assert read == [0.5] * 200


def test_two_tensors_for_one_name_are_refused(tmp_path: Path):
    torch.save({"module.a.w": torch.ones(1), "a.w": torch.zeros(1)}, tmp_path / "m_0")
    with pytest.raises(ValueError, match=r"m_0 holds two tensors for a\.w"):
        read_checkpoint(tmp_path / "m_0")


def test_what_else_a_prefixed_file_holds_is_still_refused_and_listed(
    tmp_path: Path, state: Tensors
):
    lightning = {**prefixed("model.")(state), "loss.weight": torch.ones(2)}
    del lightning["model.res.bias"]
    torch.save({"state_dict": lightning}, tmp_path / "m_0")
    with pytest.raises(ValueError, match="does not fit") as refused:
        load_into(Network(), read_checkpoint(tmp_path / "m_0"))
    assert "1 missing (res.bias); 1 unexpected (loss.weight)" in str(refused.value)


# ---- what a file says of itself ----------------------------------------------------------------


def spelled_by_numpy_1(path: Path) -> None:
    """Rewrite a file as NumPy 1 pickles its scalars."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(b"numpy._core.multi", b"numpy.core.multi"))


@pytest.mark.parametrize("numpy_1", [False, True])
@pytest.mark.parametrize(
    "score",
    [np.float32(0.75), np.float64(0.75), np.float16(0.75), torch.tensor(0.75), 0.75, "0.75"],
    ids=lambda score: type(score).__name__,
)
def test_a_score_of_any_kind_of_number_is_read(tmp_path: Path, score: Any, numpy_1: bool):
    path = tmp_path / "m_0"
    torch.save({"state_dict": SMALL, "epoch": np.int64(4), "best_score": score}, path)
    if numpy_1:
        spelled_by_numpy_1(path)
    checkpoint = read_checkpoint(path)
    assert (checkpoint.epoch, checkpoint.best_score, checkpoint.notes) == (4, 0.75, ())
    if not isinstance(score, torch.Tensor):
        assert best_score(path) == 0.75


NO_NUMBERS: list[Any] = [
    *([1], [], {}, {"fold": 1}, "last", "", "None", float("nan"), float("inf"), True),
    torch.ones(2),
]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
@pytest.mark.parametrize("fact", ["epoch", "best_score"])
def test_what_is_no_number_is_ignored_with_a_note(tmp_path: Path, fact: str, value: Any):
    path = tmp_path / "m_0"
    torch.save({"state_dict": SMALL, "epoch": 3, "best_score": 0.5, fact: value}, path)
    checkpoint = read_checkpoint(path)
    kept = {"epoch": 3, "best_score": 0.5, fact: None}
    assert (checkpoint.epoch, checkpoint.best_score) == (kept["epoch"], kept["best_score"])
    (note,) = checkpoint.notes
    assert note.startswith(f"m_0: its {fact} is ")
    assert "\n" not in note
    assert best_score(path) == checkpoint.best_score


@pytest.mark.parametrize("value", ["last", "NaN", "None", "", "3.0", "[1]"])
def test_metadata_that_is_no_epoch_is_ignored_with_a_note(tmp_path: Path, value: str):
    path = tmp_path / "m_0.safetensors"
    save_file(SMALL, path, metadata={"epoch": value, "best_score": "0.5"})
    checkpoint = read_checkpoint(path)
    assert (checkpoint.epoch, checkpoint.best_score) == (None, 0.5)
    assert checkpoint.notes == (f"m_0.safetensors: its epoch is {value!r} and was ignored.",)


def test_a_files_content_tells_its_format_and_not_its_name(tmp_path: Path):
    save_file(SMALL, tmp_path / "m_0_best", metadata={"best_score": "0.5"})
    torch.save({"state_dict": SMALL, "best_score": 0.5}, tmp_path / "m_1.safetensors")
    for name in ("m_0_best", "m_1.safetensors"):
        same(read_checkpoint(tmp_path / name).state, SMALL)
        assert best_score(tmp_path / name) == 0.5


# ---- what is no checkpoint ---------------------------------------------------------------------

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 256000000\n"
PAGE = b"\n<!DOCTYPE html>\n<html><head><title>Sign in - Drive</title></head><body></body></html>"


def saved(content: object, **how: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **how)
    return file.getvalue()


def zipped(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def of_numpy() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.zeros(3))
    return file.getvalue()


def tensors(path: Path) -> bytes:
    save_file(SMALL, path)
    return path.read_bytes()


OURS = saved({"state_dict": SMALL})
OLD = saved({"state_dict": SMALL}, _use_new_zipfile_serialization=False)
NO_CHECKPOINTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is an empty file"),
    "lfs": (LFS, r"is a Git LFS pointer, .* \(256\.0 MB\): run `git lfs pull`"),
    "annex": (b"/annex/objects/SHA256E-s30--ab.pth\n", "is a git-annex pointer"),
    "page": (PAGE, r"is a web page \('Sign in - Drive'\), .*HTML"),
    "xml": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "is a web page"),
    "json": (b'{"error": "not found"}', "is a text file .*not found"),
    "text": ("no checkpoint, nämlich ein Text".encode(), "is a text file .*no checkpoint"),
    "zeros": (bytes(5000), "is filled with zeros"),
    "noise": (bytes(range(1, 200)) * 9, "neither a file of torch nor safetensors"),
    "gzip": (gzip.compress(OURS), "is compressed with gzip: unpack it first"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "is an HDF5 file"),
    "tiff": (b"II*\x00\x08\x00\x00\x00" + bytes(99), "is a TIFF image"),
    "zip": (zipped(readme=b"hello"), r"is a ZIP archive \(readme\), not a checkpoint"),
    "zip of nothing": (zipped(), r"is a ZIP archive \(empty\)"),
    "npz": (of_numpy(), r"is a NumPy archive \(a.npy\)"),
    "half": (OURS[: len(OURS) // 2], "was cut off: .* its end is missing"),
    "old half": (OLD[: len(OLD) // 2], "is damaged"),
    "pickle": (pickle.dumps({"a": 1}), "is a pickle that torch did not write"),
    "a network": (saved(torch.nn.Linear(2, 2)), r"holds more than tensors \(torch\.nn\."),
    "a namespace": (saved({"args": argparse.Namespace()}), r"tensors \(argparse\.Namespace\)"),
    "numbers": (saved({"state_dict": {"a": 3}}), "it is not a checkpoint"),
    "a list": (saved([1, 2]), "it is not a checkpoint"),
}


@pytest.mark.parametrize("ending", ["", ".pth", ".safetensors"])
@pytest.mark.parametrize("case", NO_CHECKPOINTS)
def test_a_file_that_is_no_checkpoint_is_said_to_be_what_it_is(
    tmp_path: Path, case: str, ending: str
):
    content, said = NO_CHECKPOINTS[case]
    path = tmp_path / f"m_0_best{ending}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said) as refused:
        read_checkpoint(path)
    one_sentence(refused.value, path)


def one_sentence(error: Exception, path: Path) -> None:
    assert str(error).startswith(f"Checkpoint {path} ")
    assert str(error).endswith(".")
    assert "\n" not in str(error)
    assert len(str(error)) - len(str(path)) < 300


def test_safetensors_that_were_cut_off_say_how_much_there_is(tmp_path: Path):
    path = tmp_path / "m_0.safetensors"
    save_file({"a": torch.zeros(2000)}, path)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(ValueError, match=r"was cut off: it has 5\.1 kB of the 8\.1 kB") as refused:
        read_checkpoint(path)
    one_sentence(refused.value, path)


def test_a_torchscript_program_is_said_to_be_one(tmp_path: Path):
    path = tmp_path / "m_0.pt"
    program = {"m/data.pkl": b"", "m/constants.pkl": b"", "m/code/__torch__.py": b""}
    path.write_bytes(zipped(**program))
    with pytest.raises(ValueError, match="is a TorchScript program"):
        read_checkpoint(path)


@pytest.mark.parametrize("holds", ["", "data.pkl", "archive/data.pkl"])
def test_a_folder_is_said_to_be_one(tmp_path: Path, holds: str):
    path = tmp_path / "m_0_best"
    (path / holds).mkdir(parents=True)
    said = "is a folder that a checkpoint was unpacked into" if holds else "is a folder, not a file"
    with pytest.raises(ValueError, match=said) as refused:
        read_checkpoint(path)
    one_sentence(refused.value, path)


TEXT = """
name: two
folds: [0, 1]
resolutions:
  - {scale: 0.5, members: [{network: {encoder: test_resnet}, checkpoint: "m_{fold}"}]}
"""


def test_a_missing_checkpoint_says_what_stands_in_its_place(tmp_path: Path):
    recipe = Recipe.from_yaml(TEXT)
    (tmp_path / "m_0").write_bytes(OURS)
    (tmp_path / "m_1").mkdir()
    with pytest.raises(FileNotFoundError, match="m_1 there is a folder, not a file"):
        find_checkpoints(recipe.members(), [tmp_path])
    (tmp_path / "m_1").rmdir()
    (tmp_path / "m_1.pth").symlink_to(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"m_1\.pth there is a link to a file that is gone"):
        find_checkpoints(recipe.members(), [tmp_path])


def test_a_score_is_not_missed_in_what_is_no_checkpoint(tmp_path: Path):
    (tmp_path / "m_0").write_bytes(LFS)
    (tmp_path / "m_1").write_bytes(OURS)
    recipe = Recipe.from_yaml(TEXT.replace("}]", ", weight: best_score}]"))
    with pytest.raises(ValueError, match="m_0 is a Git LFS pointer"):
        with_scores(recipe, find_checkpoints(recipe.members(), [tmp_path]))


# ---- before the run ----------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "said"), [(float("nan"), "NaN"), (float("-inf"), "infinity")])
@pytest.mark.parametrize("ending", ["", ".safetensors"])
def test_weights_that_are_no_numbers_are_refused_by_the_tensors_name(
    tmp_path: Path,
    state: Tensors,
    wanted: dict[str, torch.Size],
    value: float,
    said: str,
    ending: str,
):
    path = tmp_path / f"m_0{ending}"
    wrong = {key: tensor.clone() for key, tensor in state.items()}
    wrong["encoder.0.weight"].view(-1)[[1, 5]] = value
    if ending:
        save_file(wrong, path)
    else:
        torch.save({"model": prefixed("module.")(wrong)}, path)
    for refuse in (
        lambda: check_checkpoint(path, wanted),
        lambda: check_checkpoint(path),
        lambda: load_into(Network(), read_checkpoint(path)),
    ):
        with pytest.raises(ValueError, match=rf"{said} in encoder\.0\.weight \(2 of") as error:
            refuse()
        one_sentence(error.value, path)


def test_large_numbers_are_numbers(tmp_path: Path):
    torch.save({"a": torch.full((4,), 3e38), "b": torch.full((9,), 6e4).half()}, tmp_path / "m_0")
    assert check_checkpoint(tmp_path / "m_0") == ()


def test_a_check_before_the_run_says_what_the_run_would_refuse(
    tmp_path: Path, state: Tensors, wanted: dict[str, torch.Size]
):
    path = tmp_path / "m_0"
    torch.save({"state_dict": prefixed("model.")(state), "epoch": "last"}, path)
    assert len(check_checkpoint(path, wanted)) == 2
    short = {key: tensor for key, tensor in state.items() if key != "res.bias"}
    torch.save(short, path)
    assert check_checkpoint(path) == ()
    with pytest.raises(ValueError, match=r"1 missing \(res\.bias\)"):
        check_checkpoint(path, wanted)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="m_0 was not found in"):
        check_checkpoint(path, wanted)
