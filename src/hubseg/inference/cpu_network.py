"""A network that OpenVINO runs on a CPU, where that is installed, gives the same map and pays.

Responsible for which of the two engines runs each pass. Does not know slides, files of weights, nor
how OpenVINO is called (:mod:`hubseg.inference.openvino_model`).

The rule. OpenVINO's model is made anew for each file of weights and each shape of image, which
takes about as long as two or three passes. So it is made where what it saves in the passes to come
is more than that: in those known to come or, where it is more, in as many as this network has done.
What a pass saves is measured once for a kind of network, a size of image, a CPU, a number of
threads and both versions, and remembered (:mod:`hubseg.inference.engine_speeds`): as soon as 16
passes are to come or done, a model is made, and the next four passes, whose answers are all used,
go to the engines in turns. So finding out costs the making of one model, once on a computer. The
first answer of every model is compared with torch's on the same image.

Answers that are kept one by one, so that a run that was killed goes on with the next, must not
depend on how many there are: once it is known which engine is faster, that one gives them all.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from time import perf_counter as _seconds
from typing import TYPE_CHECKING

import psutil
import torch
from torch import nn

from hubseg.inference.activation import probabilities
from hubseg.inference.engine_speeds import Speeds, speed_key
from hubseg.inference.openvino_model import OpenVinoModel
from hubseg.inference.passes import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from hubseg.inference.engine_choice import EngineChoice
    from hubseg.network import Prediction
    from hubseg.recipe import Channels

__all__ = ["CpuNetwork", "expect"]

_APART = 0.01  # levels of 255 that a probability may differ
_MEASURED = 16  # passes, to come or done, from which it is worth to measure
_TURNS = 2  # passes of each engine that are measured
_FASTER = 0.95  # of torch's time: less is no difference
_MODELS = 2  # shapes that a network has a model for: each has the weights once more
_ROOM = 1 << 30  # bytes of memory that stay free beside a model


class _Asked(nn.Module):
    """A layer without an answer: whoever is asked before each layer is asked before this one."""

    def forward(self) -> None:
        return None


class CpuNetwork(nn.Module):
    """A network, run by OpenVINO where that pays; on a GPU it runs as it is.

    It answers with the same :class:`~hubseg.network.Prediction`, and holds the same tensors, as the
    network in it. Whatever OpenVINO cannot do, torch does, and that is said.

    Parameters
    ----------
    network
        In evaluation mode, for float32 arithmetic.
    architecture
        Its specification as JSON: what it is without its weights.
    channels
        What its outputs are.
    choice
        What is shared with the other networks of the process.
    """

    def __init__(
        self, network: nn.Module, architecture: str, channels: Channels, choice: EngineChoice
    ) -> None:
        super().__init__()
        self.network = network
        self.asked = _Asked()
        self.said: Callable[[str], None] | None = None
        self._architecture, self._channels, self._choice = architecture, channels, choice
        self._models: dict[tuple[int, ...], OpenVinoModel] = {}
        self._built: dict[tuple[int, ...], float] = {}
        self._given_up = False
        self._to_come = 0
        self._kept = False
        self._since: Counter[tuple[int, ...]] = Counter()
        self._done: Counter[tuple[int, ...]] = Counter()
        self._keys: dict[tuple[int, ...], str] = {}

    @property
    def model_bytes(self) -> int:
        """Bytes that OpenVINO's models take beside the network, about."""
        return len(self._models) * _weight_bytes(self.network)

    def expect(self, passes: int, *, kept: bool = False) -> None:
        """Tell how many passes are to come on images of each shape.

        Parameters
        ----------
        kept
            Whether answers are kept one by one: a run that goes on has to give the same ones.
        """
        self._to_come, self._kept = passes, kept
        self._since.clear()

    def forward(self, image: Tensor) -> Prediction:
        """Return the network's answer on images float32 (B, 3, h, w)."""
        if self._given_up or image.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return self._by_torch(image)
        place = (*image.shape, torch.get_num_threads())
        if place not in self._keys:
            self._keys[place] = speed_key(self._architecture, place[:-1], place[-1])
        key = self._keys[place]
        if place in self._models:
            answer = self._in_turns(image, key, place)
        elif self._pays(key, place):
            answer = self._begun(image, key, place)
        else:
            answer = self._by_torch(image)
        self._done[place] += 1
        self._since[place] += 1
        self._choice.passes[key] += 1
        return answer

    def _pays(self, key: str, place: tuple[int, ...]) -> bool:
        """Tell whether a model is to be made for a shape."""
        known = self._choice.speeds(key)
        if known is not None and known.refused:
            if self._choice.always:  # whoever asked for it is told each time
                self._let_go(known.refused)
            return False
        if self._choice.always:
            return True
        passes = max(self._to_come - self._since[place], self._done[place])
        if known is None:
            return max(passes, self._choice.passes[key]) >= _MEASURED
        if self._kept:
            return _is_faster(known)
        return _is_faster(known) and known.saved(passes, place[:-1]) > 0

    def _begun(self, image: Tensor, key: str, place: tuple[int, ...]) -> Prediction:
        """Make a model while torch answers, and compare the two; return torch's answer.

        Of answers that are kept it is the model's, as all later ones are.
        """
        if not self._has_room(image):
            return self._without("not enough memory is free for OpenVINO", self._by_torch(image))
        self._choice.rest()
        begun = _seconds()
        try:
            model = OpenVinoModel(self.network, image, place[-1])
            self._choice.begin(model)
            answer: Prediction = model.traced
            ours = model.run(image, self.asked)
        except Cancelled:
            raise
        except MemoryError as error:
            return self._without(f"OpenVINO failed ({error})", self._by_torch(image))
        except RuntimeError as error:
            return self._refused(key, f"OpenVINO cannot run this network ({error})", image)
        apart = _apart(ours, answer, self._channels)
        if not apart <= _APART:
            why = f"OpenVINO's map is {apart:.2g} levels from torch's"
            return self._refused(key, why, image, answer)
        while len(self._models) >= _MODELS:
            self._models.pop(next(iter(self._models)))
        self._models[place] = model
        self._built[place] = _seconds() - begun
        self._take_cheaper(key, place)
        settled = self._choice.always or self._choice.speeds(key) is not None
        return ours if self._kept and settled else answer

    def _take_cheaper(self, key: str, place: tuple[int, ...]) -> None:
        """Remember that a model took less to make than the first, which had OpenVINO to load."""
        known = self._choice.speeds(key)
        if known is None:
            return
        build = max(0.0, self._built[place] - known.torch * math.prod(place[:-1]))
        if build < known.build:
            self._choice.settle(key, replace(known, build=build))

    def _in_turns(self, image: Tensor, key: str, place: tuple[int, ...]) -> Prediction:
        """Run a pass with OpenVINO; while it is being measured, every second one with torch."""
        known = self._choice.speeds(key)
        if self._choice.always or (known is not None and _is_faster(known)):
            return self._by_openvino(image, place)
        if known is not None:
            self._models.clear()
            return self._by_torch(image)
        turns = self._choice.turns(key)
        ours = len(turns["openvino"]) <= len(turns["torch"])
        if not ours:
            self._choice.rest()  # what the layers of both hold is never there at once
        begun = _seconds()
        answer = self._by_openvino(image, place) if ours else self._by_torch(image)
        turns["openvino" if ours else "torch"].append(_seconds() - begun)
        if not self._given_up and min(map(len, turns.values())) >= _TURNS:
            self._settle(key, place, min(turns["torch"]), min(turns["openvino"]))
        return answer

    def _settle(self, key: str, place: tuple[int, ...], by_torch: float, ours: float) -> None:
        numbers = math.prod(place[:-1])
        build = max(0.0, self._built[place] - by_torch)  # one pass of it was torch's own
        found = Speeds(by_torch / numbers, ours / numbers, build)
        self._choice.settle(key, found)
        if not _is_faster(found):
            self._models.clear()
            self._say("OpenVINO is no faster for this network: torch runs it")

    def _by_torch(self, image: Tensor) -> Prediction:
        answer: Prediction = self.network(image)
        return answer

    def _by_openvino(self, image: Tensor, place: tuple[int, ...]) -> Prediction:
        model = self._models[place]
        self._choice.begin(model)
        try:
            answer = model.run(image, self.asked)
        except Cancelled:
            raise
        except (RuntimeError, MemoryError) as error:
            return self._without(f"OpenVINO failed ({error})", self._by_torch(image))
        self._say("by OpenVINO")
        return answer

    def _refused(
        self, key: str, why: str, image: Tensor, answer: Prediction | None = None
    ) -> Prediction:
        """Remember why OpenVINO is not for a kind of network; torch answers."""
        self._choice.settle(key, Speeds(refused=why))
        return self._without(why, self._by_torch(image) if answer is None else answer)

    def _without(self, why: str, answer: Prediction) -> Prediction:
        self._let_go(why)
        return answer

    def _let_go(self, why: str) -> None:
        """Let go of the models: from now on torch runs this network, and that is said."""
        self._given_up = True
        self._models.clear()
        self._say(f"{why}: torch runs it")

    def _has_room(self, image: Tensor) -> bool:
        layers = 64 * image.numel() * image.element_size()  # what they hold at once, at most
        wanted = 3 * _weight_bytes(self.network) + layers + _ROOM
        return bool(psutil.virtual_memory().available > wanted)

    def _say(self, words: str) -> None:
        if self.said is not None:
            self.said(words)


def expect(network: nn.Module, passes: int, *, kept: bool = False) -> None:
    """Tell a network that measures engines what is to come, as of :meth:`CpuNetwork.expect`."""
    if isinstance(network, CpuNetwork):
        network.expect(passes, kept=kept)


def _apart(one: Prediction, other: Prediction, channels: Channels) -> float:
    """Return how far two answers are apart, in levels of 255; NaN where one has no numbers."""
    pairs = [(probabilities(one.logits, channels), probabilities(other.logits, channels))]
    if one.organ is not None and other.organ is not None:
        pairs.append((torch.softmax(one.organ, 1), torch.softmax(other.organ, 1)))
    if one.pixel_size is not None and other.pixel_size is not None:
        pairs.append((one.pixel_size, other.pixel_size))
    steps = torch.stack([(mine - theirs).abs().max() for mine, theirs in pairs])
    return float(steps.max()) * 255.0


def _is_faster(known: Speeds) -> bool:
    return known.openvino < _FASTER * known.torch


def _weight_bytes(network: nn.Module) -> int:
    return sum(one.numel() * one.element_size() for one in network.parameters())
