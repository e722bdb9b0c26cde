"""What each lever brings to one network's passes, one by one, against ours as it is."""

from __future__ import annotations

import copy
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from _gpu_measure import Skipped, apart, in_turns, peak_mib, seconds, spread, tidy, wait
from _gpu_networks import (
    checkpoint_of,
    chosen,
    plain_load,
    published_input,
    recipe_of,
    size_of,
    slide_pixels,
)
from torch import nn

from hubseg.inference import load_member, normalise, resize_pixels
from hubseg.inference.passes import stopping
from hubseg.inference.staging import stage
from hubseg.inference.views import views
from hubseg.network import fold, read_checkpoint
from hubseg.probability import MemberMap, mix

if TYPE_CHECKING:
    from collections.abc import Callable

    from _gpu_measure import Bench

NETWORKS = (
    ("convnext_large_384_in22ft1k", 1024),
    ("tf_efficientnetv2_l_in21ft1k", 1472),
    ("tf_efficientnet_b7_ns", 1472),
    ("tf_efficientnet_b7_ns", 768),
    ("coat_lite_medium", 1024),
)
MODES = "default", "max-autotune-no-cudagraphs"
COMPILED = (  # encoder, size, mode; a second process finds what the first one left on disk
    ("convnext_large_384_in22ft1k", 1024, MODES[0]),
    ("coat_lite_medium", 1024, MODES[0]),
    ("tf_efficientnet_b7_ns", 768, MODES[0]),
    ("coat_lite_medium", 1024, MODES[0]),
    ("convnext_large_384_in22ft1k", 1024, MODES[1]),
)


@dataclass(frozen=True)
class Way:
    """One way to run four views; the defaults are ours.

    Attributes
    ----------
    folded
        all, norms alone (repeated pixels stay), or none.
    cast
        Weights of convolutions and matrices are kept in half precision.
    graphed
        A CUDA graph is captured and replayed.
    hooked
        Layers ask whether to stop.
    """

    precision: torch.dtype | None = torch.float16
    at_once: int = 4
    channels_last: bool = True
    folded: str = "all"
    cast: bool = False
    searched: bool = False
    graphed: bool = False
    hooked: bool = False
    tf32: bool = True


OURS = Way()
WAYS = {
    "ours": OURS,
    "one view at a time": replace(OURS, at_once=1),
    "not channels-last": replace(OURS, channels_last=False),
    "nothing folded": replace(OURS, folded="none"),
    "repeated pixels not folded": replace(OURS, folded="norms"),
    "weights cast ahead": replace(OURS, cast=True),
    "layers ask to stop": replace(OURS, hooked=True),
    "bfloat16": replace(OURS, precision=torch.bfloat16),
    "float32 with TF32": replace(OURS, precision=None),
    "float32": replace(OURS, precision=None, tf32=False),
    "cuDNN searches": replace(OURS, searched=True),
    "cuDNN searches, weights cast ahead": replace(OURS, searched=True, cast=True),
    "as published, one view": Way(at_once=1, channels_last=False, folded="none"),
    "CUDA graph": replace(OURS, graphed=True),
    "CUDA graph, weights cast ahead": replace(OURS, graphed=True, cast=True),
}


def levers_part(bench: Bench) -> dict[str, Any]:
    recipe, pixels = recipe_of(bench.small), slide_pixels(300 if bench.small else 3000)
    found: dict[str, Any] = {"networks": [], "failed": {}}
    bench.known["partial"] = found
    found["around"] = _around(bench, pixels)
    for encoder, size in NETWORKS[: 1 if bench.small else None]:
        if found["networks"] and bench.left < 15:
            break
        try:
            found["networks"].append(_network(bench, recipe, encoder, size, pixels))
        except Exception as error:
            found["failed"][f"{encoder} at {size}"] = f"{type(error).__name__}: {str(error)[:500]}"
        tidy(bench.device)
    return found


def compile_part(bench: Bench) -> dict[str, Any]:
    """Run torch.compile in processes of their own, which are ended when their time is over."""
    if bench.small:
        raise Skipped("compiling takes minutes on a CPU")
    bench.need_gpu("torch.compile")
    found: dict[str, Any] = {}
    bench.known["partial"] = found
    recipe, pixels = recipe_of(bench.small), slide_pixels(3000)
    cache = {"TORCHINDUCTOR_CACHE_DIR": str(bench.folder / "inductor")}
    for encoder, size, mode in COMPILED:
        member = chosen(recipe, encoder, size)
        path = checkpoint_of(bench, recipe, member, pixels)
        name = f"{encoder} at {size_of(recipe, member)}, {mode}"
        name += ", second process" if name in found else ""
        if bench.left < 15:
            found[name] = "no time left"
            continue
        command = [sys.executable, str(Path(__file__).with_name("gpu.py")), "--child", "compile"]
        command += [encoder, str(size), str(path), str(bench.device), mode]
        found[name] = _child(command, cache, bench.left)
    return found


def _child(command: list[str], more: dict[str, str], limit: float) -> Any:
    began = time.perf_counter()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit, env=os.environ | more
        )
    except subprocess.TimeoutExpired as error:
        return f"ended after {error.timeout:.0f} s"
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return done.stderr.strip()[-600:]
    return json.loads(lines[-1]) | {"process_s": round(time.perf_counter() - began, 1)}


def compile_child(
    encoder: str, size: str, path: str, on: str, mode: str, small: str = "0"
) -> dict[str, Any]:
    """Compile one network, run a second fold of it with the same code, and time its passes."""
    from torch._dynamo import config
    from torch._dynamo.utils import counters

    config.recompile_limit = 64
    recipe = recipe_of(small == "1")
    member, device = chosen(recipe, encoder, int(size)), torch.device(on)
    image = published_input(slide_pixels(300), size_of(recipe, member)).to(device)
    seen = torch.cat([v.forward(image) for v in views(recipe.tta)])
    seen = seen.contiguous(memory_format=torch.channels_last)
    half = torch.float16 if device.type == "cuda" else torch.bfloat16
    folds = [load_member(recipe, member, Path(path), device, precision="auto") for _ in range(2)]
    how: dict[str, Any] = {"backend": "eager"} if mode == "eager" else {"mode": mode}
    fast = [torch.compile(one, dynamic=False, **how) for one in folds]

    def run(with_what: Any) -> torch.Tensor:
        with (
            torch.inference_mode(),
            torch.autocast(device.type, half, enabled=device.type == "cuda"),
        ):
            return torch.sigmoid(with_what(seen).logits.float()).mean(0)

    firsts = [[seconds(lambda it=it: run(it), device) for _ in range(2)] for it in fast]
    rounds = range(9 if device.type == "cuda" else 2)
    times = [
        tuple(seconds(lambda it=it: run(it), device) for it in (fast[0], folds[0])) for _ in rounds
    ]
    compiled, plain = zip(*times[1:], strict=True)
    return {
        "first_calls_s": {
            "fold 0": [round(one, 2) for one in firsts[0]],
            "fold 1": [round(one, 2) for one in firsts[1]],
        },
        "graphs": counters["stats"].get("unique_graphs"),
        "compiled": spread(list(compiled)),
        "not_compiled": spread(list(plain)),
        "times_ours": round(statistics.median(compiled) / statistics.median(plain), 3),
        "maps": apart(run(fast[0]).cpu().numpy(), run(folds[0]).cpu().numpy()),
    }


def _network(
    bench: Bench, recipe: Any, encoder: str, size: int, pixels: np.ndarray
) -> dict[str, Any]:
    member = chosen(recipe, encoder, size)
    path, side = checkpoint_of(bench, recipe, member, pixels), size_of(recipe, member)
    plain = plain_load(member, side, path, bench.device)
    image = published_input(pixels, side).to(bench.device)
    table: dict[str, Any] = {}
    exact = ours = None
    for name in ("float32", *(name for name in WAYS if name != "float32")):
        if bench.left < 0:
            table[name] = "no time left"
            continue
        try:
            row, values = _way(bench, plain, WAYS[name], image, side)
        except Exception as error:  # whatever it is: the other ways are worth their time
            table[name] = " ".join(str(error).split())[:200] or type(error).__name__
            tidy(bench.device)
            continue
        exact = values if name == "float32" else exact
        if exact is not None:
            row["to_float32"] = apart(values, exact)
        ours = row["median_ms"] if name == "ours" else ours
        if ours:
            row["times_ours"] = round(row["median_ms"] / ours, 3)
        table[name] = row
    kernels = _kernels(bench, _made(plain, replace(OURS, cast=True), side), image)
    return {"encoder": member.network.encoder, "size": side, "ways": table, "kernels": kernels}


def _kernels(bench: Bench, network: nn.Module, image: torch.Tensor) -> Any:
    """Return where the device's time goes in one batch of views: ms and count by kernel."""
    from torch.profiler import ProfilerActivity, profile

    if not bench.cuda or bench.left < 3:
        return "no GPU" if not bench.cuda else "no time left"
    seen = torch.cat([view.forward(image) for view in views("flip_rot90")])
    seen = seen.contiguous(memory_format=torch.channels_last)
    try:
        _passes(network, seen, OURS, bench.cuda)
        with profile(activities=[ProfilerActivity.CUDA]) as profiled:
            _passes(network, seen, OURS, bench.cuda)
            wait(bench.device)
        rows = sorted(profiled.key_averages(), key=lambda row: -row.self_device_time_total)
        whole = sum(row.self_device_time_total for row in rows)
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    most = [[row.key[:90], row.count, round(row.self_device_time_total / 1e3, 3)] for row in rows]
    return {"whole_ms": round(whole / 1e3, 3), "most": most[:12]}


def _way(
    bench: Bench, plain: nn.Module, way: Way, image: torch.Tensor, side: int
) -> tuple[dict[str, Any], np.ndarray]:
    """Time one way; return it with the mean of the views' maps."""
    only = way.graphed, way.searched, way.cast, way.precision == torch.bfloat16
    if not bench.cuda and any(only):
        raise Skipped(f"needs a GPU, and this is {bench.device}")
    network = _made(plain, way, side)
    seen = torch.cat([view.forward(image) for view in views("flip_rot90")])
    seen = seen.contiguous(memory_format=_format(way))
    row: dict[str, Any] = {}
    flags = torch.backends.cudnn
    before = flags.benchmark, flags.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    flags.benchmark = way.searched
    flags.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = way.tf32
    try:
        work = lambda: _passes(network, seen, way, bench.cuda)  # noqa: E731
        first = {"first_ms": round(1e3 * seconds(work, bench.device), 1)}
        if way.graphed:
            captured: list[Callable[[], torch.Tensor]] = []
            capture = lambda: captured.append(_graph(network, seen, way))  # noqa: E731
            first["capture_ms"] = round(1e3 * seconds(capture, bench.device), 1)
            first["next_folds_weights_ms"] = _copied_in(bench, network)
            work = captured[0]
        row = in_turns(bench, {"one": work}, 2 if bench.small else 7, warm=1)["one"] | first
        row["peak_mib"] = None if way.graphed else peak_mib(work, bench.device)
        logits = work()
        return row, _mean(logits)
    finally:
        flags.benchmark, flags.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def _made(plain: nn.Module, way: Way, side: int) -> nn.Module:
    network: Any = copy.deepcopy(plain)
    if way.folded != "none":
        network = fold(network, size=side, doubling=way.folded == "all")
    network = network.to(memory_format=_format(way))
    if way.cast and way.precision is not None:
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                module.to(way.precision)
    return network


def _format(way: Way) -> torch.memory_format:
    return torch.channels_last if way.channels_last else torch.contiguous_format


def _passes(network: nn.Module, seen: torch.Tensor, way: Way, cuda: bool) -> torch.Tensor:
    half = way.precision if cuda else None
    context = torch.autocast("cuda", half) if half is not None else nullcontext()
    asked = (lambda: False) if way.hooked else None
    with torch.inference_mode(), context, stopping(network, asked):
        parts = [network(part).logits for part in seen.split(way.at_once)]
        return torch.cat(parts).float()


def _graph(network: nn.Module, seen: torch.Tensor, way: Way) -> Callable[[], torch.Tensor]:
    """Capture the passes once; return what replays them."""
    graph = torch.cuda.CUDAGraph()
    half = torch.autocast("cuda", way.precision or torch.float16, cache_enabled=False)
    with torch.no_grad(), half:
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            network(seen)
        torch.cuda.current_stream().wait_stream(beside)
        with torch.cuda.graph(graph):
            logits = network(seen).logits

    def replay() -> torch.Tensor:
        graph.replay()
        return logits.float()

    return replay


def _copied_in(bench: Bench, network: nn.Module) -> float:
    """Return the ms of copying another fold's weights to where a captured graph reads them."""
    here = [one.detach() for one in network.parameters()]
    other = [one.clone() for one in here]
    times = [seconds(lambda: torch._foreach_copy_(here, other), bench.device) for _ in range(3)]
    return round(1e3 * min(times), 3)


def _mean(logits: torch.Tensor) -> np.ndarray:
    seen = torch.sigmoid(logits)[:, 0]
    undone = [v.inverse(one) for v, one in zip(views("flip_rot90"), seen, strict=True)]
    return torch.stack(undone).mean(0).cpu().numpy()


def _around(bench: Bench, pixels: np.ndarray) -> dict[str, Any]:
    """Time what stands around the passes: input, copies, loading, merging."""
    recipe = recipe_of(bench.small)
    member = chosen(recipe, "convnext_large_384_in22ft1k", 768)
    path = checkpoint_of(bench, recipe, member, pixels)
    device = bench.device
    state = read_checkpoint(path).state
    held = {key: tensor.clone() for key, tensor in state.items()}
    found: dict[str, Any] = {
        "input": _input(bench, recipe, pixels),
        "merging": _merging(bench, recipe, pixels),
        "weights_mib": round(sum(t.nbytes for t in held.values()) / 2**20),
    }
    ways: dict[str, Callable[[], Any]] = {
        "mapped file to device": lambda: [t.to(device, copy=True) for t in state.values()],
        "memory to device": lambda: [t.to(device, copy=True) for t in held.values()],
        "load_member to device": lambda: load_member(
            recipe, member, path, device, precision="auto"
        ),
        "bytes to device": lambda: stage(path, device),
        "load_member to CPU, then device": lambda: load_member(
            recipe, member, path, torch.device("cpu")
        ).to(device),
        "as published": lambda: plain_load(member, size_of(recipe, member), path, device),
    }
    if bench.cuda:
        pinned = {key: tensor.pin_memory() for key, tensor in held.items()}
        ways["pinned memory to device"] = lambda: [
            t.to(device, non_blocking=True) for t in pinned.values()
        ]
        ways["to pinned memory"] = lambda: [t.pin_memory() for t in held.values()]
    found["loading"] = in_turns(bench, ways, 1 if bench.small else 2)
    return found


def _input(bench: Bench, recipe: Any, pixels: np.ndarray) -> dict[str, Any]:
    """From the slide's pixels to the network's input, made on the CPU or on the device."""
    resolution, device = recipe.resolutions[-1], bench.device
    small = resize_pixels(pixels, resolution)
    given = recipe.normalize, recipe.channel_order
    ways: dict[str, Callable[[], Any]] = {
        "resizing": lambda: resize_pixels(pixels, resolution),
        "normalised on the CPU, copied": lambda: normalise(small, *given).to(device),
        "normalised on the device": lambda: normalise(small, *given, device),
    }
    if bench.cuda:
        pinned = torch.from_numpy(small).pin_memory()
        ways["pixels copied"] = lambda: torch.from_numpy(small).to(device)
        ways["pinned pixels copied"] = lambda: pinned.to(device, non_blocking=True)
    equal = bool(torch.equal(normalise(small, *given), normalise(small, *given, device).cpu()))
    return in_turns(bench, ways, 5) | {"same_bits": equal}


def _merging(bench: Bench, recipe: Any, pixels: np.ndarray) -> dict[str, Any]:
    """Three resolutions to one map at slide size: on the CPU, and on the device."""
    shape, random = pixels.shape[:2], np.random.default_rng(0)
    firsts = [m for m in recipe.members([0]) if m.entry == 0]
    maps = [random.random((size_of(recipe, m) // 2,) * 2, np.float32) for m in firsts]
    made = [(m, MemberMap(values)) for m, values in zip(firsts, maps, strict=True)]
    weights = [one.weight for one in recipe.resolutions]

    def ours() -> np.ndarray:
        return mix(recipe, made, shape=shape, slide_digest="").values

    def there() -> np.ndarray:
        summed = torch.zeros(shape, dtype=torch.float64, device=bench.device)
        for values, weight in zip(maps, weights, strict=True):
            level = torch.from_numpy(values).to(bench.device)[None, None]
            level = F.interpolate(level, shape, mode="bilinear")[0, 0]
            summed += (level * 255).trunc().double() * weight
        return summed.float().cpu().numpy()

    times = in_turns(bench, {"on the CPU": ours, "on the device": there}, 3)
    return times | {"maps": apart(there(), ours(), 1.0)}
