"""Everything that only a GPU can tell, in one command: pictures, weights and tissue are made here.

    python benchmarks/gpu.py [--out gpu.json] [--minutes 8] [--parts card,recipe] [--device auto]
    python benchmarks/gpu.py --small     # on a CPU, tiny networks: does it work at all

Needs the checkout, torch and timm. Each part has its share of the time; one that fails is written
down with what it said, and the next one runs. The file is written after every part.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import timm
import torch
from _gpu_levers import compile_child, compile_part, levers_part
from _gpu_limits import cancel_part, engine_part, ladder_part, passes_child, processes_part
from _gpu_measure import Bench, Skipped, seconds, tidy
from _gpu_recipe import recipe_part
from _gpu_training import training_part

from hubseg.inference import choose_device

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = 1


def card_part(bench: Bench) -> dict[str, Any]:
    """Facts of the device, its copy bandwidth and its rate of matrix products."""
    found: dict[str, Any] = {
        "torch": torch.__version__,
        "timm": timm.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "name": platform.processor() or platform.machine(),
    }
    side = 512 if bench.small else 8192
    if bench.cuda:
        facts = torch.cuda.get_device_properties(bench.device)
        free, whole = torch.cuda.mem_get_info(bench.device)
        found |= {
            "name": facts.name,
            "memory_mib": whole >> 20,
            "free_mib": free >> 20,
            "multiprocessors": facts.multi_processor_count,
            "capability": f"{facts.major}.{facts.minor}",
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    found["copy_gb_s"] = _copy_rate(bench, side)
    precisions = (torch.float16, torch.bfloat16) if bench.cuda else (torch.float32,)
    rates = {str(one).removeprefix("torch."): _rate(bench, side, one) for one in precisions}
    found["matmul_tflops"] = rates
    bench.known["half_tflops"] = rates.get("float16")
    return found


def _copy_rate(bench: Bench, side: int) -> float:
    source = torch.ones(side * side * 4, dtype=torch.uint8, device=bench.device)
    into = torch.empty_like(source)
    times = [seconds(lambda: into.copy_(source), bench.device) for _ in range(12)]
    return round(2 * source.nbytes / sorted(times)[5] / 1e9, 1)


def _rate(bench: Bench, side: int, precision: torch.dtype) -> float:
    a = torch.randn(side, side, device=bench.device, dtype=precision)
    count = 20 if bench.cuda else 2

    def work() -> None:
        for _ in range(count):
            a @ a

    work()
    best = min(seconds(work, bench.device) for _ in range(3))
    return round(count * 2 * side**3 / best / 1e12, 2)


# in order of value, each with its share of the time in seconds out of 480
PARTS: dict[str, tuple[Callable[[Bench], dict[str, Any]], float]] = {
    "card": (card_part, 15),
    "recipe": (recipe_part, 150),
    "levers": (levers_part, 80),
    "ladder": (ladder_part, 30),
    "training": (training_part, 75),
    "cancel": (cancel_part, 15),
    "processes": (processes_part, 50),
    "engine": (engine_part, 25),
    "compile": (compile_part, 200),
}
CHILDREN = {"compile": compile_child, "passes": passes_child}


def main(arguments: list[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    if given.child:
        name, *rest = given.child
        sys.stdout.write(json.dumps(CHILDREN[name](*rest)) + "\n")
        return 0
    names = given.parts.split(",") if given.parts else list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise SystemExit(f"No part {unknown[0]!r}: use some of {', '.join(PARTS)}.")
    device = torch.device("cpu") if given.small else choose_device(given.device)
    if device.type == "cpu":
        torch.set_num_threads(1 if given.small else min(4, torch.get_num_threads()))
    elif device.index is None:
        device = torch.device("cuda", torch.cuda.current_device())
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "small": given.small,
        "device": str(device),
        "minutes": given.minutes,
        "parts": {},
    }
    with tempfile.TemporaryDirectory(prefix="hubseg-gpu-", ignore_cleanup_errors=True) as folder:
        bench = Bench(device, given.small, Path(folder))
        watchdog = _end_after(given.minutes * 60 + 40, report, given.out)
        began = time.perf_counter()
        for name in names:
            left = given.minutes * 60 - (time.perf_counter() - began)
            _run(bench, name, min(PARTS[name][1] * given.minutes / 8, left), report)
            _write(report, given.out)
        watchdog.cancel()
    _table(report)
    return 0


def _run(bench: Bench, name: str, budget: float, report: dict[str, Any]) -> None:
    """Run one part; whatever it raises is written down."""
    began = time.perf_counter()
    bench.ends = began + budget
    bench.known.pop("partial", None)
    part: dict[str, Any] = {"state": "running", "budget_s": round(budget, 1)}
    report["parts"][name] = part
    try:
        if budget < 2:
            raise Skipped("no time was left")
        part["figures"] = PARTS[name][0](bench)
        part["state"] = "done"
    except Skipped as skipped:
        part |= {"state": "skipped", "why": str(skipped)}
    except Exception as error:
        part |= {"state": "failed", "why": f"{type(error).__name__}: {str(error)[:1000]}"}
        part["where"] = traceback.format_exc(limit=-6)[-2000:]
        if "partial" in bench.known:
            part["figures"] = bench.known["partial"]
    finally:
        gc.collect()
        try:
            tidy(bench.device)
        except RuntimeError as error:  # a fault of the device outlives the part that met it
            part["afterwards"] = str(error)[:300]
    part["seconds"] = round(time.perf_counter() - began, 2)
    sys.stdout.write(f"[{name}: {part['state']} {part['seconds']} s] {part.get('why', '')}\n")
    sys.stdout.flush()


def _end_after(limit: float, report: dict[str, Any], out: Path | None) -> threading.Timer:
    """End this process, with what there is, when a part hangs."""

    def end() -> None:
        report["ended"] = f"after {limit:.0f} s"
        _write(report, out)
        _table(report)
        sys.stdout.flush()
        os._exit(3)

    timer = threading.Timer(limit, end)
    timer.daemon = True
    timer.start()
    return timer


def _write(report: dict[str, Any], out: Path | None) -> None:
    if out is not None:
        part = out.with_suffix(".part")
        part.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        part.replace(out)


def _table(report: dict[str, Any]) -> None:
    """Print the figures that matter most, a line each."""
    lines: list[str] = []
    figures = {name: part.get("figures") or {} for name, part in report["parts"].items()}
    for one in figures.get("recipe", {}).get("entries", []):
        lines.append(
            f"{one['encoder'][:28]:28} {one['size']:5} ours {one['ours']['median_ms']:8.1f} ms  "
            f"plain {one['plain']['median_ms']:8.1f} ms  {one['ratio']:6.2f}x "
            f"({one['ratio_to_better']:.2f}x)  load {one['loading_ms']['ours']:6.0f}/"
            f"{one['loading_ms']['plain']:6.0f} ms  {one['tflops']:6.1f} TFLOP/s  "
            f"within 1: {one['maps']['ours_to_plain']['within_1_level']:.4f}"
        )
    for part, keys in (
        ("card", ("name", "copy_gb_s", "matmul_tflops")),
        ("recipe", ("whole", "predict")),
        ("levers", ("around",)),
        ("ladder", ("needs_mib", "rungs", "idle_networks")),
        ("cancel", ()),
        ("processes", ()),
        ("engine", ()),
        ("compile", ()),
    ):
        shown = figures.get(part, {})
        shown = {key: shown[key] for key in keys if key in shown} if keys else shown
        if shown:
            lines.append(f"{part}: {json.dumps(shown)}")
    for network in figures.get("levers", {}).get("networks", []):
        ways = "; ".join(
            f"{name} {row['median_ms']:.1f}" if isinstance(row, dict) else f"{name}: {row[:60]}"
            for name, row in network["ways"].items()
        )
        lines.append(f"{network['encoder']} at {network['size']}, ms: {ways}")
    for name, row in figures.get("training", {}).get("ways", {}).items():
        lines.append(f"training, {name}: {json.dumps(row)}")
    sys.stdout.write("\n".join(lines) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, help="file for the figures (JSON)")
    parser.add_argument("--minutes", type=float, default=8.0, help="time for all parts")
    parser.add_argument("--parts", default="", help=f"some of {', '.join(PARTS)}; default: all")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N")
    parser.add_argument("--small", action="store_true", help="tiny networks on the CPU")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
