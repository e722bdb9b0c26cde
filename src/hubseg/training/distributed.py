"""Several devices that train one network: a process for each, which share every batch.

Responsible for starting the other processes, for what all of them must agree on and for ending
them; torch's DistributedDataParallel averages the gradients. Does not know what is trained.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import ProcessContext, ProcessException, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["ProcessGroup", "together"]

_END_S = 30.0  # how long the other processes may take to end after the last step, or after a fault
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """One of the processes that train a network.

    Attributes
    ----------
    rank
        Its number; 0 reports, saves and decides.
    count
        How many there are.
    device
        Where it calculates.
    others
        The other processes, where this one started them.
    """

    rank: int
    count: int
    device: torch.device
    others: ProcessContext | None = None

    @classmethod
    def alone(cls, device: torch.device) -> ProcessGroup:
        """Return the only process."""
        return cls(0, 1, device)

    def prepared(self, network: nn.Module) -> nn.Module:
        """Return a network whose batch norms, on GPUs, take the statistics of the whole batch."""
        if self.count == 1 or self.device.type != "cuda":
            return network
        from timm.layers import convert_sync_batchnorm

        made: nn.Module = convert_sync_batchnorm(network)
        return made

    def shared(self, learner: nn.Module) -> nn.Module:
        """Return a module whose gradients are the mean of all processes'."""
        if self.count == 1:
            return learner
        on = [self.device] if self.device.type == "cuda" else None
        # of 1 x 1 convolutions, whose two layouts are the same bytes
        warnings.filterwarnings("ignore", "Grad strides do not match", UserWarning)
        return nn.parallel.DistributedDataParallel(learner, on, find_unused_parameters=True)

    def mean(self, value: float) -> float:
        """Return the mean of all processes' values: not a number where one is not."""
        if self.count == 1:
            return value
        summed = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(summed)
        return float(summed) / self.count

    def agreed(self, said: bool) -> bool:
        """Return what process 0 says, which first looks whether the others are there.

        Raises
        ------
        torch.multiprocessing.spawn.ProcessException
            When one is not.
        """
        if self.count == 1:
            return said
        if self.others is not None:
            self.others.join(0, 1)
        told = torch.tensor(int(said), device=self.device)
        dist.broadcast(told, 0)
        return bool(told)

    def all_of(self, own: Sequence[str]) -> list[str]:
        """Return every process's strings, each once."""
        gathered: list[Any] = [list(own)] * self.count
        if self.count > 1:
            dist.all_gather_object(gathered, list(own))
        return list(dict.fromkeys(text for texts in gathered for text in texts))


@contextmanager
def together(
    work: Callable[..., None], given: tuple[Any, ...], devices: Sequence[torch.device]
) -> Iterator[ProcessGroup]:
    """Be the first of as many processes as there are devices; the others call `work`.

    The others end with this one, however it ends, and take no signal of the terminal: only this
    process decides when to stop. They import the program that runs, so a script that calls this
    needs ``if __name__ == "__main__":``.

    Parameters
    ----------
    work
        Called as ``work(ranks, *given)`` by each of the others; both must be picklable.

    Raises
    ------
    ChildProcessError
        When another process ended before its time: which one, and what it said last.
    """
    if len(devices) == 1:
        yield ProcessGroup.alone(devices[0])
        return
    with tempfile.TemporaryDirectory(prefix="hubseg-") as folder:
        others = spawn(
            _other,
            (work, given, tuple(devices), folder, torch.get_num_threads()),
            nprocs=len(devices) - 1,
            join=False,
            daemon=True,
        )
        try:
            with _named(others, devices):
                while len(list(Path(folder).glob("here*"))) < len(devices) - 1:
                    others.join(_LOOK_S, 1)
                with _joined(0, devices, folder, others) as ranks:
                    yield ranks
                    others.join(_END_S, 1)
        finally:
            for process in others.processes:
                process.kill()
                process.join()


@contextmanager
def _named(others: ProcessContext, devices: Sequence[torch.device]) -> Iterator[None]:
    """Say which process ended, where that is why something failed here."""
    try:
        yield
    except (RuntimeError, ProcessException) as error:
        ended = error if isinstance(error, ProcessException) else _ended(others)
        if ended is None:
            raise
        said = ended.msg.strip().splitlines()[-1]
        raise ChildProcessError(
            f"The process that trained on {devices[ended.error_index + 1]} ended ({said}). The "
            "last state that was saved is good: go on with --resume."
        ) from error


def _ended(others: ProcessContext) -> ProcessException | None:
    """Return why a process ended; None where none did."""
    try:
        others.join(_END_S, 1)
    except ProcessException as error:
        return error
    return None


def _other(
    index: int,
    work: Callable[..., None],
    given: tuple[Any, ...],
    devices: tuple[torch.device, ...],
    folder: str,
    threads: int,
) -> None:
    """Be process `index` + 1."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    (Path(folder) / f"here{index}").touch()
    with _joined(index + 1, devices, folder) as ranks:
        work(ranks, *given)


def _end_with_parent() -> None:
    """End this process when the one that started it has: it may be killed at any time."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


@contextmanager
def _joined(
    rank: int, devices: Sequence[torch.device], folder: str, others: ProcessContext | None = None
) -> Iterator[ProcessGroup]:
    """Join the other processes of this computer."""
    device = devices[rank]
    if device.type == "cuda":
        torch.cuda.set_device(device)
    elif sys.platform.startswith("linux"):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    backend = "nccl" if device.type == "cuda" else "gloo"
    meet = (Path(folder) / "meet").as_uri()
    dist.init_process_group(backend, init_method=meet, rank=rank, world_size=len(devices))
    try:
        yield ProcessGroup(rank, len(devices), device, others)
    finally:
        dist.destroy_process_group()
