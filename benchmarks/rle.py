"""Run lengths of nine megapixels and back: ours, pycocotools' and the plain NumPy way.

    python benchmarks/rle.py [--runs 68000]

A mask of 3000 × 3000 px with about so many runs down its columns. Ours and the plain way go from a
mask as NumPy has it to the competition's text and back; pycocotools goes from and to the same mask
and its own packed counts, of which the step to and from its column order is a part. Every way gives
the same mask, which is checked. Processor ms of one thread, in turns: median of the rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from _paired import machine
from pycocotools import mask as coco

from hubseg.formats import rle

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SIDE, ROUNDS = 3000, 15  # px


def drawn(runs: int) -> NDArray[np.bool_]:
    """Return a mask of round things with about so many runs."""
    noise = np.random.default_rng(0).random((SIDE, SIDE), dtype=np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 13.0 * 68_000 / runs)
    return np.asarray(smooth > np.quantile(smooth, 0.7))


def plain_encode(mask: NDArray[np.bool_]) -> str:
    """Encode as most notebooks do."""
    pixels = np.concatenate([[0], mask.T.flatten(), [0]])
    runs = np.where(pixels[1:] != pixels[:-1])[0] + 1
    runs[1::2] -= runs[::2]
    return " ".join(str(number) for number in runs)


def plain_decode(text: str) -> NDArray[np.bool_]:
    """Decode as most notebooks do."""
    words = text.split()
    starts, lengths = (np.asarray(each, dtype=int) for each in (words[0::2], words[1::2]))
    flat = np.zeros(SIDE * SIDE, np.uint8)
    for first, length in zip(starts - 1, lengths, strict=True):
        flat[first : first + length] = 1
    return flat.reshape(SIDE, SIDE).T.astype(np.bool_)


def from_coco(counts: dict[str, Any]) -> NDArray[np.bool_]:
    return np.ascontiguousarray(coco.decode(counts)).view(np.bool_)


def median_of(ways: dict[str, Callable[[], Any]]) -> None:
    """Run every way in turns and print what it takes."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begun = time.thread_time()
            way()
            spent[name].append(time.thread_time() - begun)
    for name, times in spent.items():
        print(f"  {name:28} {statistics.median(times) * 1e3:7.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=68_000)
    mask = drawn(parser.parse_args().runs)
    cv2.setNumThreads(1)
    machine()
    text, counts = rle.encode(mask), coco.encode(np.asfortranarray(mask.view(np.uint8)))
    for back in (rle.decode(text, mask.shape), plain_decode(text), from_coco(counts)):
        if not np.array_equal(back, mask):
            raise SystemExit("The ways do not give the same mask.")
    print(f"{len(text.split()) // 2} runs, load {os.getloadavg()[0]:.1f}")
    print("encode")
    median_of(
        {
            "ours": lambda: rle.encode(mask),
            "pycocotools": lambda: coco.encode(np.asfortranarray(mask.view(np.uint8))),
            "plain": lambda: plain_encode(mask),
        }
    )
    print("decode")
    median_of(
        {
            "ours": lambda: rle.decode(text, mask.shape),
            "pycocotools": lambda: from_coco(counts),
            "plain": lambda: plain_decode(text),
        }
    )


if __name__ == "__main__":
    main()
