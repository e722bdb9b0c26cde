"""What the core claims about speed, each against a named plain way, on a 3000 × 3000 slide."""

from __future__ import annotations

import cv2
import numpy as np
from _paired import machine, paired

from hubseg.formats.rle import encode
from hubseg.probability import MemberMap, mix
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.thresholds.curves import histogram

SHAPE = (3000, 3000)


def blobs(seed: int = 0) -> np.ndarray:
    """Return a smooth random map on 0-255."""
    noise = np.random.default_rng(seed).random((60, 60), np.float32)
    return np.clip(cv2.resize(noise, SHAPE, interpolation=cv2.INTER_CUBIC), 0, 1) * 255


def encode_plainly(mask: np.ndarray) -> str:
    """Encode as the competition's public notebooks do: differences of the flat mask."""
    flat = np.concatenate([[0], mask.T.flatten(), [0]])
    runs = np.where(flat[1:] != flat[:-1])[0] + 1
    runs[1::2] -= runs[::2]
    return " ".join(str(x) for x in runs)


def run_length() -> None:
    """Run-length encoding against the notebooks' way."""
    mask = blobs() > 127
    as_numbers = lambda text: np.array(text.split(), np.int64)  # noqa: E731
    paired(
        "RLE of a 3000 x 3000 mask, against differences and str.join",
        lambda: as_numbers(encode(mask)),
        lambda: as_numbers(encode_plainly(mask)),
    )


def count_levels() -> None:
    """256-bin histogram against numpy.histogram."""
    values = blobs()
    paired(
        "256-bin histogram, against numpy.histogram",
        lambda: histogram(values),
        lambda: np.histogram(np.ceil(values), bins=256, range=(0, 256))[0],
    )


def mix_members() -> None:
    """Mixing five members: enlarge once, against the published loop's enlarging of each."""
    entry = Entry(network=NetworkSpec(encoder="a"), checkpoint="a_{fold}")
    recipe = Recipe(name="b", resolutions=(Resolution(size=768, members=(entry,)),))
    random = np.random.default_rng(0)
    maps = [(m, MemberMap(random.random((384, 384), np.float32))) for m in recipe.members()]

    def each() -> np.ndarray:
        summed = np.zeros(SHAPE, np.float32)
        for _, made in maps:
            summed += cv2.resize(made.values, SHAPE)
        return summed / len(maps) * 255

    paired(
        "mixing five members at 3000 x 3000 with disagreement, against enlarging each",
        lambda: mix(recipe, maps, shape=SHAPE, slide_digest="").values,
        each,
    )


if __name__ == "__main__":
    machine()
    run_length()
    count_levels()
    mix_members()
