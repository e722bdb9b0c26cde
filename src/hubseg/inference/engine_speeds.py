"""How fast networks ran on this CPU, by torch and by OpenVINO, as it was measured before.

Responsible for remembering that beside the user's other caches. A file that is damaged or cannot be
read is measured again, and one that cannot be written is no loss. Does not measure.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from hubseg.inference.openvino_model import installed_version

__all__ = ["Speeds", "recall", "remember", "speed_key"]

_MOST = 500  # networks remembered, the newest
_writing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Speeds:
    """What was measured of a network.

    Attributes
    ----------
    torch, openvino
        Seconds of a pass for each of the B × 3 × h × w numbers that go in.
    build
        Seconds that OpenVINO's model took to make, beyond the pass that torch gives meanwhile.
    refused
        Why OpenVINO is not used for it; empty where it can be.
    """

    torch: float = 0.0
    openvino: float = 0.0
    build: float = 0.0
    refused: str = ""

    def saved(self, passes: int, shape: tuple[int, ...]) -> float:
        """Return the seconds that OpenVINO saves in so many passes, making its model included."""
        return passes * math.prod(shape) * (self.torch - self.openvino) - self.build


def speed_key(architecture: str, shape: tuple[int, ...], threads: int) -> str:
    """Return the key of a network without its weights, on images of about one size, on this CPU.

    Parameters
    ----------
    architecture
        The network's specification as JSON.
    shape
        (B, 3, h, w): images of up to 1.4 times the pixels share what was measured.
    threads
        How many threads torch takes.
    """
    size = round(math.log2(math.prod(shape) / 3))
    content = [architecture, size, threads, _cpu(), torch.__version__, installed_version()]
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=8).hexdigest()


@lru_cache(maxsize=1)
def _cpu() -> str:
    """Return what tells this CPU from others: its model, and what torch may use of it."""
    named = platform.processor()
    if sys.platform.startswith("linux"):
        with suppress(OSError):
            lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
            named = next((line for line in lines if line.startswith("model name")), named)
    return f"{named} {platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def _file() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("hubseg", appauthor=False) / "cpu_engines.json"


def recall(key: str) -> Speeds | None:
    """Return what was measured under a key; None where nothing was."""
    return _read().get(key)


def remember(key: str, speeds: Speeds) -> None:
    """Remember what was measured under a key."""
    with _writing, suppress(OSError):
        file, known = _file(), _read()
        known.pop(key, None)
        kept = dict(list({**known, key: speeds}.items())[-_MOST:])
        text = json.dumps({name: asdict(one) for name, one in kept.items()})
        part = file.with_name(f"{file.name}.{os.getpid()}.part")
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text + "\n", "utf-8")
        part.replace(file)


def _read() -> dict[str, Speeds]:
    try:
        known = json.loads(_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {key: one for key, told in known.items() if (one := _speeds(told)) is not None}


def _speeds(told: Any) -> Speeds | None:
    """Return an entry of the file as we write it; None where it is not one."""
    if not isinstance(told, dict) or told.keys() != {"torch", "openvino", "build", "refused"}:
        return None
    refused = told["refused"]
    by_torch, by_openvino, build = numbers = [told["torch"], told["openvino"], told["build"]]
    if not isinstance(refused, str):
        return None
    if not all(type(one) in (int, float) and math.isfinite(one) and one >= 0 for one in numbers):
        return None
    if not refused and not by_torch * by_openvino > 0:
        return None
    return Speeds(float(by_torch), float(by_openvino), float(build), refused)
