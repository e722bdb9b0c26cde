"""Memory running out, stopping, two processes on one GPU, and the Dask worker."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from _gpu_measure import Skipped, apart, seconds, tidy, wait
from _gpu_networks import checkpoint_of, chosen, recipe_of, size_of, slide_pixels

from hubseg.inference import Cancelled, LoadedNetworks, Order, load_member, predict_member
from hubseg.inference.passes import ExecutionPlan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from _gpu_measure import Bench

    from hubseg.probability import MemberMap

B7, CONVNEXT = "tf_efficientnet_b7_ns", "convnext_large_384_in22ft1k"


def ladder_part(bench: Bench) -> dict[str, Any]:
    """Cap the memory below what each execution needs; say what gave way, and compare the maps."""
    bench.need_gpu("a memory cap")
    recipe, pixels = recipe_of(bench.small), slide_pixels(3000)
    member = chosen(recipe, B7, 1024)
    path = checkpoint_of(bench, recipe, member, pixels)
    network = load_member(recipe, member, path, bench.device)
    whole = torch.cuda.mem_get_info(bench.device)[1]

    def run(precision: torch.dtype, at_once: int = 4, **more: Any) -> MemberMap:
        network.to(bench.device)
        execution = ExecutionPlan(bench.device, precision, at_once)
        return predict_member(network, pixels, recipe, member, execution=execution, **more)

    def reserved(precision: torch.dtype, at_once: int) -> int:
        tidy(bench.device)
        torch.cuda.reset_peak_memory_stats(bench.device)
        run(precision, at_once)
        return torch.cuda.max_memory_reserved(bench.device)

    full, half = torch.float32, torch.float16
    needs = {
        "4 views": reserved(full, 4),
        "2 views": reserved(full, 2),
        "1 view": reserved(full, 1),
        "1 view, half": reserved(half, 1),
    }
    wanted, first = run(full), torch.cuda.memory_allocated(bench.device)
    sizes = [*needs.values(), first]
    found: dict[str, Any] = {
        "needs_mib": {name: round(one / 2**20) for name, one in needs.items()},
        "weights_mib": round(first / 2**20),
        "rungs": [],
    }
    for above, below in itertools.pairwise(sizes):
        tidy(bench.device)
        cap = (above + below) // 2 if below != first else (3 * first + above) // 4
        said: list[str] = []
        torch.cuda.set_per_process_memory_fraction(cap / whole, bench.device)
        began = time.perf_counter()
        try:
            made: Any = run(full, said=said.append)
            told: Any = apart(made.values, wanted.values)
        except (RuntimeError, MemoryError) as error:
            told = f"{type(error).__name__}: {str(error)[:200]}"
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, bench.device)
        took = round(time.perf_counter() - began, 2)
        rung = {"cap_mib": round(cap / 2**20), "said": said, "maps": told, "s": took}
        found["rungs"].append(rung)
    found["idle_networks"] = _idle(bench, needs["4 views"], whole)
    return found


def _idle(bench: Bench, need: int, whole: int) -> dict[str, Any]:
    """Networks that only wait on the device go before a view does."""
    recipe, pixels = recipe_of(bench.small), slide_pixels(3000)
    shelf, said = LoadedNetworks(1 << 40), []
    orders = [
        Order(
            *(recipe, member, checkpoint_of(bench, recipe, member, pixels), name),
            *(str(bench.device), "float32"),
        )
        for member, name in ((chosen(recipe, CONVNEXT, 768), "a"), (chosen(recipe, B7, 1024), "b"))
    ]
    tidy(bench.device)
    networks = [shelf.take(order) for order in orders]
    cap = need + 200 * 2**20
    torch.cuda.set_per_process_memory_fraction(cap / whole, bench.device)
    try:
        del networks[0]
        member = orders[1].member
        execution = ExecutionPlan(bench.device, torch.float32, 4)
        predict_member(
            *(networks[0], pixels, recipe, member),
            execution=execution,
            said=said.append,
            make_room=shelf.spare,
        )
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, bench.device)
        left = len(shelf)
        shelf.clear()
    return {"said": said, "kept": left}


def cancel_part(bench: Bench) -> dict[str, Any]:
    """Ask a run to stop in the middle of a pass; how long until it has, and the device is idle."""
    recipe, pixels = recipe_of(bench.small), slide_pixels(300 if bench.small else 3000)
    found: dict[str, Any] = {}
    for encoder, size in ((B7, 1472), (CONVNEXT, 1024))[: 1 if bench.small else 2]:
        member = chosen(recipe, encoder, size)
        path = checkpoint_of(bench, recipe, member, pixels)
        network = load_member(recipe, member, path, bench.device, precision="auto")

        def run(asked: Any = None, network: Any = network, member: Any = member) -> None:
            predict_member(network, pixels, recipe, member, cancelled=asked)

        run()
        took = min(seconds(run, bench.device) for _ in range(3))
        stopped = [_stop(bench, run, took * share) for share in (0.1, 0.3, 0.5, 0.7)]
        raised = [one[0] for one in stopped if one is not None]
        idle = [one[1] for one in stopped if one is not None]
        found[f"{member.network.encoder} at {size_of(recipe, member)}"] = {
            "pass_ms": round(1e3 * took, 1),
            "until_stopped_ms": [round(1e3 * one, 1) for one in raised],
            "until_idle_ms": [round(1e3 * one, 1) for one in idle],
            "over_before": len(stopped) - len(raised),
        }
    return found


def _stop(bench: Bench, run: Any, after: float) -> tuple[float, float] | None:
    asked, when = threading.Event(), [0.0]

    def ask() -> None:
        when[0] = time.perf_counter()
        asked.set()

    timer = threading.Timer(after, ask)
    timer.start()
    try:
        run(asked.is_set)
    except Cancelled:
        raised = time.perf_counter() - when[0]
        wait(bench.device)
        return raised, time.perf_counter() - when[0]
    finally:
        timer.cancel()
        timer.join()
    return None


def processes_part(bench: Bench) -> dict[str, Any]:
    """Two processes on one device, one alone and then both: equal maps, in how much more time."""
    recipe, pixels = recipe_of(bench.small), slide_pixels(300 if bench.small else 3000)
    path = checkpoint_of(bench, recipe, chosen(recipe, B7, 1024), pixels)
    times = 3 if bench.small else 40
    with ExitStack() as held:
        children = [held.enter_context(_child(bench, path, times, name)) for name in "ab"]
        for child in children:
            _answer(child)  # it is ready
        (alone,) = _turn(children[:1])
        both = _turn(children)
    slower = max(one["s"] for one in both)
    maps = [np.load(one["map"]) for one in (alone, *both)]
    return {
        "passes_each": times,
        "1 at once": [alone["s"]],
        "2 at once": [one["s"] for one in both],
        "both_take_times_one_alone": round(slower / alone["s"], 2),
        "gain_over_one_after_the_other": round(2 * alone["s"] / slower, 2),
        "maps": [apart(one, maps[0]) for one in maps[1:]],
    }


@contextmanager
def _child(bench: Bench, path: Path, times: int, name: str) -> Iterator[subprocess.Popen[str]]:
    """Start a process that loads the network, says so, and waits for its turns."""
    script = str(Path(__file__).with_name("gpu.py"))
    command = [sys.executable, script, "--child", "passes", str(path), str(bench.device)]
    command += [str(times), str(int(bench.small)), str(bench.folder / f"map_{name}")]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def _turn(children: Sequence[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    """Let these processes run at the same time."""
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    return [_answer(child) for child in children]


def _answer(child: subprocess.Popen[str]) -> dict[str, Any]:
    assert child.stdout is not None
    said = child.stdout.readline()
    if not said:
        raise RuntimeError(f"a process ended with {child.wait()} before its turn")
    return dict(json.loads(said))


def passes_child(path: str, on: str, times: str, small: str, name: str) -> dict[str, Any]:
    """Run one member many times whenever told to, by a line on standard input."""
    recipe, pixels = recipe_of(small == "1"), slide_pixels(300 if small == "1" else 3000)
    member, device = chosen(recipe, B7, 1024), torch.device(on)
    network = load_member(recipe, member, Path(path), device, precision="auto")
    made = predict_member(network, pixels, recipe, member)
    print("{}", flush=True)
    for turn, _ in enumerate(sys.stdin):
        began = time.perf_counter()
        for _ in range(int(times)):
            made = predict_member(network, pixels, recipe, member)
        took = time.perf_counter() - began
        np.save(f"{name}{turn}.npy", made.values)
        print(json.dumps({"s": round(took, 3), "map": f"{name}{turn}.npy"}), flush=True)
    return {}


def engine_part(bench: Bench) -> dict[str, Any]:
    """One slide through the Dask worker, from the engine's start to the last map."""
    try:
        import distributed  # noqa: F401
        import imagecodecs  # noqa: F401
        import tifffile
    except ModuleNotFoundError as error:
        raise Skipped(f"{error.name} is not installed") from error
    from hubseg.engine import Engine
    from hubseg.slide import read_slide

    recipe, pixels = recipe_of(bench.small), slide_pixels(300 if bench.small else 3000)
    for member in recipe.members([0]):
        checkpoint_of(bench, recipe, member, pixels)
    tifffile.imwrite(bench.folder / "engine.tiff", pixels, photometric="rgb")
    slide = read_slide(bench.folder / "engine.tiff")
    device = "cuda:0" if bench.cuda else "cpu"
    began, at = time.perf_counter(), []
    engine = Engine(bench.folder / "maps", device=device)
    try:
        last: Any = None
        for update in engine.run([slide], recipe, [bench.folder / "weights"], [0]):
            at.append(round(time.perf_counter() - began, 2))
            last = update
    finally:
        engine.unload()
    return {
        "updates": len(at),
        "first_s": at[0],
        "last_s": at[-1],
        "done": last.done,
        "error": last.error,
        "memory_mib": None if last.memory is None else [round(one / 2**20) for one in last.memory],
    }
