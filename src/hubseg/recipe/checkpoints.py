"""Where a recipe's checkpoints lie.

Responsible for the names they are looked for under and for saying what is missing. Does not read
them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hubseg.recipe.file_format import what_is_there

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubseg.recipe.entries import Member

__all__ = ["find_checkpoint", "find_checkpoints"]

ENDINGS = ("", ".safetensors", ".pth", ".pt")


def find_checkpoint(name: str, folders: Sequence[Path]) -> Path | None:
    """Return the file of a checkpoint in the first folder that has it, with any known ending."""
    for folder in folders:
        for ending in ENDINGS:
            path = Path(folder) / f"{name}{ending}"
            if path.is_file():
                return path
    return None


def find_checkpoints(members: Sequence[Member], folders: Sequence[Path]) -> dict[str, Path]:
    """Return the file of every member's checkpoint, by checkpoint name.

    Raises
    ------
    FileNotFoundError
        When some are missing; the message names them and says where they were looked for.
    """
    names = dict.fromkeys(member.checkpoint for member in members)
    found = {name: find_checkpoint(name, folders) for name in names}
    missing = [name for name, path in found.items() if path is None]
    where = ", ".join(str(folder) for folder in folders) or "no folder at all"
    instead = _in_their_place(missing, folders)
    if missing and len(missing) == len(names):
        endings = ", ".join(filter(None, ENDINGS))
        raise FileNotFoundError(
            f"None of the {len(names)} checkpoints was found: looked in {where} for "
            f"{_some(missing, 12)}, without an ending or with {endings}{instead}: name the folder "
            "that holds them."
        )
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(names)} checkpoints are missing ({_some(missing, 3)}; looked "
            f"in {where}{instead}): name the folder that holds them."
        )
    return {name: path for name, path in found.items() if path is not None}


def _in_their_place(names: Sequence[str], folders: Sequence[Path]) -> str:
    """Say what stands under the first missing name that something stands under; "" for none."""
    for name in names:
        for path in (Path(folder) / f"{name}{end}" for folder in folders for end in ENDINGS):
            if there := what_is_there(path):
                return f"; {path.name} there is {there}"
    return ""


def _some(names: Sequence[str], shown: int) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
