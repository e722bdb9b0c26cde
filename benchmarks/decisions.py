"""What a person accepted, while everything else moves: a journey in the real window.

    python benchmarks/decisions.py TABLE.csv [--slides 5] [--out FOLDER]

Some slides of a competition table are run and accepted in a real window (a virtual screen where
there is none), with real keys. Then thresholds are moved, another recipe is run on every slide, a
network is trained and its recipe run, the window is closed and opened, killed with kill -9 and
opened again. After each of these the accepted masks are exported from another process: every
``submission.csv`` must be the first one, byte for byte. Pictures of the window are left in `out`.
"""

from __future__ import annotations

import argparse
import atexit
import csv
import os
import select
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from _paired import machine

from hubseg.cli import main as hubseg
from hubseg.recipe.bundled import weights_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_hubseg.demo.screen import Hand
    from napari_hubseg.dock import HubSegWidget

WEIGHTS = weights_folder()
FIRST = {"folds": "[0]", "tta": "none", "kidney": "127", "min_area": "4000"}
OTHER = {"folds": "[1, 2]", "tta": "none", "kidney": "60", "min_area": "500"}


def copy_slides(table: Path, count: int, folder: Path) -> Path:
    """Copy slides from all over a table, so that few show the same tissue, and their rows."""
    images = folder / "train_images"
    images.mkdir(parents=True)
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    column = rows[0].index("id")
    chosen = rows[1 :: max(1, (len(rows) - 1) // count)][:count]
    for row in chosen:
        shutil.copy(table.parent / "train_images" / f"{row[column]}.tiff", images)
    with (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([rows[0], *chosen])
    return folder / "train.csv"


def write_recipe(path: Path, wanted: dict[str, str]) -> Path:
    """Write a small recipe of the bundled networks."""
    path.write_text(
        f"""name: {path.stem}
channel_order: rgb
normalize: {{divide: 127.0, subtract: 1.0}}
tta: {wanted["tta"]}
folds: {wanted["folds"]}
merge: exact
resolutions:
  - scale: 0.24
    weight: 1
    members:
      - network:
          encoder: resnet18
          encoder_args: {{channels: [32, 64, 128, 256]}}
          decoder: [16, 24, 48, 64, 96]
        checkpoint: "resnet18_slim_kidney_{{fold}}"
        weight: 1
thresholds: {{Hubmap: {{kidney: {wanted["kidney"]}}}}}
cleanup: {{kidney: {{min_area: {wanted["min_area"]}}}}}
training: {{steps: 2, batch: 2, crop: 128, learning_rate: 0.0001}}
""",
        encoding="utf-8",
    )
    return path


# ---- in the window's process ------------------------------------------------------------------


class Reviewer:
    """Somebody at the window, who does what a line on standard input says."""

    def __init__(self, dock: HubSegWidget, hand: Hand, out: Path) -> None:
        self.dock, self.hand, self.out = dock, hand, out
        self.session = dock.session
        self.shown = ""
        self.pictures = len(list(out.glob("*.png")))
        dock.desk.layers.slide_shown.connect(self._note)
        dock.desk.failed.connect(lambda sentence: print(f"failed: {sentence}", file=sys.stderr))

    def _note(self, slide_id: str) -> None:
        self.shown = slide_id

    def _wait(self, what: str, there: Callable[[], bool], seconds: float = 300) -> None:
        from napari_hubseg.demo.screen import wait_for

        try:
            wait_for(what, there, seconds)
        except TimeoutError:
            self.picture("stuck")
            raise

    def settle(self) -> None:
        """Wait until the slide on screen is drawn and nothing is computed."""
        from napari_hubseg.demo.screen import rest

        rest(300)
        self._wait("A calm window", lambda: not self.dock.desk.busy)
        rest(500)

    def picture(self, name: str) -> None:
        """Keep what a person sees."""
        from napari_hubseg.demo.screen import picture

        self.pictures += 1
        picture(self.out / f"{self.pictures:02d}_{name}.png")

    def go_to(self, slide_id: str) -> None:
        """Show a slide, and wait until it is there."""
        self.dock.desk.go_to(slide_id)
        self._wait(f"Slide {slide_id}", lambda: self.shown == slide_id)
        self.settle()

    def open(self, path: str) -> None:
        """Open a table or a project."""
        self.dock.open_path(Path(path))
        self._wait("The slides", lambda: self.session.current is not None)
        self._wait("The first slide", lambda: self.shown == self.session.current.id)
        self.settle()

    def run(self, recipe: str) -> None:
        """Run a recipe on every slide."""
        from napari_hubseg.jobs.choices import EnsembleChoice

        ensemble = self.dock.desk.ensemble
        ensemble.choose(recipe)
        ensemble.run(
            EnsembleChoice(recipe=recipe, weights=(WEIGHTS,), device="cpu", all_slides=True)
        )
        self._wait("A run", lambda: ensemble.running)
        self._wait("Its end", lambda: not ensemble.running, 900)
        self.settle()

    def accept(self, _: str) -> None:
        """Accept every slide with the key A."""
        self.dock.desk.verdicts.advances = False
        for slide in self.session.slides:
            self.go_to(slide.id)
            self._wait("Its map", lambda: self.session.probability is not None)
            self.settle()
            self.hand.press("a")
            self._wait("The verdict", lambda: self.session.accepted is not None, 20)
        self.settle()
        self.picture("accepted")

    def thresholds(self, _: str) -> None:
        """Move the threshold of every slide of the kind, with keys."""
        before = self.session.threshold
        self.hand.press(*("w",) * 8)
        self._wait("Another threshold", lambda: self.session.threshold != before, 20)
        self._wait("What the rules give", lambda: self.session.departure is not None)
        self.settle()
        self.picture("the_rules_have_changed")

    def look(self, name: str) -> None:
        """Go through all slides, and keep a picture of the last."""
        for slide in self.session.slides:
            self.go_to(slide.id)
        self.picture(name)

    def follow(self) -> None:
        """Do what standard input says, one line after another, and answer each."""
        from napari_hubseg.demo.screen import rest

        print("ready", flush=True)
        while True:
            rest(50)
            if not select.select([sys.stdin], [], [], 0)[0]:
                continue
            name, _, value = sys.stdin.readline().strip().partition(" ")
            if not name:
                return
            getattr(self, name)(value)
            print(f"done {name}", flush=True)


def window(out: Path) -> None:
    """Open the window and follow standard input."""
    from napari_hubseg.demo.screen import Hand, has_display, rest, virtual_screen
    from napari_hubseg.demo.start import open_window

    os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
    with nullcontext() if has_display() else virtual_screen(1600, 1000):
        viewer, dock = open_window()
        shown = dock.window()
        shown.setGeometry(0, 0, 1600, 1000)
        shown.show()
        rest(500)
        try:
            Reviewer(dock, Hand(shown), out).follow()
        finally:
            viewer.close()


# ---- outside of it ----------------------------------------------------------------------------


class Window:
    """The window's process."""

    def __init__(self, out: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--window", "--out", str(out)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self._process.kill)
        self._hear("ready")

    def _hear(self, wanted: str) -> None:
        stream = self._process.stdout
        line = stream.readline().strip() if stream is not None else ""
        while line and line != wanted:
            line = stream.readline().strip() if stream is not None else ""
        if line != wanted:
            raise SystemExit(f"The window ended before it said {wanted!r}.")

    def do(self, name: str, value: object = "") -> None:
        """Let the window do something and wait until it is done."""
        if self._process.stdin is not None:
            self._process.stdin.write(f"{name} {value}\n")
            self._process.stdin.flush()
        self._hear(f"done {name}")

    def close(self) -> None:
        """Close it as a person does."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(60)

    def kill(self) -> None:
        """End it with kill -9."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(60)


def exported(project: Path, out: Path, step: str) -> bytes:
    """Export the accepted masks from this process, and return the file."""
    target = out / f"submission_{step}.csv"
    words = ["export", str(project), "--format", "kaggle-rle", "--only-accepted"]
    if hubseg([*words, "--out", str(target)]):
        raise SystemExit(f"The export after {step} did not end well.")
    return target.read_bytes()


def play(table: Path, count: int, out: Path) -> int:
    """Play the journey; return how many exports differ from the first."""
    work = out / "work"
    shutil.rmtree(work, ignore_errors=True)
    for old in [*out.glob("*.png"), *out.glob("submission_*.csv")]:
        old.unlink()
    slides = copy_slides(table, count, work)
    project = slides.with_suffix(".hubseg")
    first = write_recipe(work / "first.yaml", FIRST)
    other = write_recipe(work / "other.yaml", OTHER)
    seen = Window(out)
    seen.do("open", slides)
    seen.do("run", first)
    seen.do("accept")
    wanted = exported(project, out, "accepted")
    failures = 0

    def compare(step: str) -> None:
        nonlocal failures
        same = exported(project, out, step) == wanted
        failures += not same
        print(f"after {step}: {'the same, byte for byte' if same else 'OTHER BYTES'}", flush=True)

    seen.do("thresholds")
    compare("thresholds")
    seen.do("run", other)
    seen.do("look", "another_recipe")
    compare("another_recipe")
    trained = work / "trained"
    words = ["train", str(project), "--recipe", str(other), "--out", str(trained)]
    if hubseg([*words, "--steps", "2", "--device", "cpu"]):
        raise SystemExit("The training did not end well.")
    seen.do("run", next(iter(sorted(trained.glob("*.yaml")))))
    compare("training")
    seen.close()
    compare("closing")
    seen = Window(out)
    seen.do("open", project)
    seen.do("look", "opened_again")
    compare("opening")
    seen.do("thresholds")
    seen.kill()
    compare("kill")
    seen = Window(out)
    seen.do("open", project)
    seen.do("look", "opened_after_kill")
    compare("opening_after_kill")
    seen.close()
    print(f"{count} slides, {len(wanted)} bytes; {failures} exports differ; pictures in {out}")
    return failures


def main() -> None:
    """Play, or be the window."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, nargs="?")
    parser.add_argument("--slides", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("decisions_out"))
    parser.add_argument("--window", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.window:
        window(given.out)
        return
    if given.table is None:
        parser.error("name a competition table with images")
    machine()
    if play(given.table, given.slides, given.out.absolute()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
