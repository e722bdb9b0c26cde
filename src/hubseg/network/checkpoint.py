"""Checkpoints that are read safely, or not at all.

Responsible for reading files without ever unpickling more than tensors and NumPy's scalars, and for
saying what was passed over. Does not know networks, or whether a file fits one
(:mod:`hubseg.network.fitting`).
"""

from __future__ import annotations

import pickle
import re
import struct
import threading
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hubseg.failure import printable
from hubseg.network.spelling import find_tensors, strip_prefixes
from hubseg.network.stored_tensors import content_of
from hubseg.recipe.file_format import checkpoint_format, is_zip
from hubseg.recipe.scores import epoch_of, score_of

__all__ = ["Checkpoint", "read_checkpoint"]

# NumPy 2 and NumPy 1 spell the scalar's constructor differently; published files hold NumPy 1's.
_SCALAR = np._core.multiarray.scalar  # type: ignore[attr-defined]
_NUMBERS = "?bhilqBHILQefd"  # the letters of NumPy's dtypes of plain numbers
_SAFE = [
    _SCALAR,
    (_SCALAR, "numpy.core.multiarray.scalar"),
    np.dtype,
    *dict.fromkeys(type(np.dtype(letter)) for letter in _NUMBERS),
]

# torch's list of what may be unpickled is the whole process's: a thread that is done with a file
# would take these off it while another one still reads
_ALLOWING = threading.Lock()

# What torch.load raises of damaged files, beside the refusal of a pickle that asks for more.
_DAMAGED = (
    *(RuntimeError, EOFError, OSError, LookupError, ValueError, TypeError, AttributeError),
    *(AssertionError, ImportError, OverflowError, MemoryError, struct.error, zipfile.BadZipFile),
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file's tensors, and what it says of itself.

    Attributes
    ----------
    path
        The file.
    state
        Its tensors by name, known prefixes taken off.
    epoch, best_score
        As the file says; None where it does not, or says something else than a number.
    notes
        What was taken off, or passed over; each a sentence that names the file.
    """

    path: Path
    state: Mapping[str, Tensor]
    epoch: int | None = None
    best_score: float | None = None
    notes: tuple[str, ...] = ()


def read_checkpoint(path: Path, held: Tensor | None = None) -> Checkpoint:
    """Read a checkpoint of torch or safetensors; its content tells which, and not its name.

    Only tensors, plain containers and NumPy's scalars are unpickled; a file that asks for anything
    else is refused before anything in it runs.

    Parameters
    ----------
    held
        The file's bytes, uint8 (n,), where they were read already: its tensors are views of them
        where its layout allows, and stay on that device.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is damaged, is no checkpoint, or asks for code to be run.
    """
    path = Path(path)
    if checkpoint_format(path) == "safetensors":
        return _checkpoint(path, _read_safetensors(path))
    return _checkpoint(path, _read_torch(path, held))


def _read_torch(path: Path, held: Tensor | None) -> object:
    if held is not None and (found := content_of(path, held)) is not None:
        return found
    # mapped, tensors are read where they are needed, once; torch.load goes by the ending of a path
    mapped = is_zip(path) and path.suffix != ".safetensors"
    try:
        with (
            path.open("rb") as file,
            _ALLOWING,
            torch.serialization.safe_globals(_SAFE),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", UserWarning)  # of old pickle protocols: read or refused
            given: Any = path if mapped else file
            return torch.load(given, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL (\S+)|got <class '([^']+)'>", str(error))
        what = f"({printable((asked[1] or asked[2])[:80])}) " if asked else ""
        raise ValueError(
            f"Checkpoint {path} holds more than tensors {what}and was refused unread: save the "
            "network's state_dict() alone, or get it as safetensors from a source you trust."
        ) from error
    except _DAMAGED as error:
        raise ValueError(
            f"Checkpoint {path} is damaged: download or copy it again ({_first_words(error)})."
        ) from error


def _read_safetensors(path: Path) -> object:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as stored:
            said: dict[str, Any] = stored.metadata() or {}
            state = {key: stored.get_tensor(key) for key in stored.keys()}
    except (SafetensorError, *_DAMAGED) as error:
        raise ValueError(
            f"Checkpoint {path} is damaged: download or copy it again ({_first_words(error)})."
        ) from error
    return {"state_dict": state, "epoch": said.get("epoch"), "best_score": said.get("best_score")}


def _first_words(error: BaseException) -> str:
    lines = str(error).splitlines()
    return printable(lines[0][:200]) if lines else type(error).__name__


def _checkpoint(path: Path, content: object) -> Checkpoint:
    tensors, notes = find_tensors(content)
    if tensors is None or not isinstance(content, Mapping):
        raise ValueError(f"Checkpoint {path} holds no table of tensors: it is not a checkpoint.")
    try:
        state, more = strip_prefixes(tensors)
    except ValueError as error:
        raise ValueError(f"Checkpoint {path} {error}.") from error
    told = content.get("epoch"), content.get("best_score")
    epoch, score = epoch_of(told[0]), score_of(told[1])
    passed_over = (
        f"its {name} is {_short(value)} and was ignored"
        for name, value, read in zip(("epoch", "best_score"), told, (epoch, score), strict=True)
        if value is not None and read is None
    )
    said = (*notes, *more, *passed_over)
    return Checkpoint(path, state, epoch, score, tuple(f"{path.name}: {note}." for note in said))


def _short(value: object) -> str:
    """Say in a few words what stands where a number should: text as it is, else its kind."""
    plain = isinstance(value, str | int | float)
    return repr(value)[:40] if plain else f"of the kind {type(value).__name__}"
