"""Checkpoints that load safely and whole, or not at all.

Responsible for reading files without ever unpickling more than tensors and NumPy's scalars, for
saying what was passed over, and for refusing what does not fit or holds no numbers. Does not know
how a network is made.
"""

from __future__ import annotations

import pickle
import re
import struct
import threading
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hubseg.failure import printable
from hubseg.network.spelling import find_tensors, strip_prefixes
from hubseg.network.stored_tensors import content_of
from hubseg.recipe.file_format import checkpoint_format, is_zip
from hubseg.recipe.scores import epoch_of, score_of

__all__ = ["Checkpoint", "check_checkpoint", "fit", "fitting", "load_into", "read_checkpoint"]

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


def check_checkpoint(path: Path, wanted: Mapping[str, torch.Size] | None = None) -> tuple[str, ...]:
    """Read a checkpoint as a run would, build nothing, and return the notes there are on it.

    Parameters
    ----------
    wanted
        The shape of every tensor of the network, by key; None where they are not compared.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the run would refuse it: what it is instead, what does not fit, or which tensor holds
        NaN or infinity.
    """
    checkpoint = read_checkpoint(path)
    if wanted is not None:
        fitting(wanted, checkpoint)
    else:
        _look_at_numbers(checkpoint)
    return checkpoint.notes


def _look_at_numbers(checkpoint: Checkpoint) -> None:
    """Refuse NaN and infinity, which would make every map of the network nothing.

    Raises
    ------
    ValueError
        When a tensor holds one; the first is named, with its count.
    """
    if _are_finite_on_device(list(checkpoint.state.values())):
        return
    for name, tensor in checkpoint.state.items():
        if not tensor.is_floating_point() or tensor.numel() == 0:
            continue
        # a sum passes NaN and infinity on, and needs no second tensor; it may overflow by itself
        if torch.isfinite(tensor.sum(dtype=torch.float32)):
            continue
        wrong = int((~torch.isfinite(tensor)).sum())
        if wrong:
            what = "NaN" if torch.isnan(tensor).any() else "infinity"
            raise ValueError(
                f"Checkpoint {checkpoint.path} holds {what} in {name} ({wrong} of "
                f"{tensor.numel()} values): its training went wrong, take an earlier one."
            )


def _are_finite_on_device(tensors: list[Tensor]) -> bool:
    """Tell whether all are on a GPU and surely finite: the answer of each would be waited for."""
    previewed_step = [one for one in tensors if one.is_floating_point() and one.numel()]
    if not previewed_step or not all(one.is_cuda for one in previewed_step):
        return False
    norms = [one.float() for one in torch._foreach_norm(previewed_step)]
    return bool(torch.isfinite(torch.stack(norms)).all())


def _respelled(state: Mapping[str, Tensor], change: Callable[[str], str]) -> dict[str, Tensor]:
    return {change(key): tensor for key, tensor in state.items()}


def _model_in(key: str) -> str:
    """Spell a published CoaT key as timm's wrapper does: ``encoder.x`` is ``encoder.model.x``."""
    if not key.startswith("encoder.") or key.startswith("encoder.model."):
        return key
    return "encoder.model." + key.removeprefix("encoder.")


def fit(
    wanted: Mapping[str, torch.Size], checkpoint: Checkpoint
) -> tuple[dict[str, Tensor], dict[str, list[str]]]:
    """Spell a checkpoint's keys as a network does and compare them.

    Known spellings: published CoaT files lack timm's ``encoder.model.``; files of
    segmentation_models_pytorch lack our ``network.``.

    Parameters
    ----------
    wanted
        The shape of every tensor of the network, by key.

    Returns
    -------
    state
        The file's tensors under the network's names.
    problems
        Keys that are ``missing``, ``unexpected`` or ``of another shape``; all empty when it fits.
    """
    spellings: tuple[Callable[[str], str], ...] = (
        str,
        _model_in,
        lambda key: f"network.{key}",
    )
    if checkpoint.state.keys() == wanted.keys():
        spellings = spellings[:1]
    state = max(
        (_respelled(checkpoint.state, spelling) for spelling in spellings),
        key=lambda spelled: len(wanted.keys() & spelled.keys()),
    )
    both = wanted.keys() & state.keys()
    return state, {
        "missing": sorted(wanted.keys() - state.keys()),
        "unexpected": sorted(state.keys() - wanted.keys()),
        "of another shape": sorted(key for key in both if wanted[key] != state[key].shape),
    }


def load_into(
    network: nn.Module, checkpoint: Checkpoint, device: torch.device | None = None
) -> None:
    """Load every tensor of `checkpoint`, or none.

    Parameters
    ----------
    device
        Where the tensors of a network from :func:`hubseg.network.blank` are put; default: the CPU.

    Raises
    ------
    ValueError
        When keys are missing, unexpected or of another shape, or a tensor holds NaN or infinity;
        the message names them.
    """
    own = network.state_dict()
    state = fitting({key: tensor.shape for key, tensor in own.items()}, checkpoint)
    empty = any(tensor.is_meta for tensor in own.values())
    if empty:  # copies: a mapped file may change while the network is kept
        state = {
            key: tensor.to(device or "cpu", own[key].dtype, copy=True)
            for key, tensor in state.items()
        }
    network.load_state_dict(state, strict=True, assign=empty)


def fitting(wanted: Mapping[str, torch.Size], checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Return a checkpoint's tensors under a network's names.

    Parameters
    ----------
    wanted
        The shape of every tensor of the network, by key.

    Raises
    ------
    ValueError
        When keys are missing, unexpected or of another shape, or a tensor holds NaN or infinity;
        the message names them.
    """
    state, problems = fit(wanted, checkpoint)
    said = [f"{len(keys)} {what} ({_some(keys)})" for what, keys in problems.items() if keys]
    if said:
        raise ValueError(
            f"Checkpoint {checkpoint.path} does not fit the network: {'; '.join(said)}. "
            "Check the recipe's encoder for this file."
        )
    _look_at_numbers(checkpoint)
    return state


def _some(keys: list[str], shown: int = 3) -> str:
    return ", ".join(keys[:shown]) + (f", … {len(keys) - shown} more" if len(keys) > shown else "")
