"""A checkpoint's bytes on the way to a GPU: read in pieces, copied while the next piece is read.

Responsible for nothing but the bytes. All of it leaves the interpreter to others, so that it can go
on beside a network that runs: one that builds networks in a thread would hold up every layer.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

__all__ = ["Staged", "stage"]

_PIECE = 16 << 20  # bytes; two or more for each reader are in page-locked memory at a time
_READERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Staged:
    """The bytes of a file.

    Attributes
    ----------
    held
        uint8 (n,), on the device.
    stamp
        Of the file as it was read: size and time of its last change, ns.
    """

    held: Tensor
    stamp: tuple[int, int]

    def is_of(self, path: Path) -> bool:
        """Tell whether the file is still the one that was read."""
        return self.stamp == _stamp(path)


def stage(path: Path, device: torch.device, stream: torch.cuda.Stream | None = None) -> Staged:
    """Read a file onto a device; when this returns, its bytes are there.

    Parameters
    ----------
    stream
        On which they are copied; default: the present one.

    Raises
    ------
    torch.OutOfMemoryError
        When the device has no room for them.
    OSError
        When the file cannot be read, or ends before its end.
    """
    stamp = _stamp(path)
    if device.type == "cuda" and stream is None:
        stream = torch.cuda.current_stream(device)
    with _on(stream):
        held = torch.empty(stamp[0], dtype=torch.uint8, device=device)
    starts = range(0, len(held), _PIECE)
    with ThreadPoolExecutor(_READERS, thread_name_prefix="hubseg-bytes") as readers:
        for _ in readers.map(lambda start: _piece(path, held, start, stream), starts):
            pass
    if stream is not None:
        stream.synchronize()
    return Staged(held, stamp)


def _piece(path: Path, held: Tensor, start: int, stream: torch.cuda.Stream | None) -> None:
    into = held[start : start + _PIECE]
    piece = torch.empty(len(into), dtype=torch.uint8, pin_memory=held.is_cuda)
    left: Any = memoryview(piece.numpy().data)
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while left:
            count = file.readinto(left)
            if not count:
                raise OSError(f"{path} became shorter while it was read: try again.")
            left = left[count:]
    with _on(stream):
        into.copy_(piece, non_blocking=True)


def _on(stream: torch.cuda.Stream | None) -> Any:
    return nullcontext() if stream is None else torch.cuda.stream(stream)


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
