"""Steps of training on the device: how long, in which arithmetic, and waiting for what."""

from __future__ import annotations

import csv
import itertools
import time
from typing import TYPE_CHECKING, Any

import tifffile
import torch
from _gpu_measure import tidy

from hubseg.formats.rle import encode
from hubseg.organ import DataSource, Organ
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.synthetic.tissue import make_slide
from hubseg.training.crops import Crops
from hubseg.training.data import SlideCache
from hubseg.training.distributed import ProcessGroup
from hubseg.training.loop import Fit, fit
from hubseg.training.sources import labels_of
from hubseg.training.state import save_state

if TYPE_CHECKING:
    from pathlib import Path

    from _gpu_measure import Bench

    from hubseg.training.label import Label

MOST_WAITING = 0.15


def training_part(bench: Bench) -> dict[str, Any]:
    labels = _labels(bench.folder, 1 if bench.small else 4, 256 if bench.small else 1600)
    published, demo = _published(bench.small), _demo(bench.small)
    steps = 3 if bench.small else 20
    found: dict[str, Any] = {"ways": {}}
    bench.known["partial"] = found
    ways: list[tuple[str, Recipe, dict[str, Any]]] = [
        ("published network", published, {}),
        ("demo network", demo, {}),
        ("demo network, 8 threads", _with(demo, workers=8), {}),
        ("published network, 8 threads", _with(published, workers=8), {}),
    ]
    if bench.cuda:
        ways += [
            ("published network, bfloat16", published, {"bfloat16": True}),
            ("published network, cuDNN searches", published, {"searched": True}),
            ("demo network, 8 threads, cuDNN searches", _with(demo, workers=8), {"searched": True}),
        ]
    for name, recipe, more in ways[: 2 if bench.small else None]:
        if found["ways"] and bench.left < 8:
            found["ways"][name] = "no time left"
            continue
        few = steps if recipe.training.crop > 300 else 4 * steps
        try:
            found["ways"][name] = _steps(bench, recipe, labels, few, **more)
        except (RuntimeError, ValueError) as error:
            found["ways"][name] = f"{type(error).__name__}: {str(error)[:300]}"
        tidy(bench.device)
    found["resumed"] = _resumed(bench, demo, labels)
    return found


def _with(recipe: Recipe, **more: Any) -> Recipe:
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=more)})


def _published(small: bool) -> Recipe:
    encoder = "test_efficientnet" if small else "tf_efficientnet_b7_ns"
    entry = Entry(network=NetworkSpec(encoder=encoder), checkpoint="b7_{fold}")
    own = Recipe.load("hubmap-2022-2nd-place")
    recipe = own.model_copy(update={"resolutions": (Resolution(scale=0.5, members=(entry,)),)})
    crop, batch = (64, 2) if small else (512, 4)
    return _with(recipe, crop=crop, batch=batch, learning_rate=1e-4, warm_up=5)


def _demo(small: bool) -> Recipe:
    recipe = Recipe.load("demo")
    return _with(recipe, crop=64, batch=2) if small else recipe


def _labels(folder: Path, count: int, side: int) -> list[Label]:
    images = folder / "train_images"
    images.mkdir(exist_ok=True)
    with (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(
            ("id", "organ", "data_source", "img_height", "img_width", "pixel_size", "rle")
        )
        for seed in range(1, count + 1):
            image, mask = make_slide(Organ.KIDNEY, height=side, width=side, seed=seed)
            tifffile.imwrite(images / f"{seed}.tiff", image, photometric="rgb")
            source = DataSource.HUBMAP.value
            table.writerow((seed, "kidney", source, side, side, 0.5, encode(mask)))
    return labels_of(folder / "train.csv")


def _crops(bench: Bench, recipe: Recipe, labels: list[Label]) -> Crops:
    cache = SlideCache(bench.folder / "cache")
    made = Crops(
        *(labels, recipe, recipe.resolutions[:1], cache),
        fold=0,
        seed=1,
        on_device=bench.cuda,
    )
    for label in labels:  # decoded before the clock starts
        cache.get(label, recipe.resolutions[0], recipe.training, 0)
    return made


def _job(bench: Bench, recipe: Recipe) -> Fit:
    return Fit(recipe.members([0])[0], recipe, ProcessGroup.alone(bench.device))


def _steps(
    bench: Bench,
    recipe: Recipe,
    labels: list[Label],
    steps: int,
    *,
    bfloat16: bool = False,
    searched: bool = False,
) -> dict[str, Any]:
    """Train some steps after as many again to warm up; report the second half."""
    recipe = _with(recipe, steps=2 * steps, report_every=steps, save_every=10**6)
    job, crops = _job(bench, recipe), _crops(bench, recipe, labels)
    if bfloat16:
        job.learner._precision = torch.bfloat16
        job.scaler = torch.amp.GradScaler(bench.device.type, enabled=False)
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = before or searched
    if bench.cuda:
        torch.cuda.reset_peak_memory_stats(bench.device)
    scales: list[float] = []
    ends: list[float] = []

    def watch(*_: object) -> None:
        ends.append(time.perf_counter())
        if len(ends) % 10 == 1 and job.scaler.is_enabled():  # asking waits for the device
            scales.append(float(job.scaler.get_scale()))

    try:
        reports = list(fit(job, crops, None, watch=watch))
    finally:
        torch.backends.cudnn.benchmark = before
    each = [b - a for a, b in zip(ends[steps:-1], ends[steps + 1 :], strict=True)]
    each = sorted(each)
    plan = recipe.training
    median = each[len(each) // 2]
    return {
        "precision": str(job.learner._precision).removeprefix("torch."),
        "crop": plan.crop,
        "batch": plan.batch,
        "threads": plan.workers,
        "step_ms": round(1e3 * median, 2),
        "range_ms": [round(1e3 * each[0], 2), round(1e3 * each[-1], 2)],
        "first_step_s": round(ends[1] - ends[0], 2),
        "crops_per_s": round(plan.batch / median, 1),
        "waiting": round(reports[-1].waiting, 4),
        "waits_too_long": reports[-1].waiting > MOST_WAITING,
        "losses": [round(one.loss, 4) for one in reports],
        "scale": [scales[0], scales[-1]] if scales else None,
        "times_scale_fell": sum(b < a for a, b in itertools.pairwise(scales)),
        "peak_mib": round(torch.cuda.max_memory_allocated(bench.device) / 2**20)
        if bench.cuda
        else None,
    }


def _resumed(bench: Bench, recipe: Recipe, labels: list[Label]) -> dict[str, Any]:
    """Train six steps at once, and three and three with a state on disk between them."""
    recipe = _with(recipe, steps=6, report_every=6, save_every=10**6)
    saved = bench.folder / "state.pt"

    def crops() -> Crops:
        return _crops(bench, recipe, labels)

    whole = _job(bench, recipe)
    losses = [one.loss for one in fit(whole, crops(), None)]
    half = _job(bench, recipe)
    list(fit(half, crops(), saved, stopped=lambda: half.step == 3))
    save_state(saved, half.state())
    again = _job(bench, recipe)
    again.restore(saved)
    resumed = [one.loss for one in fit(again, crops(), None)]
    pairs = zip(whole.network.parameters(), again.network.parameters(), strict=True)
    far = max(float((a - b).detach().abs().max()) for a, b in pairs)
    return {
        "steps": [whole.step, half.step, again.step],
        "losses": [round(losses[-1], 5), round(resumed[-1], 5)],
        "weights_apart": far,
    }
