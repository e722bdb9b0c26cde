"""Forward passes: views in batches, their mean on the device, stopping, and running out of memory.

Responsible for what happens between an image on the device and the mean of its views. Does not
know slides, tiles or files.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from hubseg.inference.activation import probabilities
from hubseg.recipe.channels import ONE_OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from hubseg.inference.views import View
    from hubseg.network import Prediction
    from hubseg.recipe import Channels

__all__ = ["Answer", "Cancelled", "ExecutionPlan", "Passes", "is_out_of_memory", "stopping"]

_LOOK_S = 0.001  # how often a run that waits for the GPU asks whether it is to stop
_Sums = tuple["Tensor", "Tensor | None", "Tensor | None"]


class Cancelled(RuntimeError):
    """A person asked the run to stop."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The mean over views of one image.

    Attributes
    ----------
    values
        float32 (h, w), 0-1, at the network's output resolution; (structures, h, w) of several.
    organ
        Mean softmax over organs, (5,); None without that head.
    pixel_size
        µm/px of the image divided by 10; None without that head.
    """

    values: NDArray[Any]
    organ: tuple[float, ...] | None
    pixel_size: float | None


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """Where and how passes run.

    Attributes
    ----------
    device, precision
        Where, and in which arithmetic.
    at_once
        How many views.
    searched
        Whether cuDNN tries all its ways the first time it meets a layer's shape: seconds for each
        network and size, which only many slides give back.
    """

    device: torch.device
    precision: torch.dtype
    at_once: int
    searched: bool = False

    def lower(self) -> tuple[ExecutionPlan, str]:
        """Return the next execution that needs less memory, and what to say about it.

        Raises
        ------
        MemoryError
            When there is none.
        """
        where = "the GPU" if self.device.type == "cuda" else "the computer"
        if self.at_once > 1:
            fewer = self.at_once // 2
            views = "one view" if fewer == 1 else f"{fewer} views"
            return replace(self, at_once=fewer), f"out of memory on {where}: {views} at once"
        if self.device.type == "cpu":
            raise MemoryError(
                "The computer has not enough memory for one view of this network: close other "
                "programs, or use a smaller size in the recipe."
            )
        if self.precision == torch.float32:
            half = replace(self, precision=torch.float16)
            return half, f"out of memory on {where}: half precision"
        slow = ExecutionPlan(torch.device("cpu"), torch.float32, 1)
        return slow, f"out of memory on {where}: this network runs on the CPU"


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell whether an error says that the device is full: CUDA's libraries say it in other words.

    cuDNN, for one, has no way to calculate a layer when there is no room for any way's workspace.
    """
    words = ("out of memory", "STATUS_ALLOC_FAILED", "unable to find an engine")
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in words)


@contextmanager
def stopping(network: nn.Module, cancelled: Callable[[], bool] | None) -> Iterator[None]:
    """Ask `cancelled` before each layer, so that a long pass stops within one layer's time.

    Raises
    ------
    Cancelled
        From inside the pass, when `cancelled` says so.
    """

    def ask(*_: object) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("The run was stopped.")

    compiled = hasattr(network, "_orig_mod")  # hooks would have to be compiled in
    leaves = [] if compiled or cancelled is None else network.modules()
    hooks = [m.register_forward_pre_hook(ask) for m in leaves if not list(m.children())]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class Passes:
    """Runs one network over images, view by view or several at once.

    Parameters
    ----------
    network
        In evaluation mode, on the execution's device.
    execution
        Where to begin; memory running out lowers it, and it stays low.
    view_set
        Views to average.
    channels
        What the network's outputs are.
    cancelled
        Asked before each batch of views and before each layer.
    said
        Told in a few words whenever the execution is lowered.
    make_room
        Asked to free memory of the device before the execution is lowered; tells whether it did.
    answer
        What is made of the logits before views are averaged.
    """

    def __init__(
        self,
        network: nn.Module,
        execution: ExecutionPlan,
        view_set: Sequence[View],
        channels: Channels = ONE_OUTPUT,
        *,
        cancelled: Callable[[], bool] | None = None,
        said: Callable[[str], None] | None = None,
        make_room: Callable[[], bool] | None = None,
        answer: Callable[[Tensor, Channels], Tensor] = probabilities,
    ) -> None:
        self.network = network
        self._answer = answer
        self.execution = execution
        self._views = tuple(view_set)
        self._channels = channels
        self._cancelled = cancelled
        self._said = said
        self._make_room = make_room

    def mean(self, image: Tensor) -> Answer:
        """Return the mean over all views of an image float32 (1, 3, h, w).

        Raises
        ------
        Cancelled
            When `cancelled` says so.
        MemoryError
            When not even one view fits on the CPU.
        """
        told: list[_Sums] = []
        waiting = [
            [view for view in self._views if bool(view.turns % 2) == turned]
            for turned in ((False, True) if image.shape[-1] != image.shape[-2] else ())
        ] or [list(self._views)]
        for group in waiting:
            while group:
                batch = group[: self.execution.at_once]
                made = self._tried(image, batch)
                if made is None:
                    told = self._lower(told)
                    continue
                told.append(made)
                del group[: len(batch)]
        self._wait()
        return self._mean(told)

    def placed(self, make: Callable[[torch.device], Tensor]) -> Tensor:
        """Return an image that is made on the execution's device, lowered where it has no room.

        Raises
        ------
        MemoryError
            When it does not even fit on the CPU.
        """
        while True:
            made = self._made(make)
            if made is not None:
                return made
            self._lower([])

    def _made(self, make: Callable[[torch.device], Tensor]) -> Tensor | None:
        try:
            return make(self.execution.device)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        return None

    def _tried(self, image: Tensor, batch: Sequence[View]) -> _Sums | None:
        """Return a batch's sums; None where memory ran out, and then nothing holds on to any."""
        try:
            return self._batch(image, batch)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        return None

    def _ask(self) -> None:
        if self._cancelled is not None and self._cancelled():
            raise Cancelled("The run was stopped.")

    def _wait(self) -> None:
        """Wait until a GPU has done what it was told, and go on asking whether to stop."""
        if self.execution.device.type != "cuda" or self._cancelled is None:
            return
        done = torch.cuda.current_stream(self.execution.device).record_event()
        while not done.query():
            self._ask()
            time.sleep(_LOOK_S)

    def _batch(self, image: Tensor, batch: Sequence[View]) -> _Sums:
        """Return the sum over a batch of views, put back in place, and the sums of both heads."""
        self._ask()
        # a GPU is told of all layers at once, long before it comes to the first
        by_layer = None if self.execution.device.type == "cuda" else self._cancelled
        with torch.inference_mode(), self._arithmetic(), stopping(self.network, by_layer):
            here = self._move(image)
            seen = torch.cat([view.forward(here) for view in batch])
            answer: Prediction = self.network(seen.contiguous(memory_format=torch.channels_last))
            probability = self._answer(answer.logits, self._channels)
            summed = batch[0].inverse(probability[0])
            for view, one in zip(batch[1:], probability[1:], strict=True):
                summed = summed + view.inverse(one)
            organ, size = answer.organ, answer.pixel_size
            return (
                summed,
                None if organ is None else torch.softmax(organ.float(), 1).sum(0),
                None if size is None else size.float().sum(),
            )

    def _mean(self, told: Sequence[_Sums]) -> Answer:
        count = len(self._views)
        with torch.inference_mode():
            values = told[0][0]
            for summed, _, _ in told[1:]:
                values = values + summed
            organs = [organ for _, organ, _ in told if organ is not None]
            sizes = [size for _, _, size in told if size is not None]
            return Answer(
                values=(values / count).cpu().numpy(),
                organ=tuple((torch.stack(organs).sum(0) / count).tolist()) if organs else None,
                pixel_size=sum(map(float, sizes)) / count if sizes else None,
            )

    def _lower(self, told: list[Any]) -> list[Any]:
        """Take the next lower execution, say so, and bring along what was computed."""
        before = self.execution.device
        if before.type == "cuda" and self._make_room is not None and self._make_room():
            if self._said is not None:
                self._said("out of memory on the GPU: networks that waited there were let go")
            return told
        self.execution, said = self.execution.lower()
        if self._said is not None:
            self._said(said)
        if self.execution.device != before:
            self.network = self._move(self.network).float()  # of a GPU it may be cast to half
            told = [tuple(None if t is None else self._move(t) for t in part) for part in told]
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return told

    def _move(self, thing: Any) -> Any:
        return thing.to(self.execution.device)

    @contextmanager
    def _arithmetic(self) -> Iterator[None]:
        """Calculate in the execution's precision, and search as it says."""
        kind, precision = self.execution.device.type, self.execution.precision
        lower = precision != torch.float32
        # cudnn.flags() would switch off whatever it is not told to leave on, cuDNN itself for one
        before = torch.backends.cudnn.benchmark
        torch.backends.cudnn.benchmark = before or self.execution.searched
        try:
            with torch.autocast(kind, precision) if lower else nullcontext():
                yield
        finally:
            torch.backends.cudnn.benchmark = before
