"""What checkpoints say of themselves, read without torch and without running anything in them.

Responsible for `weight: best_score`: finding the score in a file's own words and writing it into
the recipe; for what counts as an epoch or a score at all; for where its first weights were from
and what its labels agreed on. Skips the tensors: a file of 800 MB takes a millisecond. Does not
know networks.
"""

from __future__ import annotations

import io
import json
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hubseg.failure import printable
from hubseg.recipe.file_format import LONGEST_HEADER, checkpoint_format

if TYPE_CHECKING:
    from pathlib import Path

    from hubseg.recipe.core import Recipe

__all__ = ["best_score", "epoch_of", "labels_from", "pretrained_from", "score_of", "with_scores"]


def with_scores(recipe: Recipe, files: Mapping[str, Path]) -> Recipe:
    """Return the recipe with every `weight: best_score` replaced by what the files say.

    Parameters
    ----------
    files
        The file of each checkpoint, by checkpoint name.

    Raises
    ------
    ValueError
        When a score that is needed is missing or not greater than 0; the message names the file.
    """
    if not recipe.needs_scores:
        return recipe
    scores = {}
    for resolution in recipe.resolutions:
        for entry in resolution.members:
            for fold in recipe.folds if entry.weight == "best_score" else ():
                name = entry.checkpoint.replace("{fold}", str(fold))
                if name not in files:
                    continue
                score = best_score(files[name])
                if score is None:
                    checkpoint_format(files[name])  # it may be no checkpoint at all: said as such
                if score is None or not score > 0:
                    raise ValueError(
                        f"Checkpoint {files[name]} says no best_score above 0, which the recipe "
                        "asks for as its weight: give the entry a number as weight."
                    )
                scores[name] = score
    return recipe.weighed(scores)


def score_of(value: object) -> float | None:
    """Return a checkpoint's score: a finite number, also in words; None for anything else."""
    number = _number(value)
    return number if number is not None and math.isfinite(number) else None


def epoch_of(value: object) -> int | None:
    """Return a checkpoint's epoch: a whole number, also in words; None for anything else."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return None
    number = _number(value)
    return int(number) if number is not None and number.is_integer() else None


def _number(value: object) -> float | None:
    try:  # a scalar of NumPy or torch; one with several values has no item
        plain = value.item() if hasattr(value, "item") else value
        if isinstance(plain, int | float | str) and not isinstance(plain, bool):
            return float(plain)
    except (ValueError, TypeError, RuntimeError, OverflowError):
        pass
    return None


def best_score(path: Path) -> float | None:
    """Return a checkpoint's best score; None where the file has none or cannot be read.

    Raises
    ------
    OSError
        When the file cannot be opened.
    """
    return score_of(_told(path).get("best_score"))


def pretrained_from(path: Path) -> dict[str, str]:
    """Return where a network's first weights come from, as its file says; {} where it does not.

    Returns
    -------
    ``from``, ``file``, ``licence``, ``encoder`` and, where a file was read, its ``sha256``.

    Raises
    ------
    OSError
        When the file cannot be opened.
    """
    return _facts(path, "pretrained")


def labels_from(path: Path) -> dict[str, str]:
    """Return what a network's labels agreed on, as its file says; {} for each slide's own outlines.

    Returns
    -------
    ``method`` (mean or staple), and how many ``slides`` in how many ``sets`` share tissue.

    Raises
    ------
    OSError
        When the file cannot be opened.
    """
    return _facts(path, "labels")


def _facts(path: Path, name: str) -> dict[str, str]:
    """Return plain facts that a file holds under a name."""
    told = _told(path).get(name)
    try:
        facts = json.loads(told) if isinstance(told, str) else {}
    except ValueError:
        return {}
    plain = isinstance(facts, dict) and all(isinstance(one, str) for one in facts.values())
    return {printable(name): printable(one[:200]) for name, one in facts.items()} if plain else {}


def _told(path: Path) -> Mapping[str, Any]:
    """Return what a file holds beside its tensors; {} where it cannot be read."""
    with path.open("rb") as file:
        try:
            read = _safetensors if checkpoint_format(path) == "safetensors" else _torch
            content = read(file)
        except _NOT_READ:
            return {}
    return content if isinstance(content, Mapping) else {}


_NOT_READ = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, StopIteration),
    *(OSError, OverflowError, MemoryError, RecursionError, NotImplementedError),
    *(struct.error, pickle.UnpicklingError, zipfile.BadZipFile),
)  # of a damaged file: a pickle's words may ask for anything


def _safetensors(file: Any) -> Mapping[str, Any]:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > LONGEST_HEADER:
        raise ValueError("the header is longer than the format allows")
    told: Mapping[str, Any] = json.loads(file.read(length)).get("__metadata__", {})
    return told


def _torch(file: Any) -> Any:
    if not zipfile.is_zipfile(file):
        file.seek(0)
        for _ in range(3):  # before 1.6: magic number, protocol and system come first
            _Words(file).load()
        return _Words(file).load()
    with zipfile.ZipFile(file) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        return _Words(io.BytesIO(archive.read(name))).load()


class _Words(pickle.Unpickler):
    """Reads plain values only: whatever else a file asks for becomes inert, and nothing is called.

    NumPy's scalars, which published files hold, are taken from their bytes.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module in {"numpy.core.multiarray", "numpy._core.multiarray"} and name == "scalar":
            return _scalar
        if (module, name) == ("numpy", "dtype"):
            return _Dtype
        if (module, name) == ("_codecs", "encode"):
            return _bytes  # how the pickles of torch.save spell bytes
        return _Inert

    def persistent_load(self, pid: Any) -> None:
        del pid


class _Inert:
    """Stands for anything a file asks to be built; takes what it is given and does nothing."""

    def __new__(cls, *_: Any) -> _Inert:
        return object.__new__(cls)

    def __call__(self, *_: Any) -> _Inert:
        return self

    def __setstate__(self, _: Any) -> None: ...


def _bytes(text: str, _: str) -> bytes:
    return text.encode("latin1")


class _Dtype:
    """Stands for NumPy's dtype of a scalar: its letter and size, such as f8, and its byte order."""

    def __init__(self, name: str, *_: Any) -> None:
        self.name, self.order = str(name), "<"

    def __setstate__(self, state: Any) -> None:
        self.order = ">" if state[1] == ">" else "<"


# NumPy's name of a scalar's dtype -> struct's letter
_LETTERS = {
    **{"f2": "e", "f4": "f", "f8": "d"},
    **{"i1": "b", "i2": "h", "i4": "i", "i8": "q"},
    **{"u1": "B", "u2": "H", "u4": "I", "u8": "Q"},
}


def _scalar(dtype: _Dtype, stored: bytes) -> float:
    (value,) = struct.unpack(dtype.order + _LETTERS[dtype.name], stored)
    return float(value)
