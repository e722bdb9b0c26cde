"""Networks kept ready on their device within a memory budget, and the next one read meanwhile.

Responsible for which networks stay loaded (the least recently used goes first) and for reading
ahead in a thread. Does not run them.
"""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from hubseg.inference.cpu_network import CpuNetwork
from hubseg.inference.device import choose_device, choose_precision
from hubseg.inference.engine_choice import EngineChoice, choose_engine
from hubseg.inference.member import load_member
from hubseg.inference.openvino_model import installed_version
from hubseg.inference.passes import is_out_of_memory
from hubseg.inference.staging import Staged, stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from hubseg.recipe import Member, Recipe

__all__ = ["LoadedNetworks", "Order"]

_BUDGET = 4 << 30  # bytes of networks kept loaded, where nobody says another
_SHARE = 0.4  # of a GPU's memory that may hold them, where that is more
_NOT_INSTALLED = (
    "OpenVINO is not installed (pip install 'napari-hubseg[openvino]'): torch runs this network"
)
_NOT_BY_OPENVINO = "OpenVINO runs float32 networks that are not compiled: torch runs this one"
_ACTIVATIONS = 4 << 30  # bytes of a GPU left free when a network is read ahead onto it


@dataclass(frozen=True, slots=True)
class Order:
    """Which network is wanted, from which file, and where.

    Attributes
    ----------
    recipe, member, path
        What is run, and its checkpoint.
    digest
        Of the file's bytes: another file under the same name is another network.
    device
        auto, cpu, cuda or cuda:N.
    precision
        The arithmetic asked for: auto, float32, float16 or bfloat16.
    """

    recipe: Recipe
    member: Member
    path: Path
    digest: str
    device: str = "auto"
    precision: str = "auto"

    @property
    def key(self) -> tuple[str, str, str, int | None, str]:
        """What tells networks apart: two sizes of one file may share one, unless it is sized."""
        size = self.recipe.resolutions[self.member.resolution].size
        return self.digest, self.device, self.precision, size, self.member.network.model_dump_json()


class LoadedNetworks:
    """Loaded networks within a budget. For one thread at a time, beside its own reading thread.

    Parameters
    ----------
    budget
        Bytes of tensors kept loaded; the network in use stays even where it alone is larger.
        Default: 4 GiB, and on a GPU two fifths of its memory where that is more.
    compiled
        Hand every network to torch.compile; OpenVINO then runs none.
    cpu_engine
        What runs float32 networks on a CPU: ``torch``, ``openvino``, or ``auto``, which is OpenVINO
        where it is installed and pays (:mod:`hubseg.inference.cpu_network`).

    Raises
    ------
    ValueError
        When no engine is called so.
    """

    def __init__(
        self, budget: int | None = None, *, compiled: bool = False, cpu_engine: str = "auto"
    ) -> None:
        self.budget = budget
        self.compiled = compiled
        self.cpu_engine = choose_engine(cpu_engine)
        self._choice = EngineChoice(self.cpu_engine)
        self._loaded: OrderedDict[tuple[object, ...], nn.Module] = OrderedDict()
        self._coming: dict[tuple[object, ...], Future[nn.Module | Staged]] = {}
        self._reader: ThreadPoolExecutor | None = None
        self._streams: dict[torch.device, torch.cuda.Stream] = {}

    def __len__(self) -> int:
        return len(self._loaded)

    @property
    def nbytes(self) -> int:
        """Bytes of tensors now loaded."""
        return sum(map(_nbytes, self._loaded.values()))

    def expect(self, order: Order) -> None:
        """Begin to read a network in a thread, unless it is there or on its way.

        Only one is ever on its way. For a GPU its bytes alone are read, onto the device where there
        is ample room: a thread that builds a network holds up the one that tells the GPU of its
        layers, and costs more than it saves.
        """
        if order.key in self._loaded or self._coming:
            return
        if self._reader is None:
            self._reader = ThreadPoolExecutor(1, thread_name_prefix="hubseg-checkpoint")
        on_cpu = choose_device(order.device).type == "cpu"
        work = self._read if on_cpu else self._ahead
        self._coming[order.key] = self._reader.submit(work, order)

    def take(self, order: Order, *, said: Callable[[str], None] | None = None) -> nn.Module:
        """Return a network on its device, reading it if need be.

        Parameters
        ----------
        said
            Told in a few words when there is no room for it on the device.

        Raises
        ------
        ValueError
            When the file is refused or does not fit the network.
        """
        network = self._loaded.pop(order.key, None)
        if network is None:
            coming = self._coming.pop(order.key, None)
            network = self._built(order, None if coming is None else coming.result())
        device = choose_device(order.device)
        self._make_room(_nbytes(network), device)
        network = self._placed(network, device, said)
        self._loaded[order.key] = network
        if isinstance(network, CpuNetwork):
            network.said = said
        elif self.cpu_engine == "openvino" and device.type == "cpu" and said is not None:
            said(_NOT_BY_OPENVINO if installed_version() else _NOT_INSTALLED)
        return network

    def clear(self) -> None:
        """Forget every network and end the reading thread; the device's memory is free again."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.shutdown(cancel_futures=True)
        self._coming.clear()
        self._loaded.clear()
        _give_back()

    def spare(self) -> bool:
        """Let go of every network but the one taken last; tell whether there were any."""
        others = list(self._loaded)[:-1]
        for key in others:
            del self._loaded[key]
        _give_back()
        return bool(others)

    def _built(self, order: Order, coming: nn.Module | Staged | None) -> nn.Module:
        """Return a network from what was read ahead of it; what is not there is read now."""
        if isinstance(coming, nn.Module):
            return coming
        staged = self._staged(order) if coming is None else coming
        if staged is None or not staged.is_of(order.path):
            return self._read(order)
        device = choose_device(order.device)
        held = staged.held
        # it was made on the stream beside: freed, it must not be written to before we are done
        held.record_stream(torch.cuda.current_stream(device))
        try:
            return self._load(order, device, held=held)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        del staged, held
        return self._read(order)

    def _ahead(self, order: Order) -> nn.Module | Staged:
        return self._staged(order) or self._read(order)

    def _read(self, order: Order) -> nn.Module:
        return self._load(order, torch.device("cpu"))

    def _load(self, order: Order, device: torch.device, **more: Tensor) -> nn.Module:
        given = order.recipe, order.member, order.path, device
        more_said: Any = {"precision": order.precision, **more}
        network = load_member(*given, compiled=self.compiled, **more_said)
        return self._by_choice(network, order)

    def _by_choice(self, network: nn.Module, order: Order) -> nn.Module:
        """Let OpenVINO run a network where it may, and is there."""
        where = choose_device(order.device)
        if self.compiled or where.type != "cpu" or self.cpu_engine == "torch":
            return network
        if choose_precision(order.precision, where) != torch.float32 or not installed_version():
            return network
        architecture = order.member.network.model_dump_json()
        return CpuNetwork(network, architecture, order.member.channels, self._choice)

    def _staged(self, order: Order) -> Staged | None:
        """Return a file's bytes on a GPU; None where there is no GPU, or no ample room on it."""
        device = choose_device(order.device)
        if device.type != "cuda" or not _is_ample(device, order.path.stat().st_size):
            return None
        try:
            return stage(order.path, device, self._beside(device))
        except torch.OutOfMemoryError:
            return None

    def _beside(self, device: torch.device) -> torch.cuda.Stream:
        """Return the stream on which networks are read beside the one that runs."""
        if device not in self._streams:
            self._streams[device] = torch.cuda.Stream(device)
        return self._streams[device]

    def _make_room(self, wanted: int, device: torch.device) -> None:
        budget, dropped = _default(device) if self.budget is None else self.budget, False
        while self._loaded and self.nbytes + wanted > budget:
            self._loaded.popitem(last=False)
            dropped = True
        if dropped:
            _give_back()

    def _placed(
        self, network: nn.Module, device: torch.device, said: Callable[[str], None] | None
    ) -> nn.Module:
        """Move a network to its device; where that has no room, drop the others, then stay."""
        try:
            return network.to(device)
        except torch.OutOfMemoryError:
            self._loaded.clear()
            _give_back()
        try:
            return network.to(device)
        except torch.OutOfMemoryError:
            if said is not None:
                said(f"no room for this network on {device}: it runs on the CPU")
            return network.to("cpu")


def _default(device: torch.device) -> int:
    """Return the bytes that networks may take where nobody says how many."""
    if device.type != "cuda":
        return _BUDGET
    return max(_BUDGET, int(_SHARE * torch.cuda.mem_get_info(device)[1]))


def _is_ample(device: torch.device, size: int) -> bool:
    """Tell whether a GPU has room for a file's tensors, doubled while they fold, and for work."""
    idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + idle > 2 * size + _ACTIVATIONS


def _give_back() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _nbytes(network: nn.Module) -> int:
    tensors = (*network.parameters(), *network.buffers())
    beside = network.model_bytes if isinstance(network, CpuNetwork) else 0
    return beside + sum(tensor.numel() * tensor.element_size() for tensor in tensors)
