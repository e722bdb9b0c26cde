"""A slide of 20,000 × 20,000 px in a real window: what its process takes in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile

SIDE, TILE = 20_000, 1024
MOST = 1.9e9  # bytes: docs/reference.md, "Memory"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not (
            shutil.which("Xvfb") and shutil.which("xdotool") and os.path.exists("/proc/self/stat")
        ),
        reason="a real window without a display needs Xvfb and xdotool, and peaks are Linux's",
    ),
]

WINDOW = """
import re, sys
from pathlib import Path
from napari_hubseg.demo.screen import virtual_screen, wait_for
from napari_hubseg.demo.start import open_window

with virtual_screen():
    viewer, dock = open_window()
    dock.window().show()
    session, desk, shown = dock.session, dock.desk, []
    desk.layers.slide_shown.connect(shown.append)
    dock.open_path(Path(sys.argv[1]), project=Path(sys.argv[2]))
    wait_for("The offer", lambda: bool(shown) and desk.offers.is_offered("Divide it"))
    desk.take_offer()
    wait_for("A region", lambda: session.current.region is not None and not dock.busy)
    wait_for("Its pixels", lambda: shown[-1] == session.current.id)
    mask = next(layer for layer in viewer.layers if layer.name == "mask")
    here = session.current
    wait_for("Its mask", lambda: mask.data.shape == (here.height, here.width))
    desk.take_tool("brush")
    with mask.block_history():
        mask.paint((400, 700), mask.selected_label)
    wait_for("The stroke", lambda: session.can_undo)
    viewer.close()
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1], *mask.data.shape)
"""


def test_a_large_slide_of_one_level_is_divided_and_drawn_on_in_bounded_memory(
    tmp_path: Path,
) -> None:
    """Its pixels alone are 1.2 GB, which napari would hold more than once: 3.7 GB before levels."""
    tile = np.add.outer(np.arange(TILE), np.arange(3 * TILE)).reshape(TILE, TILE, 3) % 160
    packed = zlib.compress(tile.astype(np.uint8).tobytes(), 1)
    tifffile.imwrite(
        tmp_path / "flat.tif",
        (packed for _ in range((-(-SIDE // TILE)) ** 2)),
        shape=(SIDE, SIDE, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        photometric="rgb",
        compression="zlib",
    )
    command = [sys.executable, "-c", WINDOW, str(tmp_path / "flat.tif"), str(tmp_path / "p.hubseg")]
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment["LIBGL_ALWAYS_SOFTWARE"] = "1"
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    peak, *shape = map(int, done.stdout.split()[-3:])
    assert shape == [4000, 4000]
    assert 1024 * peak < MOST
