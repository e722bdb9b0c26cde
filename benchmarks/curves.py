"""All thresholds at once on 9 megapixels, against 256 separate evaluations with equal results.

    python benchmarks/curves.py

Prints wall-clock and processor time: on a machine that has other work, the latter is the fair one.
"""

from __future__ import annotations

import resource
import statistics
import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from _paired import machine

from hubseg.cleanup import count_objects
from hubseg.mask.metrics import dice, iou
from hubseg.thresholds.curves import Tally, above, histogram
from hubseg.thresholds.object_counts import objects_curve

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPE = (3000, 3000)
ROUNDS = 9


def blobs(seed: int, cells: int = 60) -> np.ndarray:
    """Return a smooth random map on 0-255."""
    noise = np.random.default_rng(seed).random((cells, cells), np.float32)
    return np.clip(cv2.resize(noise, SHAPE, interpolation=cv2.INTER_CUBIC), 0, 1) * 255


def clocked(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return the answer with its wall-clock and its processor time, ms."""
    wall, busy = time.perf_counter(), time.process_time()
    answer = work()
    return answer, (time.perf_counter() - wall) * 1e3, (time.process_time() - busy) * 1e3


def dice_at_once() -> None:
    """Dice at every threshold: one pass against 256 evaluations of the product's own Dice."""
    values, truth = blobs(0), blobs(1) > 150
    once = [clocked(lambda: Tally.of(values, truth).dice()) for _ in range(ROUNDS)]
    apart, wall, busy = clocked(lambda: [dice(values > t, truth) for t in range(256)])
    if not np.array_equal(once[0][0], apart):
        raise SystemExit("Dice at once is not Dice threshold by threshold")
    if [iou(values > t, truth) for t in (0, 90, 255)] != list(
        Tally.of(values, truth).iou()[[0, 90, 255]]
    ):
        raise SystemExit("IoU at once is not IoU threshold by threshold")
    mine, own = (statistics.median(row[i] for row in once) for i in (1, 2))
    best = min(row[1] for row in once)
    print(
        f"Dice, IoU, precision, recall and area at 256 thresholds, 9 megapixels: {mine:.1f} ms "
        f"(best {best:.1f}, processor {own:.1f}); 256 evaluations {wall:.0f} ms (processor "
        f"{busy:.0f}): {wall / mine:.0f} times (best {wall / best:.0f}, processor {busy / own:.0f})"
    )


def area_at_once() -> None:
    """Area at every threshold, against counting each."""
    values = blobs(0)
    curve, wall, _ = clocked(lambda: above(histogram(values)))
    if list(curve) != [np.count_nonzero(values > t) for t in range(256)]:
        raise SystemExit("Area at once is not area threshold by threshold")
    print(f"area at 256 thresholds, 9 megapixels: {wall:.1f} ms")


def objects_at_once() -> None:
    """Objects at every threshold, against counting components at some of them."""
    random = np.random.default_rng(2)
    maps = {
        "smooth": blobs(0),
        "saturated": np.clip((blobs(3, 360) - 127) * 6 + 60, 0, 255),
        "noise, the worst case": random.uniform(0, 255, SHAPE).astype(np.float32),
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, values in maps.items():
        curve, wall, busy = clocked(lambda values=values: objects_curve(values))
        for threshold in range(0, 256, 51):
            if count_objects(values > threshold) != curve[threshold]:
                raise SystemExit(f"{name}: another number of objects at {threshold}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(
            f"objects at 256 thresholds, 9 megapixels, {name}: {wall / 1e3:.2f} s (processor "
            f"{busy / 1e3:.2f} s), peak so far {peak / 1024:.0f} MiB over the maps themselves"
        )


if __name__ == "__main__":
    machine()
    dice_at_once()
    area_at_once()
    objects_at_once()
