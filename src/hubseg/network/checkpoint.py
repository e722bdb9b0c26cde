"""Checkpoints that load safely and whole, or not at all.

Responsible for reading files without ever unpickling more than tensors and the NumPy scalar the
published files hold, for the spellings of their keys, and for saying what does not fit. Does not
know how a network is made.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["Checkpoint", "fit", "fitting", "load_into", "read_checkpoint"]

# NumPy 2 and NumPy 1 spell the scalar's constructor differently; published files hold NumPy 1's.
_SCALAR = np._core.multiarray.scalar  # type: ignore[attr-defined]
_SAFE = [
    _SCALAR,
    (_SCALAR, "numpy.core.multiarray.scalar"),
    np.dtype,
    np.dtypes.Float64DType,
]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file's tensors, and what it says of itself."""

    path: Path
    state: Mapping[str, Tensor]
    epoch: int | None = None
    best_score: float | None = None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint: published (no extension), `.pth`, or `.safetensors`.

    Only tensors, plain containers and NumPy's float64 scalar are unpickled; a file that asks for
    anything else is refused before anything in it runs.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is damaged, is no checkpoint, or asks for code to be run.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"Checkpoint {path.name} was not found in {path.parent}: name the folder that holds it."
        )
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        with torch.serialization.safe_globals(_SAFE), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of old pickle protocols: read or refused
            content = torch.load(
                path,
                map_location="cpu",
                weights_only=True,
                mmap=zipfile.is_zipfile(path),  # tensors are read where they are needed, once
            )
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"Checkpoint {path} holds more than tensors and was refused unread: get it from a "
            f"source you trust as safetensors ({str(error).splitlines()[0]})."
        ) from error
    except (RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        raise ValueError(
            f"Checkpoint {path} is damaged or not a torch checkpoint; copy it again "
            f"({str(error).splitlines()[0] if str(error) else type(error).__name__})."
        ) from error
    return _checkpoint(path, content)


def _read_safetensors(path: Path) -> Checkpoint:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as stored:
            said = stored.metadata() or {}
            state = {key: stored.get_tensor(key) for key in stored.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"Checkpoint {path} is damaged or not safetensors; copy it again ({error})."
        ) from error
    return _checkpoint(
        path,
        {
            "state_dict": state,
            "epoch": int(said["epoch"]) if "epoch" in said else None,
            "best_score": float(said["best_score"]) if "best_score" in said else None,
        },
    )


def _checkpoint(path: Path, content: object) -> Checkpoint:
    if not isinstance(content, Mapping):
        raise ValueError(f"Checkpoint {path} holds no table of tensors: it is not a checkpoint.")
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f"Checkpoint {path} holds no table of tensors: it is not a checkpoint.")
    prefix = "module."
    epoch, score = content.get("epoch"), content.get("best_score")
    return Checkpoint(
        path=path,
        state={str(key).removeprefix(prefix): tensor for key, tensor in state.items()},
        epoch=None if epoch is None else int(epoch),
        best_score=None if score is None else float(score),
    )


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


def load_into(network: nn.Module, checkpoint: Checkpoint) -> None:
    """Load every tensor of `checkpoint`, or none.

    Raises
    ------
    ValueError
        When keys are missing, unexpected or of another shape; the message names them.
    """
    wanted = {key: tensor.shape for key, tensor in network.state_dict().items()}
    network.load_state_dict(fitting(wanted, checkpoint), strict=True)


def fitting(wanted: Mapping[str, torch.Size], checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Return a checkpoint's tensors under a network's names.

    Parameters
    ----------
    wanted
        The shape of every tensor of the network, by key.

    Raises
    ------
    ValueError
        When keys are missing, unexpected or of another shape; the message names them.
    """
    state, problems = fit(wanted, checkpoint)
    said = [f"{len(keys)} {what} ({_some(keys)})" for what, keys in problems.items() if keys]
    if said:
        raise ValueError(
            f"Checkpoint {checkpoint.path} does not fit the network: {'; '.join(said)}. "
            "Check the recipe's encoder for this file."
        )
    return state


def _some(keys: list[str], shown: int = 3) -> str:
    return ", ".join(keys[:shown]) + (f", … {len(keys) - shown} more" if len(keys) > shown else "")
