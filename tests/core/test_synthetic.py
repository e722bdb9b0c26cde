"""Synthetic tissue: the same bytes for the same seed, exact truth, five organs apart."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from hubseg.formats.rle import decode
from hubseg.organ import FACTS, ORGANS, SOURCES, DataSource, Organ
from hubseg.synthetic import make_slide, write_samples
from hubseg.synthetic.canvas import noise, scaled, soften
from hubseg.synthetic.cells import grow, scatter
from hubseg.synthetic.samples import SAMPLES, Sample

HPA, HUBMAP = DataSource.HPA, DataSource.HUBMAP
KINDS = [(organ, source) for organ in ORGANS for source in SOURCES]
COLUMNS = [
    *("id", "organ", "data_source", "img_height", "img_width", "pixel_size"),
    *("tissue_thickness", "rle", "age", "sex"),
]


def digest(*arrays: np.ndarray) -> str:
    return hashlib.blake2b(b"".join(a.tobytes() for a in arrays), digest_size=8).hexdigest()


def rows(table: Path) -> list[dict[str, str]]:
    before = csv.field_size_limit(2**27)
    try:
        with table.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    finally:
        csv.field_size_limit(before)


@pytest.mark.parametrize(("organ", "source"), KINDS)
class TestEveryKindOfSlide:
    def test_has_the_size_asked_for_and_a_truth_that_is_neither_empty_nor_everything(
        self, organ: Organ, source: DataSource
    ) -> None:
        image, mask = make_slide(organ, height=352, width=416, seed=3, source=source)
        assert (image.shape, image.dtype) == ((352, 416, 3), np.uint8)
        assert (mask.shape, mask.dtype) == ((352, 416), np.bool_)
        assert 0 < mask.sum() < mask.size

    def test_is_drawn_again_byte_for_byte(self, organ: Organ, source: DataSource) -> None:
        first, second = (
            make_slide(organ, height=320, width=320, seed=8, source=source) for _ in range(2)
        )
        assert digest(*first) == digest(*second)

    def test_is_another_slide_with_another_seed(self, organ: Organ, source: DataSource) -> None:
        images = [
            make_slide(organ, height=128, width=128, seed=s, source=source)[0] for s in (1, 2)
        ]
        assert not np.array_equal(*images)

    @pytest.mark.parametrize("size", [(32, 32), (33, 250), (250, 47)])
    def test_may_be_small_or_narrow(
        self, organ: Organ, source: DataSource, size: tuple[int, int]
    ) -> None:
        image, mask = make_slide(organ, height=size[0], width=size[1], seed=5, source=source)
        assert image.shape[:2] == mask.shape == size
        assert mask.any()


# Digests of image and mask as first drawn: another machine, or a change nobody meant, shows here.
@pytest.mark.parametrize(
    ("organ", "source", "expected"),
    [
        (Organ.KIDNEY, HUBMAP, "c556994519cb372e"),
        (Organ.PROSTATE, HUBMAP, "2ccc29a42396d38b"),
        (Organ.SPLEEN, HUBMAP, "979f4ba9b19f74e2"),
        (Organ.LUNG, HUBMAP, "d126fa243f4bee66"),
        (Organ.LARGEINTESTINE, HPA, "c5a401bc9038e3f8"),
    ],
)
def test_equal_seeds_give_equal_bytes_on_every_machine(
    organ: Organ, source: DataSource, expected: str
) -> None:
    assert digest(*make_slide(organ, height=320, width=320, seed=0, source=source)) == expected


@settings(max_examples=12, deadline=None)
@given(
    organ=st.sampled_from(ORGANS),
    source=st.sampled_from(SOURCES),
    height=st.integers(32, 160),
    width=st.integers(32, 160),
    seed=st.integers(0, 10_000),
)
def test_any_size_and_seed_gives_a_slide_with_truth(
    organ: Organ, source: DataSource, height: int, width: int, seed: int
) -> None:
    image, mask = make_slide(organ, height=height, width=width, seed=seed, source=source)
    assert image.shape == (height, width, 3)
    assert mask.shape == (height, width)
    assert mask.any()


@pytest.mark.parametrize("size", [(31, 100), (100, 0), (-5, 40)])
def test_a_slide_without_room_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"no room for tissue: ask for 32 px"):
        make_slide(Organ.KIDNEY, height=size[0], width=size[1])


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"seed -1 is negative"):
        make_slide(Organ.KIDNEY, height=64, width=64, seed=-1)


def test_organs_and_sources_differ_plainly_in_colour() -> None:
    def statistics(organ: Organ, source: DataSource) -> np.ndarray:
        image, _ = make_slide(organ, height=700, width=700, seed=4, source=source)
        pixels = image.reshape(-1, 3).astype(float)
        return np.concatenate([pixels.mean(axis=0), pixels.std(axis=0)])

    kinds = [(organ, HUBMAP) for organ in ORGANS] + [(Organ.LARGEINTESTINE, HPA)]
    figures = {kind: statistics(*kind) for kind in kinds}
    for one, other in combinations(kinds, 2):
        assert np.abs(figures[one] - figures[other]).max() > 12, (one, other)


@pytest.fixture(scope="module")
def kidney() -> tuple[np.ndarray, np.ndarray]:
    return make_slide(Organ.KIDNEY, height=1200, width=1600, seed=2002)


class TestKidney:
    def test_glomeruli_are_single_round_objects_of_the_size_of_real_ones(
        self, kidney: tuple[np.ndarray, np.ndarray]
    ) -> None:
        count, _, boxes, _ = cv2.connectedComponentsWithStats(kidney[1].astype(np.uint8))
        whole = [
            box[cv2.CC_STAT_AREA]
            for box in boxes[1:]
            if 0 < box[0] and box[0] + box[2] < 1600 and 0 < box[1] and box[1] + box[3] < 1200
        ]
        assert 3 <= count - 1 <= 12
        diameters = 2 * np.sqrt(np.array(whole) / np.pi)
        assert ((diameters > 85) & (diameters < 280)).all()

    def test_glomeruli_are_darker_than_the_tissue_around(
        self, kidney: tuple[np.ndarray, np.ndarray]
    ) -> None:
        image, mask = kidney
        assert np.median(image[mask][:, 1]) < np.median(image[~mask][:, 1]) - 15

    def test_colours_are_those_of_real_tiles(
        self, kidney: tuple[np.ndarray, np.ndarray], shared_data: Path
    ) -> None:
        tiles = sorted((shared_data / "kidney" / "train_images").glob("*.tiff"))[::10]
        if not tiles:
            pytest.skip(f"no real kidney tiles in {shared_data}")
        real = np.concatenate([tifffile.imread(tile)[::20, ::20].reshape(-1, 3) for tile in tiles])
        drawn = kidney[0][::20, ::20].reshape(-1, 3)
        tissue = [pixels[pixels[:, 1] < 190].astype(float) for pixels in (real, drawn)]
        for percent in (5, 25, 50, 75, 95):
            one, other = (np.percentile(pixels, percent, axis=0) for pixels in tissue)
            assert np.abs(one - other).max() < 16, percent


def test_the_truth_of_white_pulp_is_where_nuclei_crowd() -> None:
    image, mask = make_slide(Organ.SPLEEN, height=600, width=600, seed=1)
    assert np.median(image[mask][:, 0]) < np.median(image[~mask][:, 0]) - 60


def test_the_truth_of_alveoli_is_air() -> None:
    image, mask = make_slide(Organ.LUNG, height=600, width=600, seed=1)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert np.percentile(image[inner][:, 1], 5) > 200
    assert np.median(image[~mask][:, 1]) < 180


@pytest.mark.parametrize("organ", list(ORGANS))
def test_a_core_of_hpa_lies_round_on_bare_glass(organ: Organ) -> None:
    image, mask = make_slide(organ, height=400, width=500, seed=2, source=HPA)
    corners = [np.s_[:25, :40], np.s_[:25, -40:], np.s_[-25:, :40], np.s_[-25:, -40:]]
    for corner in corners:
        assert image[corner].min() > 225
        assert not mask[corner].any()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples") / "new"
    assert write_samples(folder, height=180, width=240) == [sample.id for sample in SAMPLES]
    return folder


class TestSampleSet:
    def test_the_table_has_the_competitions_columns_and_facts(self, written: Path) -> None:
        table = rows(written / "train.csv")
        assert list(table[0]) == COLUMNS
        for row, sample in zip(table, SAMPLES, strict=True):
            facts = FACTS[Organ.parse(row["organ"])]
            source = DataSource.parse(row["data_source"])
            assert (row["id"], source) == (sample.id, sample.source)
            assert (row["img_height"], row["img_width"]) == ("180", "240")
            assert float(row["pixel_size"]) == facts.um_per_px[source]
            assert float(row["tissue_thickness"]) == facts.thickness_um[source]

    def test_truth_read_back_is_the_truth_drawn(self, written: Path) -> None:
        for row, sample in zip(rows(written / "train.csv"), SAMPLES, strict=True):
            image, mask = make_slide(
                sample.organ, height=180, width=240, seed=sample.seed, source=sample.source
            )
            assert np.array_equal(decode(row["rle"], (180, 240)), mask)
            stored = tifffile.imread(written / "train_images" / f"{sample.id}.tiff")
            assert stored.shape == image.shape
            assert np.abs(stored.astype(int) - image).mean() < 8

    def test_slides_are_jpeg_tiles_with_their_pixel_size(self, written: Path) -> None:
        with tifffile.TiffFile(written / "train_images" / "kidney_0.tiff") as file:
            page = file.pages[0]
            assert (page.compression.name, page.photometric.name) == ("JPEG", "YCBCR")
            assert page.tile == (512, 512)
            many, per = page.tags["XResolution"].value
            assert 1e4 * per / many == pytest.approx(0.5)

    def test_the_command_writes_them(self, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "hubseg.synthetic", str(tmp_path)]
        done = subprocess.run(
            [*command, "--height", "64", "--width", "64"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert len(done.stdout.splitlines()) == len(SAMPLES)
        assert len(rows(tmp_path / "train.csv")) == len(SAMPLES)


def test_drawing_again_keeps_the_rows_of_other_slides(tmp_path: Path) -> None:
    columns = "id,organ,data_source,img_height,img_width,pixel_size,tissue_thickness,rle,age,sex"
    mine = "mine,kidney,Hubmap,9,9,,,1 3 12 2,61,F"
    (tmp_path / "train.csv").write_text(f"{columns}\nkidney_0,lung,HPA,1,1,,,,,\n{mine}\n")
    for _ in range(2):
        write_samples(tmp_path, SAMPLES[:1], height=64, width=64)
        head, first, second = (tmp_path / "train.csv").read_text().splitlines()
        assert (head, first) == (columns, mine)
        assert second.startswith("kidney_0,kidney,Hubmap,64,64,")


class TestBundledSlides:
    @pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
    def test_truth_fits_the_slide_beside_it(self, repository: Path, sample: Sample) -> None:
        folder = repository / "sample_data"
        row = next(r for r in rows(folder / "train.csv") if r["id"] == sample.id)
        with tifffile.TiffFile(folder / "train_images" / f"{row['id']}.tiff") as file:
            shape = file.pages[0].shape
        assert shape == (3000, 3000, 3) == (int(row["img_height"]), int(row["img_width"]), 3)
        mask = decode(row["rle"], shape[:2])
        assert 0.03 < mask.mean() < 0.9

    def test_they_are_what_the_program_draws_now(self, repository: Path) -> None:
        folder = repository / "sample_data"
        image, mask = make_slide(Organ.KIDNEY, seed=SAMPLES[0].seed)
        row = next(r for r in rows(folder / "train.csv") if r["id"] == SAMPLES[0].id)
        assert np.array_equal(decode(row["rle"], mask.shape), mask)
        stored = tifffile.imread(folder / "train_images" / "kidney_0.tiff")
        assert np.abs(stored.astype(np.int16) - image).mean() < 5

    def test_they_are_small_enough_for_git(self, repository: Path) -> None:
        folder = repository / "sample_data"
        slides = [path.stat().st_size for path in (folder / "train_images").iterdir()]
        assert max(slides) < 2_700_000
        assert sum(slides) + (folder / "train.csv").stat().st_size < 14_000_000

    def test_real_tissue_comes_first(self, repository: Path) -> None:
        folder = repository / "sample_data"
        first, *others = rows(folder / "train.csv")
        assert first["id"] == "kidney_real"
        assert [row["id"] for row in others] == [sample.id for sample in SAMPLES]
        stored = tifffile.imread(folder / "train_images" / "kidney_real.tiff")
        mask = decode(first["rle"], stored.shape[:2])
        assert 0.04 < mask.mean() < 0.06
        inside, outside = stored[mask > 0].mean(axis=0), stored[mask == 0].mean(axis=0)
        assert (inside < outside).all()  # glomeruli are darker than what is around them


class TestTools:
    @given(cell=st.integers(1, 70), height=st.integers(1, 90), width=st.integers(1, 90))
    @settings(max_examples=40, deadline=None)
    def test_noise_has_any_size_and_cell(self, cell: int, height: int, width: int) -> None:
        field = noise(np.random.default_rng(0), (height, width), cell)
        assert (field.shape, field.dtype) == ((height, width), np.uint8)

    def test_softening_keeps_an_even_plane_even(self) -> None:
        assert np.array_equal(soften(np.full((20, 30), 77, np.uint8), 4), np.full((20, 30), 77))

    def test_scaling_rounds_and_saturates(self) -> None:
        levels = np.array([[0, 1, 100, 255]], np.uint8)
        assert scaled(levels, np.full((1, 4), 128, np.uint8), 255).tolist() == [[0, 1, 50, 128]]
        assert scaled(levels, np.full((1, 4), 200, np.uint8), 100).tolist() == [[0, 2, 200, 255]]

    def test_cells_grow_to_their_own_half_and_no_further_than_their_radius(self) -> None:
        lines = [np.array([[x, 20.0], [x, 20.0]]) for x in (20.0, 40.0)]
        cells = grow((41, 90), lines, [30.0, 12.0])
        assert cells.label[20, 28] == 1
        assert cells.label[20, 33] == 2
        assert cells.label[20, 60] == 0

    def test_no_seed_gives_no_cell(self) -> None:
        assert not grow((8, 8), [], []).label.any()

    def test_strewn_points_lie_within_the_slide(self) -> None:
        points = scatter(np.random.default_rng(1), (50, 80), 7.0)
        assert len(points) > 40
        assert (points >= 0).all()
        assert (points < (80, 50)).all()
