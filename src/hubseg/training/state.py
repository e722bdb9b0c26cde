"""Where a training stands, on disk: whole or not at all, and never in place of the last good one.

Responsible for the files of weights and of states to resume from. Does not know what is in a state.
"""

from __future__ import annotations

import errno
import json
import pickle
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import nn

__all__ = ["load_state", "save_published", "save_state", "save_weights"]


@contextmanager
def _in_place_of(path: Path) -> Iterator[Path]:
    """Give a file to write; it takes the place of `path` only when it is whole.

    It may be read by whom a new file of this person's may: safetensors' writer makes private ones.

    Raises
    ------
    OSError
        When there is no room; the sentence says that the old file stays.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch()
        usual = part.stat().st_mode
        yield part
        part.chmod(usual)
        part.replace(path)
    except (OSError, RuntimeError) as error:
        part.unlink(missing_ok=True)
        # torch's own writer and safetensors' say it in words, without a number
        full = getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT}
        if full or "space" in str(error).lower() or "write" in str(error).lower():
            kept = " The last good one is untouched." if path.is_file() else ""
            raise OSError(
                errno.ENOSPC,
                f"No room on the disk for {path}.{kept} Free some and go on with --resume",
            ) from error
        raise


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state of tensors and plain containers.

    Raises
    ------
    OSError
        When it cannot be written; the file that was there stays.
    """
    with _in_place_of(path) as part:
        torch.save(state, part)


def load_state(path: Path) -> dict[str, Any]:
    """Read a state.

    Raises
    ------
    ValueError
        When the file is damaged or none of ours.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path} is no state of a training or is damaged: delete it to train this member from "
            f"the start ({str(error).splitlines()[0] if str(error) else type(error).__name__})."
        ) from error
    if not isinstance(content, dict) or "step" not in content:
        raise ValueError(f"{path} is no state of a training: delete it to start again.")
    return content


def _half(network: nn.Module) -> dict[str, torch.Tensor]:
    return {
        key: (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for key, value in network.state_dict().items()
    }


def save_weights(
    path: Path,
    network: nn.Module,
    *,
    epoch: int,
    pretrained: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Write a network's weights in half precision as safetensors.

    Parameters
    ----------
    pretrained
        Where its first weights come from; read by :func:`hubseg.recipe.scores.pretrained_from`.
    labels
        What its labels agreed on; read by :func:`hubseg.recipe.scores.labels_from`.
    """
    told = {"epoch": str(epoch)}
    for name, facts in (("pretrained", pretrained), ("labels", labels)):
        if facts:
            told[name] = json.dumps(dict(facts))
    save_tensors(path, _half(network), told)


def save_tensors(path: Path, tensors: dict[str, torch.Tensor], told: dict[str, str]) -> None:
    """Write tensors as safetensors, whole or not at all, with what is told of them."""
    from safetensors.torch import save_file

    with _in_place_of(path) as part:
        save_file(tensors, part, metadata=told)


def save_published(path: Path, network: nn.Module, *, epoch: int, best_score: float) -> None:
    """Write a checkpoint as the published ones are: epoch, state_dict, best_score.

    Half precision: the values are those of the safetensors beside it.
    """
    content = {"epoch": epoch, "state_dict": _half(network), "best_score": float(best_score)}
    with _in_place_of(path) as part:
        torch.save(content, part)
