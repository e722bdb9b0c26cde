"""Which engine runs networks on this CPU: what was asked for, and what is known of both.

Responsible for the name, and for what the networks of a process find out together. Does not run
them, nor measure (:mod:`hubseg.inference.cpu_network`).
"""

from __future__ import annotations

import os
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from hubseg.inference.engine_speeds import recall, remember

if TYPE_CHECKING:
    from hubseg.inference.engine_speeds import Speeds

__all__ = ["EngineChoice", "choose_engine"]

_VARIABLE = "HUBSEG_CPU_ENGINE"  # environment variable: what `auto` is on this computer
_ENGINES = ("auto", "torch", "openvino")


def choose_engine(name: str) -> str:
    """Return what runs networks on this CPU: auto, torch or openvino.

    ``auto`` is what the environment variable HUBSEG_CPU_ENGINE says, where it says something.

    Raises
    ------
    ValueError
        When nothing is called so.
    """
    chosen = os.environ.get(_VARIABLE) or "auto" if name == "auto" else name
    if chosen not in _ENGINES:
        raise ValueError(f"Unknown engine {chosen!r}: use one of {', '.join(_ENGINES)}.")
    return chosen


class Resting(Protocol):
    """A model that can let go of what its layers hold."""

    def rest(self) -> None:
        """Let go of it; the next pass takes as much anew."""


class EngineChoice:
    """What the networks of one process know and hold together.

    Parameters
    ----------
    name
        auto or openvino: openvino makes its model at once, and does not measure.

    Attributes
    ----------
    passes
        How many passes were done under each key.
    """

    def __init__(self, name: str) -> None:
        self.always = name == "openvino"
        self.passes: Counter[str] = Counter()
        self._known: dict[str, Speeds | None] = {}
        self._turns: dict[str, dict[str, list[float]]] = {}
        self._at_work: weakref.ref[Resting] | None = None

    def begin(self, model: Resting) -> None:
        """Tell which model is at work from now on: the one before it rests.

        So the layers of one model are held at a time, however many networks stay loaded.
        """
        if self._at_work is None or self._at_work() is not model:
            self.rest()
            self._at_work = weakref.ref(model)

    def rest(self) -> None:
        """Have the model at work let go of what its layers hold, before another is made."""
        at_work = None if self._at_work is None else self._at_work()
        self._at_work = None
        if at_work is not None:
            at_work.rest()

    def speeds(self, key: str) -> Speeds | None:
        """Return what was measured under a key, here or before."""
        if key not in self._known:
            self._known[key] = recall(key)
        return self._known[key]

    def settle(self, key: str, speeds: Speeds) -> None:
        """Take what was found out, for this process and for later ones."""
        self._known[key] = speeds
        self._turns.pop(key, None)
        remember(key, speeds)

    def turns(self, key: str) -> dict[str, list[float]]:
        """Return the measured passes of both engines under a key, seconds."""
        return self._turns.setdefault(key, {"openvino": [], "torch": []})
