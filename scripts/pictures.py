"""Make the pictures of the documentation anew, by playing the journey: make pictures.

    python scripts/pictures.py [FOLDER]

Plays the journey on a virtual screen, films it into FOLDER, and puts into ``docs/images`` one still
picture for each step of the tutorial and the moving picture of the README. A FOLDER that holds a
film is not played again. Look at what came out before it is committed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
SCREEN = (1280, 800)
STILL_BYTES, MOVING_BYTES = 150_000, 3_000_000
BEATS_MS = 120
WRITING_S = 0.25  # a picture of the journey is taken so long before its file is whole

# The tutorial's pictures: what the journey calls them, and the file's name
STILLS = {
    "the_sample_is_open": "open",
    "where_the_facts_come_from": "facts",
    "the_map_sharpens": "run",
    "the_threshold_was_dragged": "threshold",
    "the_threshold_moved_and_the_stroke_stayed": "correct",
    "accepted_and_on_the_next_slide": "decide",
    "exported": "export",
    "training_is_offered": "train",
}


@dataclass(frozen=True)
class Scene:
    """A part of the moving picture.

    Attributes
    ----------
    words
        What stands under it.
    after, until
        The journey's pictures between which it lies.
    frames, seconds
        How many frames are shown, and how long in all.
    last
        Share of the time between the two pictures that is shown: its end.
    lens
        Whether what lies around the mouse is shown larger, too.
    """

    words: str
    after: str
    until: str
    frames: int
    seconds: float
    last: float = 1.0
    lens: bool = False


SCENES = (
    Scene("Open a folder of slides", "the_empty_dock", "the_sample_is_open", 3, 1.2),
    Scene("Run the ensemble: the map gets better with each network",
          "where_the_facts_come_from", "the_ensemble_has_run", 12, 2.4, 0.7),
    Scene("Tune the threshold", "the_ensemble_has_run", "the_threshold_was_dragged", 14, 2.0),
    Scene("Draw what was missed: no threshold and no run takes it back",
          "the_threshold_was_dragged", "a_stroke_was_painted", 20, 2.6, 0.75, lens=True),
    Scene("Accept, and on to the next slide",
          "undone", "accepted_and_on_the_next_slide", 4, 1.2, 0.6),
    Scene("Export, read back and compared", "found_in_the_queue", "exported", 6, 1.8, 0.8),
)  # fmt: skip


# ---- the film ----------------------------------------------------------------------------------


@contextmanager
def filmed(folder: Path) -> Iterator[None]:
    """Keep what the screen shows, a few times a second, with where the mouse is."""
    from qtpy.QtCore import QTimer
    from qtpy.QtGui import QCursor, QGuiApplication

    frames: list[dict[str, Any]] = []
    before = b""

    def take() -> None:
        nonlocal before
        screen = QGuiApplication.primaryScreen()
        image = screen.grabWindow(0).toImage()
        place, now = QCursor.pos(), time.time()
        bits = image.constBits()
        bits = bits.asstring(image.sizeInBytes()) if hasattr(bits, "asstring") else bytes(bits)
        held = bool(QGuiApplication.mouseButtons().value)
        told = {"at": now, "mouse": [place.x(), place.y()], "held": held}
        if bits != before:
            name = f"{len(frames):05d}.png"
            image.save(str(folder / name), "PNG", 90)
            frames.append({"file": name, **told})
        elif [place.x(), place.y()] != frames[-1]["mouse"]:
            frames.append({"file": frames[-1]["file"], **told})
        before = bits

    timer = QTimer()
    timer.timeout.connect(take)
    timer.start(BEATS_MS)
    try:
        yield
    finally:
        timer.stop()
        (folder / "frames.json").write_text(json.dumps(frames, indent=1))


def play(folder: Path) -> int:
    """Play the journey on a virtual screen, and film it."""
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    os.environ["LIBGL_ALWAYS_SOFTWARE"] = "1"
    from napari_hubseg.demo.screen import virtual_screen

    with virtual_screen(*SCREEN):
        from napari.qt import get_qapp

        from hubseg.recipe.bundled import sample_table
        from napari_hubseg.demo import journey

        get_qapp()
        with filmed(folder):
            return journey.play(folder, sample_table(), folder / "demo.hubseg")


# ---- what is made of it ------------------------------------------------------------------------


def _shown(folder: Path) -> dict[str, Path]:
    """Return the journey's pictures by what they show; the first of each name."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("[0-9][0-9]_*.png")):
        found.setdefault(path.stem[3:], path)
    return found


def stills(folder: Path) -> None:
    """Write the tutorial's pictures, each as good as its size allows."""
    shown = _shown(folder)
    for name, short in STILLS.items():
        image = Image.open(shown[name]).convert("RGB")
        target = IMAGES / f"tutorial-{short}.webp"
        for quality in range(90, 20, -4):
            image.save(target, "WEBP", quality=quality, method=6)
            if target.stat().st_size <= STILL_BYTES:
                break


def _pointer(image: Image.Image, place: tuple[float, float], held: bool) -> None:
    """Draw the mouse, which no picture of the screen has, and a ring while it is pressed."""
    x, y = place
    shape = [(0, 0), (0, 19), (4.5, 15), (8, 22), (11, 20.5), (7.7, 14), (13.5, 13.5)]
    draw = ImageDraw.Draw(image)
    if held:
        draw.ellipse((x - 13, y - 13, x + 13, y + 13), outline=(255, 220, 90), width=3)
    draw.polygon([(x + a, y + b) for a, b in shape], fill="white", outline="black")


def _lens(image: Image.Image, middle: tuple[float, float], side: int = 100) -> Image.Image:
    """Return what lies around a point, three times as large, in a frame."""
    left, top = (max(0, round(at - side / 2)) for at in middle)
    part = image.crop((left, top, left + side, top + side))
    part = part.resize((3 * side, 3 * side), Image.Resampling.LANCZOS)
    ImageDraw.Draw(part).rectangle((0, 0, 3 * side - 1, 3 * side - 1), outline="white", width=2)
    return part


def _framed(
    folder: Path, frame: dict[str, Any], words: str, width: int, lens: tuple[float, float] | None
) -> Image.Image:
    whole = Image.open(folder / frame["file"]).convert("RGB")
    ratio = width / whole.width
    image = whole.resize((width, round(whole.height * ratio)), Image.Resampling.LANCZOS)
    _pointer(image, tuple(ratio * at for at in frame["mouse"]), frame["held"])
    if lens:
        _pointer(whole, tuple(frame["mouse"]), frame["held"])
        image.paste(_lens(whole, lens), (80, 220))
    bar = Image.new("RGB", (width, image.height + 44), (20, 24, 30))
    bar.paste(image)
    font = ImageFont.load_default(22)
    ImageDraw.Draw(bar).text(
        (width / 2, image.height + 22), words, font=font, fill="white", anchor="mm"
    )
    return bar


def _chosen(frames: list[dict[str, Any]], shown: dict[str, Path], scene: Scene) -> list[Any]:
    """Return the frames of a scene, evenly spread over the time that is shown of it."""
    start, end = (shown[name].stat().st_mtime - WRITING_S for name in (scene.after, scene.until))
    begin = end - scene.last * (end - start)
    times = [begin + (end - begin) * i / (scene.frames - 1) for i in range(scene.frames)]
    return [max((f for f in frames if f["at"] <= at), key=lambda f: f["at"]) for at in times]


def moving(folder: Path, width: int = 960) -> None:
    """Write the README's moving picture."""
    frames, shown = json.loads((folder / "frames.json").read_text()), _shown(folder)
    images: list[Image.Image] = []
    lasting: list[int] = []
    for scene in SCENES:
        chosen = _chosen(frames, shown, scene)
        places = [frame["mouse"] for frame in chosen if frame["held"]] if scene.lens else []
        lens = tuple(sum(at) / len(places) for at in zip(*places, strict=True)) or None
        images += [_framed(folder, frame, scene.words, width, lens) for frame in chosen]
        lasting += [round(1000 * scene.seconds / len(chosen))] * len(chosen)
        lasting[-1] += 500
    target = IMAGES / "hubseg.webp"
    for quality in (80, 70, 60, 50, 40):
        images[0].save(target, "WEBP", save_all=True, append_images=images[1:],
                       duration=lasting, loop=0, quality=quality, method=6)  # fmt: skip
        if target.stat().st_size <= MOVING_BYTES:
            break
    print(f"{target.name}: {len(images)} frames, {sum(lasting) / 1e3:.1f} s, "
          f"{target.stat().st_size / 1e6:.2f} MB at quality {quality}")  # fmt: skip


def main() -> None:
    """Play where there is no film yet, then make the pictures."""
    words = sys.argv[1:]
    if words[:1] == ["--play"]:
        raise SystemExit(play(Path(words[1])))
    folder = Path(words[0] if words else tempfile.mkdtemp(prefix="hubseg-")).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "frames.json").is_file():
        own = {
            f"XDG_{name}_HOME": str(folder / "home")
            for name in ("CONFIG", "DATA", "STATE", "CACHE")
        }
        hidden = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
        command = [sys.executable, __file__, "--play", str(folder)]
        subprocess.run(command, env={**hidden, **own}, check=True)
    stills(folder)
    moving(folder)


if __name__ == "__main__":
    main()
