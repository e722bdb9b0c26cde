"""A large slide's map is taken up at the tile where a run was killed: the same bits, none twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hubseg.inference import Cancelled, KeptTiles, Tiling, predict, predict_member
from hubseg.network import Prediction, build
from hubseg.probability import MapStore
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.slide import read_slide

KEY = "0123456789abcdef" * 2
SMALL = Tiling(side=64, overlap=32, margin=0)
ENTRY = Entry(network=NetworkSpec(encoder="test_resnet"), checkpoint="m_{fold}")
RECIPE = Recipe(name="t", folds=(0,), resolutions=(Resolution(members=(ENTRY,), scale=1.0),))
(MEMBER,) = RECIPE.members()


class Counting(nn.Module):
    """A network with both heads that counts its passes and may be stopped at one."""

    def __init__(self, last: int | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 1, 5, stride=2, padding=2)
        self.passes, self.last = 0, last

    def forward(self, x: torch.Tensor) -> Prediction:
        if self.passes == self.last:
            os.kill(os.getpid(), signal.SIGKILL) if "KILLED" in os.environ else None
            raise Cancelled("stopped")
        self.passes += 1
        mean = x.mean(dim=(2, 3))
        return Prediction(self.conv(x), mean.repeat(1, 2)[:, :5], mean[:, :1])


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (120, 150, 3), dtype=np.uint8)


def run(network: Counting, pixels: np.ndarray, store: MapStore | None):
    kept = None if store is None else KeptTiles(store, KEY)
    return predict_member(network.eval(), pixels, RECIPE, MEMBER, tiling=SMALL, kept=kept), kept


def same(one, other) -> None:
    np.testing.assert_array_equal(one.values, other.values)
    assert (one.organ, one.um_per_px) == (other.organ, other.um_per_px)


def passes_of_a_whole_run(pixels: np.ndarray) -> int:
    network = Counting()
    run(network, pixels, None)
    return network.passes


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_a_run_that_was_stopped_computes_no_tile_twice(
    pixels: np.ndarray, tmp_path: Path, share: float
):
    whole, _ = run(Counting(), pixels, None)
    total, views = passes_of_a_whole_run(pixels), 4
    assert total > 10 * views
    first, second = Counting(last=int(share * total)), Counting()
    with pytest.raises(Cancelled):
        run(first, pixels, MapStore(tmp_path))
    again, kept = run(second, pixels, MapStore(tmp_path))
    same(again, whole)
    finished = first.passes // views * views  # views of the tile that was cut short do not count
    assert finished + second.passes == total
    kept.let_go()
    assert MapStore(tmp_path).room.usage()[0] == 0


def test_a_tile_whose_file_is_damaged_is_computed_again(pixels: np.ndarray, tmp_path: Path):
    whole, _ = run(Counting(), pixels, MapStore(tmp_path))
    files = sorted(tmp_path.rglob("*.map"))
    files[2].write_bytes(files[2].read_bytes()[:-9] + b"nonsense!")
    again = Counting()
    same(run(again, pixels, MapStore(tmp_path))[0], whole)
    assert again.passes == 4


def test_tiles_of_another_map_are_not_taken(pixels: np.ndarray, tmp_path: Path):
    run(Counting(), pixels, MapStore(tmp_path))
    other = Counting()
    given = other.eval(), pixels, RECIPE, MEMBER
    predict_member(*given, tiling=SMALL, kept=KeptTiles(MapStore(tmp_path), KEY[::-1]))
    assert other.passes == passes_of_a_whole_run(pixels)


def test_a_killed_process_leaves_its_tiles_to_the_next(pixels: np.ndarray, tmp_path: Path):
    np.save(tmp_path / "pixels.npy", pixels)
    total = passes_of_a_whole_run(pixels)
    script = (
        "import sys, numpy as np; from pathlib import Path; sys.path.insert(0, sys.argv[1]);"
        "import test_kept_tiles as t; at = Path(sys.argv[2]);"
        "t.run(t.Counting(int(sys.argv[3])), np.load(at / 'pixels.npy'), t.MapStore(at / 'maps'))"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent), str(tmp_path), str(total // 2)],
        env={**os.environ, "KILLED": "1"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    second = Counting()
    again, _ = run(second, pixels, MapStore(tmp_path / "maps"))
    same(again, run(Counting(), pixels, None)[0])
    assert 0 < second.passes < total


def test_a_finished_run_leaves_maps_alone_in_the_store(
    pixels: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import cv2

    monkeypatch.setitem(predict_member.__kwdefaults__, "tiling", SMALL)
    cv2.imwrite(str(tmp_path / "slide.png"), pixels)
    torch.save(build(ENTRY.network).state_dict(), tmp_path / "m_0")
    store = MapStore(tmp_path / "maps")
    written: list[str] = []
    put = store.put
    monkeypatch.setattr(store, "put", lambda key, made: (written.append(key), put(key, made))[1])
    list(predict(read_slide(tmp_path / "slide.png"), RECIPE, [tmp_path], store=store))
    assert len(written) > 10  # its tiles, and then the map
    assert [path.stem for path in store.folder.rglob("*.map")] == [written[-1]]
