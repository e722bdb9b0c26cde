"""Remixing the 55 members of the published recipe on a 3000 × 3000 slide, and reading them back.

One command: ``python benchmarks/mixing.py``. Each way is run against a named plain one with equal
results, in turns, in one process; medians.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from _paired import machine

from hubseg.probability import MapStore, MemberMap, Mixer
from hubseg.recipe import Member, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPE = (3000, 3000)
ROUNDS = 7


def member_maps(recipe: Recipe) -> list[tuple[Member, MemberMap]]:
    """Return smooth random maps with a network's noise, at half of 768, 1024 and 1472."""
    random = np.random.default_rng(0)
    maps = []
    for member in recipe.members():
        side = (recipe.resolutions[member.resolution].size or 0) // 2
        smooth = cv2.resize(random.random((24, 24), np.float32), (side, side))
        noise = random.random((side, side), np.float32) * np.float32(0.05)
        maps.append((member, MemberMap(np.clip(smooth + noise, 0, 1), (0.2,) * 5, 0.5)))
    return maps


def enlarge_each(recipe: Recipe, maps: list[tuple[Member, MemberMap]]) -> np.ndarray:
    """Mix as the published loop does: every map enlarged to the slide and added there."""
    merged = np.zeros(SHAPE, np.float64)
    for index, resolution in enumerate(recipe.resolutions):
        own = [(m.weight, made.values) for m, made in maps if m.resolution == index]
        if not own:
            continue
        summed = np.zeros(SHAPE, np.float32)
        for weight, values in own:
            summed += cv2.resize(values, SHAPE) * np.float32(weight)
        mean = summed / np.float32(sum(weight for weight, _ in own))
        merged += (mean * np.float32(255)).astype(np.uint8) * np.float64(resolution.weight)
    return merged.astype(np.float32)


def compare(ours: np.ndarray, plain: np.ndarray, what: str) -> None:
    """Stop unless two maps are equal but for pixels that lie on the edge of a whole level."""
    step = np.abs(ours - plain)
    if step.max() > 1.001 or (step > 1e-3).mean() > 1e-3:
        raise SystemExit(f"{what}: the two ways do not give the same map")


def median_ms(works: dict[str, Callable[[], object]]) -> dict[str, tuple[float, float]]:
    """Time each piece of work in turns; medians of what the clock and what all threads took, ms."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            begun, before = time.perf_counter(), time.process_time()
            work()
            spent[name].append((time.perf_counter() - begun, time.process_time() - before))
    return {
        name: (
            statistics.median(clock for clock, _ in times) * 1e3,
            statistics.median(threads for _, threads in times) * 1e3,
        )
        for name, times in spent.items()
    }


def remix() -> None:
    """Switch a fold off and on again, then an encoder; against enlarging each member."""
    recipe = Recipe.load("hubmap-2022-2nd-place")
    maps = member_maps(recipe)
    mixer = Mixer(shape=SHAPE, slide_digest="")
    for member, made in maps:
        mixer.put(member, made)
    everyone = recipe.members()
    cases = {
        "a fold switched off": [m for m in everyone if m.fold != 3],
        "an encoder of one size switched off": [
            m for m in everyone if m.checkpoint[:10] != "coat_lite_"
        ]
        + [m for m in everyone if m.checkpoint[:10] == "coat_lite_" and m.resolution != 2],
    }
    for what, some in cases.items():
        left = sorted(some, key=everyone.index)
        chosen = {m.checkpoint for m in left}
        fewer = [pair for pair in maps if pair[0].checkpoint in chosen]
        compare(mixer.mix(recipe, left).values, enlarge_each(recipe, fewer), what)
        turn = [left, list(everyone)]
        times = median_ms(
            {
                "ours": lambda turn=turn: mixer.mix(recipe, turn[0]) and turn.reverse(),
                "plain": lambda fewer=fewer: enlarge_each(recipe, fewer),
            }
        )
        print(
            f"remixing {len(left)} of {len(everyone)} members, {what}, with disagreement: "
            f"{times['ours'][0]:.0f} ms (the aim: 150 ms; {times['ours'][1]:.0f} ms of CPU time) "
            f"against {times['plain'][0]:.0f} ms enlarging each, "
            f"{times['plain'][0] / times['ours'][0]:.1f} times as fast"
        )


def read_back() -> None:
    """Write the same 55 maps to a store, and read them back verified."""
    recipe = Recipe.load("hubmap-2022-2nd-place")
    maps = member_maps(recipe)
    with tempfile.TemporaryDirectory() as folder:
        store = MapStore(Path(folder))
        begun = time.perf_counter()
        for index, (_, made) in enumerate(maps):
            store.put(f"{index:032x}", made)
        written = (time.perf_counter() - begun) * 1e3
        size = sum(p.stat().st_size for p in Path(folder).rglob("*.map")) / 1e6
        raw = sum(made.values.nbytes for _, made in maps) / 1e6
        keys = [f"{index:032x}" for index in range(len(maps))]
        times = median_ms({"read": lambda: list(store.get_all(keys))})
    print(
        f"the 55 maps of a slide in the store: {size:.0f} MB of {raw:.0f} MB, written in "
        f"{written:.0f} ms, read and verified in {times['read'][0]:.0f} ms "
        f"({times['read'][1]:.0f} ms of CPU time; files in the page cache)"
    )


if __name__ == "__main__":
    machine()
    remix()
    read_back()
