"""Devices of this computer, found without starting a GPU library, and which worker gets which.

Responsible for names. Does not know whether torch can use a device: workers find out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

__all__ = ["local_devices", "worker_devices"]

_GPUS = Path("/proc/driver/nvidia/gpus")
_ANSWER_S = 5.0


def local_devices() -> tuple[str, ...]:
    """Return the names of devices to choose from: auto, cpu, and one cuda:N for each GPU."""
    return ("auto", "cpu", *(f"cuda:{n}" for n in range(_count())))


def worker_devices(chosen: str) -> tuple[str, ...]:
    """Return the device of each worker that is to be started, in order.

    Parameters
    ----------
    chosen
        ``auto`` (every GPU there is, else the CPU), ``cpu``, ``cuda:N``, or several of these with
        commas between them.

    Raises
    ------
    ValueError
        When a name is none of these.
    """
    names = tuple(name.strip() for name in chosen.split(","))
    unknown = [name for name in names if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name)]
    if unknown or len(set(names)) < len(names):
        raise ValueError(
            f"{chosen!r} names no devices: use auto, cpu, cuda:N, or several such as cuda:0,cuda:1."
        )
    if names == ("auto",):
        return tuple(f"cuda:{n}" for n in range(_count())) if _count() > 1 else names
    return names


def _count() -> int:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([part for part in visible.split(",") if part.strip() not in ("", "-1")])
    try:
        return len(list(_GPUS.iterdir()))
    except OSError:
        return _count_by_asking()


def _count_by_asking() -> int:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 0
    try:
        told = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=_ANSWER_S)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in told.stdout.splitlines())
