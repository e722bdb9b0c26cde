"""The published recipe on a slide, entry by entry and as a whole, beside the plain loop."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from _gpu_measure import apart, in_turns, peak_mib, ratio, seconds, tidy, wait
from _gpu_networks import (
    checkpoint_of,
    plain_load,
    plain_member,
    plain_on_device,
    published_input,
    recipe_of,
    size_of,
    slide_pixels,
)

from hubseg.inference import LoadedNetworks, load_member, predict, predict_member
from hubseg.inference.staging import stage
from hubseg.network import cost, is_sized
from hubseg.probability import file_digests, mix
from hubseg.slide import read_slide

if TYPE_CHECKING:
    from pathlib import Path

    from _gpu_measure import Bench

    from hubseg.inference import Order
    from hubseg.probability import MemberMap
    from hubseg.recipe import Member, Recipe

SIDE = 3000  # px of the slide
FOLDS = 5  # one is measured, and counted so many times


@dataclass
class Whole:
    """What the entries add up to."""

    made: list[tuple[Member, MemberMap]] = field(default_factory=list)
    plain: dict[int, np.ndarray] = field(default_factory=dict)
    weight: dict[int, float] = field(default_factory=dict)
    ms: dict[str, float] = field(default_factory=dict)
    networks: dict[str, Any] = field(default_factory=dict)
    flops: float = 0.0

    def add(self, name: str, ms: float) -> None:
        """Add to a sum."""
        self.ms[name] = self.ms.get(name, 0.0) + ms


def recipe_part(bench: Bench) -> dict[str, Any]:
    recipe = recipe_of(bench.small)
    pixels = slide_pixels(SIDE // 10 if bench.small else SIDE)
    whole, entries = Whole(), []
    failed: dict[str, str] = {}
    for member in recipe.members([0]):
        if entries and bench.left < 25 * (not bench.small):
            break  # what follows needs the rest
        try:
            entries.append(_entry(bench, recipe, member, pixels, whole))
        except Exception as error:  # whatever it is: the other entries are worth their time
            name = f"{member.network.encoder} at {size_of(recipe, member)}"
            failed[name] = f"{type(error).__name__}: {str(error)[:500]}"
        bench.known["partial"] = {"entries": entries, "failed": failed}
        tidy(bench.device)
    found: dict[str, Any] = {
        "slide_px": pixels.shape[0],
        "entries": entries,
        "entries_left_out": len(recipe.members([0])) - len(entries),
        "failed": failed,
    }
    found["whole"] = _whole(bench, recipe, pixels, whole)
    bench.known["partial"] = found
    if not found["entries_left_out"]:
        whole.networks.clear()
        tidy(bench.device)
        found["predict"] = _streamed(bench, recipe, pixels)
    return found


def _entry(
    bench: Bench, recipe: Recipe, member: Member, pixels: np.ndarray, whole: Whole
) -> dict[str, Any]:
    size, device, shape = size_of(recipe, member), bench.device, pixels.shape[:2]
    path = checkpoint_of(bench, recipe, member, pixels)
    network: Any = None

    def load() -> None:
        nonlocal network
        network = load_member(recipe, member, path, device, precision="auto")

    loads = {"ours_first": seconds(load, device)}
    loads |= {"ours": min(seconds(load, device) for _ in range(2))}
    loads |= {"bytes": min(seconds(lambda: stage(path, device), device) for _ in range(2))}
    plain, loads["plain"] = _plain(bench, whole, member, size, path)
    image = published_input(pixels, size).to(device)

    def ours(precision: str = "auto") -> MemberMap:
        return predict_member(network, pixels, recipe, member, precision=precision)

    def theirs() -> np.ndarray:
        return plain_member(plain, image, shape)

    first = {"ours": seconds(ours, device), "plain": seconds(theirs, device)}
    ways = {"ours": ours, "plain": theirs, "better": lambda: plain_on_device(plain, image, shape)}
    times = in_turns(bench, ways, 1 if bench.small else 5, warm=0)
    made, summed, exact = ours(), theirs() / 4, _exact(bench, plain, image, shape)
    mine = cv2.resize(made.values, shape[::-1], interpolation=cv2.INTER_LINEAR)
    peaks = {"ours": peak_mib(ours, device), "plain": peak_mib(theirs, device)}
    _note(whole, member, made, summed, times, first, loads)
    flops = cost(member.network, size).flops * 4
    whole.flops += flops
    return {
        "encoder": member.network.encoder,
        "size": size,
        "ours": times["ours"],
        "plain": times["plain"],
        "plain_enlarged_on_device": times["better"],
        "ratio": ratio(times["plain"], times["ours"]),
        "ratio_to_better": ratio(times["better"], times["ours"]),
        "first_pass_ms": {name: round(1e3 * one, 1) for name, one in first.items()},
        "loading_ms": {name: round(1e3 * one, 1) for name, one in loads.items()},
        "peak_mib": peaks,
        "weights_mib": round(path.stat().st_size / 2**20),
        "tflop": round(flops / 1e12, 3),
        "tflops": round(flops / 1e9 / times["ours"]["median_ms"], 1),
        "maps": {
            "ours_to_plain": apart(mine, summed),
            "ours_to_float32": apart(mine, exact),
            "plain_to_float32": apart(summed, exact),
            "spans": [round(float(exact.min()), 3), round(float(exact.max()), 3)],
        },
    }


def _plain(bench: Bench, whole: Whole, member: Member, size: int, path: Path) -> tuple[Any, float]:
    """Return the published network of an encoder and how long it took to load, once for all."""
    key = f"{member.network.encoder} {size if is_sized(member.network) else ''}"
    if key not in whole.networks:
        began = time.perf_counter()
        network = plain_load(member, size, path, bench.device)
        wait(bench.device)
        whole.networks[key] = network, time.perf_counter() - began
    found: tuple[Any, float] = whole.networks[key]
    return found


def _exact(bench: Bench, network: Any, image: torch.Tensor, shape: tuple[int, int]) -> np.ndarray:
    """Return the plain loop's mean in float32 without TF32."""
    if not bench.cuda:
        return _without_half(network, image, shape)
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.autocast("cuda", enabled=False):
            return _without_half(network, image, shape)
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _without_half(network: Any, image: torch.Tensor, shape: tuple[int, int]) -> np.ndarray:
    from _gpu_networks import VIEWS

    summed = np.zeros(shape, np.float32)
    for forward, back in VIEWS:
        with torch.no_grad():
            seen = torch.sigmoid(network(forward(image).contiguous()).logits)[0, 0].cpu().numpy()
        summed += cv2.resize(np.ascontiguousarray(back(seen)), shape[::-1])
    return summed / 4


def _note(
    whole: Whole,
    member: Member,
    made: MemberMap,
    summed: np.ndarray,
    times: dict[str, dict[str, float]],
    first: dict[str, float],
    loads: dict[str, float],
) -> None:
    whole.made.append((member, made))
    part = whole.plain.setdefault(member.resolution, np.zeros(summed.shape, np.float32))
    part += summed * np.float32(member.weight)
    whole.weight[member.resolution] = whole.weight.get(member.resolution, 0) + member.weight
    for name, one in times.items():
        whole.add(name, one["median_ms"])
    once = 1e3 * (loads["ours_first"] - loads["ours"])
    whole.add("ours_loading", 1e3 * loads["ours"] + once / FOLDS)
    whole.add("plain_loading", 1e3 * loads["plain"])
    for name in ("ours", "plain"):
        whole.add(f"{name}_first", 1e3 * first[name] - times[name]["median_ms"])


def _whole(bench: Bench, recipe: Recipe, pixels: np.ndarray, whole: Whole) -> dict[str, Any]:
    """Count the recipe's five folds from one, and compare the merged maps and masks."""
    shape = pixels.shape[:2]

    def ours() -> np.ndarray:
        return mix(recipe, whole.made, shape=shape, slide_digest="").values

    def plainly() -> np.ndarray:
        there = {index: recipe.resolutions[index].weight for index in whole.plain}
        scale = 1.0 if len(there) == len(recipe.resolutions) else 1.0 / sum(there.values())
        merged = np.zeros(shape, np.float64)
        for index, weight in there.items():
            level = whole.plain[index] / np.float32(whole.weight[index])
            merged += (level * 255).astype(np.uint8) * (weight * scale)
        return merged

    merging = in_turns(bench, {"ours": ours, "plain": plainly}, 3)
    mine, theirs = ours(), plainly()
    ms = {name: FOLDS * one for name, one in whole.ms.items()}
    passes = {
        "ours": ms["ours"] + merging["ours"]["median_ms"],
        "plain": ms["plain"] + merging["plain"]["median_ms"],
        "plain_enlarged_on_device": ms["better"] + merging["plain"]["median_ms"],
    }
    loaded = {name: passes[name] + ms[f"{name}_loading"] for name in ("ours", "plain")}
    tflop = FOLDS * whole.flops / 1e12
    rate = bench.known.get("half_tflops")
    floor = None if rate is None else 1e3 * tflop / rate
    return {
        "how": f"medians of one fold, summed over the entries, times {FOLDS}; merging once",
        "members": FOLDS * len(whole.made),
        "passes_s": {name: round(one / 1e3, 3) for name, one in passes.items()},
        "ratio_of_passes": round(passes["plain"] / passes["ours"], 2),
        "ratio_to_better": round(passes["plain_enlarged_on_device"] / passes["ours"], 2),
        "passes_and_loading_s": {name: round(one / 1e3, 3) for name, one in loaded.items()},
        "ratio_with_loading": round(loaded["plain"] / loaded["ours"], 2),
        "loading_s": {n: round(ms[f"{n}_loading"] / 1e3, 2) for n in ("ours", "plain")},
        "first_passes_s_once": {
            name: round(whole.ms[f"{name}_first"] / 1e3, 2) for name in ("ours", "plain")
        },
        "merging": merging,
        "tflop": round(tflop, 1),
        "floor_s": None if floor is None else round(floor / 1e3, 3),
        "share_of_floor": None if floor is None else round(floor / passes["ours"], 3),
        "merged_map": apart(mine, theirs, 1.0),
        "mask_px_apart_at_90": int(((mine > 90) != (theirs > 90)).sum()),
    }


class NothingAhead(LoadedNetworks):
    """Reads each network when its turn comes."""

    def expect(self, order: Order) -> None:
        """Read nothing ahead."""


def _streamed(bench: Bench, recipe: Recipe, pixels: np.ndarray) -> dict[str, Any]:
    """Run the product's own iterator from files to the last map: one fold, eleven members."""
    import tifffile

    path = bench.folder / "slide.tiff"
    tifffile.imwrite(path, pixels, photometric="rgb")
    slide, weights = read_slide(path), [bench.folder / "weights"]
    files = sorted(weights[0].iterdir())
    digests = seconds(lambda: file_digests(files), bench.device)
    found: dict[str, Any] = {
        "members": len(recipe.members([0])),
        "files_mib": round(sum(file.stat().st_size for file in files) / 2**20),
        "digests_of_files_s": round(digests, 2),
        "slide_digest_s": round(seconds(lambda: slide.digest, bench.device), 3),
    }

    def run(shelf: LoadedNetworks) -> tuple[float, float]:
        began, first = time.perf_counter(), 0.0
        for number, _ in enumerate(
            predict(slide, recipe, weights, folds=[0], device=str(bench.device), shelf=shelf)
        ):
            first = time.perf_counter() - began if number == 0 else first
        return time.perf_counter() - began, first

    kept = LoadedNetworks()
    for name, shelf in (("ahead", kept), ("kept_loaded", kept), ("not_ahead", NothingAhead())):
        if name == "not_ahead":
            kept.clear()
            tidy(bench.device)
        if bench.left < 0:
            break
        whole, first = run(shelf)
        found[name] = {"s": round(whole, 3), "first_map_s": round(first, 3), "kept": len(shelf)}
    kept.clear()
    return found
