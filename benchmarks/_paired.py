"""Paired measurements: two ways to the same result, one run, median of several rounds."""

from __future__ import annotations

import platform
import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


def paired(
    name: str, ours: Callable[[], Any], baseline: Callable[[], Any], *, rounds: int = 5
) -> None:
    """Time both in turns, check that results are equal, and print the ratio."""
    first, second = ours(), baseline()
    if not np.allclose(first, second, atol=1e-3):
        raise SystemExit(f"{name}: the two ways do not give the same result")
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for work, spent in zip((ours, baseline), times, strict=True):
            begun = time.perf_counter()
            work()
            spent.append(time.perf_counter() - begun)
    mine, other = (statistics.median(spent) * 1e3 for spent in times)
    print(f"{name}: {mine:.1f} ms against {other:.1f} ms, {other / mine:.1f} times as fast")


def machine() -> None:
    """Print what it was measured on."""
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.processor()}")
