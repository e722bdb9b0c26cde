"""Clocks, peaks and budgets of the measurements on a GPU, which run on a CPU too."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class Skipped(Exception):
    """A part that cannot be measured here: why."""


@dataclass
class Bench:
    """What the parts share.

    Attributes
    ----------
    device
        Where networks run.
    small
        Tiny networks and slide: does it work at all.
    folder
        Scratch, for checkpoints and slides.
    ends
        When the present part's time is over, by time.perf_counter.
    known
        What earlier parts found out: files of checkpoints, the rate of matrix products.
    """

    device: torch.device
    small: bool
    folder: Path
    ends: float = float("inf")
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def cuda(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.type == "cuda"

    @property
    def left(self) -> float:
        """Seconds that the present part may still take."""
        return self.ends - time.perf_counter()

    def need_gpu(self, what: str) -> None:
        """Skip a part that says nothing on a CPU."""
        if not self.cuda:
            raise Skipped(f"{what} needs a GPU, and this is {self.device}")


def wait(device: torch.device) -> None:
    """Wait until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], Any], device: torch.device) -> float:
    """Return the seconds of `work`, from an idle device to an idle device."""
    wait(device)
    began = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - began


def spread(times: list[float]) -> dict[str, float]:
    """Return median, range and count of seconds, in ms."""
    ms = [1e3 * one for one in times]
    return {
        "median_ms": round(statistics.median(ms), 3),
        "least_ms": round(min(ms), 3),
        "most_ms": round(max(ms), 3),
        "rounds": len(ms),
    }


def in_turns(
    bench: Bench, ways: Mapping[str, Callable[[], Any]], rounds: int, *, warm: int = 1
) -> dict[str, dict[str, float]]:
    """Time several ways in turns after warming each up; fewer rounds where time runs out."""
    for work in ways.values():
        for _ in range(warm):
            work()
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        if number and bench.left <= 0:
            break
        for name, work in ways.items():
            spent[name].append(seconds(work, bench.device))
    return {name: spread(times) for name, times in spent.items()}


def ratio(slow: Mapping[str, float], fast: Mapping[str, float]) -> float:
    """Return how many times as fast the second is, by medians."""
    return round(slow["median_ms"] / max(fast["median_ms"], 1e-6), 2)


def peak_mib(work: Callable[[], Any], device: torch.device) -> float | None:
    """Return the most memory that `work` took on the device beside what was there, MiB."""
    if device.type != "cuda":
        return None
    tidy(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    work()
    wait(device)
    return round((torch.cuda.max_memory_allocated(device) - before) / 2**20, 1)


def tidy(device: torch.device) -> None:
    """Give back what nobody holds."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()


def apart(mine: np.ndarray, theirs: np.ndarray, scale: float = 255.0) -> dict[str, float]:
    """Say how far two maps are apart, in levels of 255."""
    step = np.abs(np.asarray(mine, np.float32) - np.asarray(theirs, np.float32)) * scale
    return {
        "within_1_level": round(float((step <= 1.0).mean()), 6),
        "largest_levels": round(float(step.max()), 3),
        "mean_levels": round(float(step.mean()), 5),
    }
