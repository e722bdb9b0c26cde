"""A drawn whole slide: a scanner's pyramid of any size in little memory, and the demo with it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from hubseg.cli import main
from hubseg.slide import read_slide
from hubseg.synthetic import WholeSlide, write_whole_slide
from hubseg.synthetic.whole_slide import TILE, Cancelled


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slides") / "whole.tif"
    slide = WholeSlide(1601, 4003, um_per_px=0.25)  # textures are as small as the shorter side
    write_whole_slide(path, slide)
    return path


def test_it_is_a_pyramid_of_jpeg_tiles_at_its_scale(written: Path) -> None:
    slide = read_slide(written)
    assert slide.levels == ((1601, 4003), (800, 2001), (400, 1000))
    assert slide.um_per_px == pytest.approx(0.25, rel=1e-3)
    assert not slide.notes
    with tifffile.TiffFile(written) as tif:
        assert tif.is_bigtiff
        assert all(page.compression == 7 and page.tilewidth == TILE for page in tif.pages)
        assert [bool(page.is_reduced) for page in tif.pages] == [False, True, True]


def test_every_level_shows_the_same_tissue_on_the_same_glass(written: Path) -> None:
    slide = read_slide(written)
    whole = slide.read()
    for level, size in enumerate(slide.levels[1:], start=1):
        expected = cv2.resize(whole, size[::-1], interpolation=cv2.INTER_AREA).astype(int)
        assert np.abs(slide.read(level=level) - expected).mean() < 4
    green = whole[..., 1]
    assert 0.15 < (green < 180).mean() < 0.5  # tissue
    assert (green[:60] > 200).all()  # glass along the edge


@pytest.mark.parametrize(
    ("slide", "levels"),
    [
        (WholeSlide(600, 512), ((600, 512),)),
        (WholeSlide(5000, 600, factor=4.4055), ((5000, 600), (1134, 136), (257, 30))),
        (WholeSlide(4099, 553, factor=4), ((4099, 553), (1024, 138))),
    ],
)
def test_levels_have_the_factor_that_was_asked_for(
    tmp_path: Path, slide: WholeSlide, levels: tuple[tuple[int, int], ...]
) -> None:
    assert slide.levels == levels
    write_whole_slide(tmp_path / "a.tif", slide)
    assert read_slide(tmp_path / "a.tif").levels == levels


def test_equal_seeds_are_equal_slides_and_other_seeds_are_others(tmp_path: Path) -> None:
    found = []
    for number, seed in enumerate((1, 1, 2)):
        write_whole_slide(tmp_path / f"{number}.tif", WholeSlide(700, 700, seed=seed))
        found.append(read_slide(tmp_path / f"{number}.tif").read())
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_a_slide_of_nine_times_the_px_takes_no_more_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Textures (small ones here) and a tile are in memory; the larger slide would take 60 MB."""
    monkeypatch.setattr("hubseg.synthetic.whole_slide._TEXTURE", 512)
    peaks = []
    for side in (1500, 4500):
        tracemalloc.start()
        try:
            write_whole_slide(tmp_path / f"{side}.tif", WholeSlide(side, side))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 10e6


def test_it_says_how_far_it_is_and_leaves_nothing_when_it_is_not_wanted(tmp_path: Path) -> None:
    slide, seen = WholeSlide(1500, 1200), []

    def told(done: int, total: int) -> bool:
        seen.append((done, total))
        return done < 5

    with pytest.raises(Cancelled):
        write_whole_slide(tmp_path / "a.tif", slide, told)
    assert seen == [(done, slide.tiles) for done in range(1, 6)]
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_a_whole_slide_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ask for 512 px or more each way"):
        write_whole_slide(tmp_path / "a.tif", WholeSlide(100, 9000))


class TestDemo:
    @pytest.fixture(autouse=True)
    def _no_display(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("hubseg.cli.review._plugin", lambda what: lambda: False)

    def test_a_slide_is_made_and_described_where_nobody_can_see_it(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        asked = ["demo", "--slide", "--size", "1300x1500", "--out", str(tmp_path / "out")]
        assert main(asked) == 0
        said = capsys.readouterr().out
        assert "1,300 x 1,500, 650 x 750 px" in said
        assert "0.5 µm/px" in said
        assert "There is no display: hubseg review" in said
        assert main([*asked, "--json"]) == 0  # the second time it is there
        told = json.loads(capsys.readouterr().out)
        assert told["levels"] == [[1300, 1500], [650, 750]]
        assert told["seconds"] == 0
        assert read_slide(told["path"]).levels == ((1300, 1500), (650, 750))

    def test_a_damaged_one_is_made_again(self, tmp_path: Path) -> None:
        (tmp_path / "whole_slide_700x700.tif").write_bytes(b"II*\0 no slide")
        assert main(["demo", "--slide", "--size", "700x700", "--out", str(tmp_path)]) == 0
        assert read_slide(tmp_path / "whole_slide_700x700.tif").height == 700

    @pytest.mark.parametrize(
        ("size", "said"), [("large", "write height and width in px"), ("300x900", "512 px or more")]
    )
    def test_a_size_that_is_none_is_refused_in_a_sentence(
        self, tmp_path: Path, size: str, said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["demo", "--slide", "--size", size, "--out", str(tmp_path)]) == 1
        error = capsys.readouterr().err
        assert said in error
        assert "Traceback" not in error
        assert not list(tmp_path.glob("*.tif"))


@pytest.mark.skipif(sys.platform == "win32", reason="there a signal ends a process at once")
def test_stopping_the_process_that_makes_it_leaves_nothing(tmp_path: Path) -> None:
    asked = [str(tmp_path / "a.tif"), "--whole-slide", "--height", "600", "--width", "100000"]
    with subprocess.Popen(
        [sys.executable, "-m", "hubseg.synthetic", *asked],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as making:
        assert making.stdout is not None
        assert b"/" in making.stdout.readline()  # it has begun
        assert list(tmp_path.iterdir())
        making.send_signal(signal.SIGTERM)
        assert making.wait() != 0
    assert not list(tmp_path.iterdir())
