"""One measurement of `benchmarks/peaks.py` in a process of its own, told on standard output.

`window` opens a slide in a real window and prints, after each step, the peak up to there and what
is resident now. `checkpoint` writes a network with random weights, and `network` runs it on a
slide: the process's peak, how much of it came while the network ran, and the estimate.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hubseg.recipe import Recipe


def resident(line: str, process: int | str = "self") -> int:
    """Return a line of a process's state, bytes."""
    said = re.search(rf"{line}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    if said is None:
        raise RuntimeError(f"No {line} in /proc/{process}/status: this measurement needs Linux.")
    return 1024 * int(said[1])


def peak(process: int | str = "self") -> int:
    """Return the largest resident size that a process itself has had, bytes."""
    return resident("VmHWM", process)


def step(what: str) -> None:
    """Print a line of the table."""
    print(f"{what}\t{peak()}\t{resident('VmRSS')}", flush=True)


# ---- a window -----------------------------------------------------------------------------------


def window(kind: str, path: Path, project: Path) -> None:
    """Do in a real window what a person does first."""
    from napari_hubseg.demo.screen import rest, virtual_screen, wait_for
    from napari_hubseg.demo.start import open_window

    os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
    with virtual_screen():
        viewer, dock = open_window()
        dock.window().setGeometry(0, 0, 1600, 1000)
        dock.window().show()
        rest(1500)
        step("an empty window")
        shown: list[str] = []
        dock.desk.layers.slide_shown.connect(shown.append)
        dock.open_path(path, project=project)
        wait_for("The slide", lambda: bool(shown) and not dock.busy)
        rest(3000)
        step("opened")
        if kind == "large":
            divide(dock)
        else:
            run(dock)
        stroke(viewer, dock)
        viewer.close()


def run(dock: Any) -> None:
    """Run the bundled ensemble, and drag the threshold."""
    import numpy as np

    from napari_hubseg.demo.screen import Hand, rest, wait_for

    session, ensemble = dock.session, dock.desk.ensemble
    dock.ensemble.run.click()
    wait_for("A map", lambda: session.probability is not None)
    wait_for("The end of the run", lambda: not ensemble.running)
    settle(dock)
    step("the ensemble has run")
    slider, at = dock.thresholds.main.slider, session.threshold / 255
    hand, before = Hand(dock.window()), session.threshold
    shares = 0.02 + 0.96 * (at + np.linspace(0, 0.2, 12))
    hand.drag([hand.place(slider, share) for share in shares])
    rest(1000)
    settle(dock)
    if session.threshold == before:
        raise RuntimeError("The threshold was not dragged.")
    step("threshold dragged")


def divide(dock: Any) -> None:
    """Divide a slide into regions; the first one is shown."""
    from napari_hubseg.demo.screen import rest, wait_for

    wait_for("The offer to divide", lambda: dock.desk.offers.is_offered("Divide it"))
    dock.desk.take_offer()
    wait_for("A region", lambda: dock.session.current.region is not None and not dock.busy)
    rest(3000)
    step("divided, its first region shown")
    first = dock.session.current.id
    dock.desk.go_to(dock.session.neighbour(1))
    wait_for("Another region", lambda: dock.session.current.id != first and not dock.busy)
    rest(3000)
    step("another region shown")


def stroke(viewer: Any, dock: Any) -> None:
    """Paint, and accept."""
    from napari_hubseg.demo.screen import rest, wait_for

    session, desk = dock.session, dock.desk
    mask = next(layer for layer in viewer.layers if layer.name == "mask")
    desk.take_tool("brush")
    for number in range(20):
        with mask.block_history():
            mask.paint((400 + 60 * number, 700 + 9 * number), mask.selected_label)
        rest(15)
    wait_for("The stroke", lambda: session.can_undo)
    settle(dock)
    step("a stroke")
    here = session.current.id
    desk.accept()
    wait_for("The verdict", lambda: session.current.id != here)
    wait_for("The next slide", lambda: not dock.busy)
    rest(3000)
    step("accepted, the next slide shown")


def settle(dock: Any) -> None:
    """Wait until the newest mask is on screen."""
    from napari_hubseg.demo.screen import rest, wait_for

    wait_for("The mask", lambda: not dock.session.mask_is_stale and not dock.desk.busy)
    rest(1000)


# ---- a network ----------------------------------------------------------------------------------


def recipe_of(encoder: str, size: int) -> Recipe:
    """Return the published recipe with one network and one view."""
    from hubseg.recipe import Recipe

    whole = Recipe.load("hubmap-2022-2nd-place")
    level = next(one for one in whole.resolutions if one.size == size)
    entry = next(one for one in level.members if one.network.encoder == encoder)
    level = level.model_copy(update={"members": (entry,)})
    return whole.model_copy(update={"resolutions": (level,), "folds": (0,), "tta": "none"})


def checkpoint(encoder: str, size: int, path: Path) -> None:
    """Write random weights."""
    import torch

    from hubseg.network import build

    spec = recipe_of(encoder, size).members()[0].network
    torch.save({"state_dict": build(spec, size=size).state_dict()}, path)


def network(encoder: str, size: int, path: Path, slide: Path) -> None:
    """Load a network, run it on a slide, and print what that took."""
    import torch

    from hubseg.inference import load_member, predict_member
    from hubseg.network import cost
    from hubseg.slide import read_slide

    recipe = recipe_of(encoder, size)
    (member,) = recipe.members()
    pixels = read_slide(slide).read()
    loaded = load_member(recipe, member, path, torch.device("cpu"))
    before = peak()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    here = resident("VmRSS")
    predict_member(loaded, pixels, recipe, member, precision="float32")
    during = peak()
    print(max(before, during), during - here, sep="\t", end="\t")
    told = cost(member.network, size)
    print(told.memory(half=False), told.activation_bytes, sep="\t")


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what == "window":
        window(words[0], Path(words[1]), Path(words[2]))
    elif what == "checkpoint":
        checkpoint(words[0], int(words[1]), Path(words[2]))
    else:
        network(words[0], int(words[1]), Path(words[2]), Path(words[3]))
