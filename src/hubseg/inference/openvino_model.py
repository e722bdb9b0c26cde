"""A network as OpenVINO runs it on a CPU, for images of one shape.

Responsible for converting a network, for running it there, and for stopping it when asked. No
telemetry of OpenVINO's is ever imported. Does not know whether it pays: that is
:mod:`hubseg.inference.cpu_network`.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager, suppress
from importlib import metadata
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from hubseg.inference.passes import Cancelled
from hubseg.network import Prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

__all__ = ["OpenVinoModel", "installed_version"]

_LOOK_MS = 5  # how often a pass that is under way asks whether it is to stop
_WORDS = 120  # letters of another program's error that are kept
_PACKAGE = "openvino"
# What `import openvino` would load for its own commands; it sends telemetry as it is imported.
_TELLS = ("openvino.tools.ovc", "openvino_telemetry")


def installed_version() -> str | None:
    """Return which OpenVINO is installed, without importing it; None where there is none."""
    try:
        return metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        return None


class OpenVinoModel:
    """A network compiled for float32 images of one shape, in float32 arithmetic.

    Parameters
    ----------
    network
        In evaluation mode on the CPU, answering with a :class:`~hubseg.network.Prediction`.
    image
        float32 (B, 3, h, w): the network is traced on it, which is one pass of torch.
    threads
        How many threads a pass takes.

    Attributes
    ----------
    traced
        What torch answered on `image` meanwhile.

    Raises
    ------
    RuntimeError
        When torch's tracer or OpenVINO cannot do it; the message is theirs, in one line.
    MemoryError
        When memory ran out.
    Cancelled
        When the network's layers were asked, and are to stop.
    """

    def __init__(self, network: nn.Module, image: Tensor, threads: int) -> None:
        outputs = _Outputs(network).eval()
        with _in_one_line():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # shapes that become constants are meant to
                traced = torch.jit.trace(outputs, (image,), strict=False, check_trace=False)
            self.traced, self._names = outputs.answer, outputs.names
            outputs.answer = None
            self._compiled = _compiled(traced, list(image.shape), threads)
            self._request = self._compiled.create_infer_request()

    def run(self, image: Tensor, ask: Callable[[], object]) -> Prediction:
        """Return the network's answer on an image of the shape it was compiled for.

        Parameters
        ----------
        ask
            Called every few milliseconds; what it raises ends the pass.

        Raises
        ------
        RuntimeError, MemoryError
            When OpenVINO fails; the message is its own, in one line.
        """
        with _in_one_line():
            given = image.contiguous().numpy()
            self._request.set_input_tensor(_openvino().Tensor(given, shared_memory=True))
            self._request.start_async()
            self._wait(ask)
            # copies: the next pass writes over these
            made = [torch.from_numpy(one.data.copy()) for one in self._request.output_tensors]
            return Prediction(**dict(zip(self._names, made, strict=True)))

    def rest(self) -> None:
        """Let go of what its layers hold, on a tile of 2048 px most of a GB; the weights stay.

        The next pass takes as much anew. Not while a pass is under way.
        """
        with suppress(RuntimeError):  # it holds it for longer, which costs memory alone
            self._compiled.release_memory()

    def _wait(self, ask: Callable[[], object]) -> None:
        try:
            while not self._request.wait_for(_LOOK_MS):
                ask()
        except BaseException:
            self._request.cancel()
            with suppress(RuntimeError):  # it says that it was cancelled
                self._request.wait()  # until then it reads the image
            raise


class _Outputs(nn.Module):
    """The parts of a prediction that a network gives, as the tuple that can be traced."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.names: tuple[str, ...] = ()
        self.answer: Any = None

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        answer: Prediction = self.network(image)
        told = {name: one for name, one in answer._asdict().items() if one is not None}
        self.names, self.answer = tuple(told), answer
        return tuple(told.values())


def _compiled(traced: Any, shape: list[int], threads: int) -> Any:
    """Convert a traced network and compile it for one shape."""
    openvino = _openvino()
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    front = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced)  # asked until all is converted
    model = front.convert(front.load(decoder))
    model.reshape({model.inputs[0]: shape})
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",  # it would take bfloat16 where the CPU has it
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # a computer that a person works on meanwhile
    }
    return openvino.Core().compile_model(model, "CPU", settings)


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Turn whatever another program raises into one line of it: its last, which says most."""
    try:
        yield
    except Cancelled:
        raise
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = (lines[-1] if lines else type(error).__name__)[:_WORDS]
        kind = MemoryError if _is_of_memory(error) else RuntimeError
        raise kind(said) from error


def _is_of_memory(error: Exception) -> bool:
    words = str(error).lower()
    return isinstance(error, MemoryError) or "memory" in words or "bad_alloc" in words


def _openvino() -> Any:
    with _untold():
        import openvino
    return openvino


@contextmanager
def _untold() -> Iterator[None]:
    """Keep `import openvino` from importing what sends telemetry; it goes on without."""
    blocked = [name for name in _TELLS if _PACKAGE not in sys.modules and name not in sys.modules]
    for name in blocked:
        sys.modules[name] = None  # type: ignore[assignment]  # refuses the import
    try:
        yield
    finally:
        for name in blocked:
            del sys.modules[name]
