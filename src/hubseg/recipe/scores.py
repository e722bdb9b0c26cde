"""What checkpoints scored, read without torch and without running anything in them.

Responsible for `weight: best_score`: finding the score in a file's own words and writing it into
the recipe. Skips the tensors: a file of 800 MB takes a millisecond. Does not know networks.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hubseg.recipe.core import Recipe

__all__ = ["best_score", "with_scores"]

_LONGEST_HEADER = 100 << 20  # bytes; safetensors allows no longer one


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
                if score is None or not score > 0:
                    raise ValueError(
                        f"Checkpoint {files[name]} says no best_score above 0, which the recipe "
                        "asks for as its weight: give the entry a number as weight."
                    )
                scores[name] = score
    return recipe.weighed(scores)


def best_score(path: Path) -> float | None:
    """Return a checkpoint's best score; None where the file has none or cannot be read.

    Raises
    ------
    OSError
        When the file cannot be opened.
    """
    with path.open("rb") as file:
        try:
            content = _safetensors(file) if path.suffix == ".safetensors" else _torch(file)
            score = content.get("best_score")
            return None if score is None else float(score)
        except (ValueError, TypeError, KeyError, EOFError, struct.error, AttributeError):
            return None
        except (pickle.UnpicklingError, zipfile.BadZipFile, IndexError):
            return None


def _safetensors(file: Any) -> Mapping[str, Any]:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > _LONGEST_HEADER:
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

    NumPy's float64 scalar, which published files hold, is taken from its eight bytes.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module in {"numpy.core.multiarray", "numpy._core.multiarray"} and name == "scalar":
            return _float64
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


def _float64(_: Any, stored: bytes) -> float:
    (value,) = struct.unpack("<d", stored)
    return float(value)
