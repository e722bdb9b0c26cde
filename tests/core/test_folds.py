"""Folds that are fair: even, grouped, and never judged by tissue they trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubseg.organ import ORGANS, DataSource, Organ
from hubseg.slide import Slide, SlideTable, read_slide
from hubseg.slide.fold_table import read_folds, write_folds
from hubseg.slide.folds import Folds, assign_folds, continue_folds
from hubseg.slide.overlap import find_overlaps
from hubseg.synthetic.tissue import make_slide


def slides(*organs: Organ) -> list[Slide]:
    return [
        Slide(Path(f"s{i}.tif").stem, Path(f"s{i}.tif"), 1, 1, organ, DataSource.HUBMAP)
        for i, organ in enumerate(organs)
    ]


@given(st.lists(st.sampled_from(list(ORGANS)), min_size=5, max_size=60), st.integers(2, 5))
def test_folds_are_even_in_all_and_in_every_organ(organs: list[Organ], count: int):
    chosen = slides(*organs)
    folds = assign_folds(chosen, count, seed=1).of
    for organ in (None, *set(organs)):
        sizes = [0] * count
        for slide in chosen:
            if organ is None or slide.organ is organ:
                sizes[folds[slide.id]] += 1
        assert max(sizes) - min(sizes) <= 1


def test_folds_follow_the_seed_and_not_the_order():
    chosen = slides(*[Organ.KIDNEY] * 20)
    assert assign_folds(chosen, 5, seed=3) == assign_folds(chosen[::-1], 5, seed=3)
    assert assign_folds(chosen, 5, seed=3).of != assign_folds(chosen, 5, seed=4).of


def test_too_few_slides_for_the_folds_is_said():
    with pytest.raises(ValueError, match="5 folds need at least 5 labelled slides"):
        assign_folds(slides(Organ.KIDNEY), 5)
    with pytest.raises(ValueError, match="besides 3 held out"):
        assign_folds(slides(*[Organ.KIDNEY] * 7), 5, hold_out=3)


@given(st.integers(0, 10_000), st.integers(0, 12))
def test_no_fold_trains_on_what_it_is_judged_by_or_on_what_is_held_out(seed: int, hold_out: int):
    random = np.random.default_rng(seed)
    chosen = slides(*random.choice(np.array(list(ORGANS)), 30))
    pairs = [(f"s{a}", f"s{b}") for a, b in random.integers(0, 30, (12, 2)) if a != b]
    folds = assign_folds(chosen, 3, seed=seed, overlaps=pairs, hold_out=hold_out)
    assert folds.known == {slide.id for slide in chosen}
    assert not folds.held_out & folds.of.keys()
    assert len(folds.held_out) <= hold_out
    for fold in range(3):
        judged = {*folds.validation(fold), *folds.held_out}
        seen = set(folds.training(fold))
        assert seen and not seen & judged
        assert not any((a in seen and b in judged) or (b in seen and a in judged) for a, b in pairs)
    groups = {folds.group[name] for name in folds.held_out}
    assert {name for name, group in folds.group.items() if group in groups} == folds.held_out


@given(st.integers(0, 10_000), st.integers(0, 8))
def test_networks_that_go_on_are_judged_by_nothing_they_or_their_starts_saw(seed: int, hold: int):
    random = np.random.default_rng(seed)
    every = slides(*random.choice(np.array(list(ORGANS)), 30))
    pairs = [(f"s{a}", f"s{b}") for a, b in random.integers(0, 30, (14, 2)) if a != b]
    first, now = every[:20], [*every[4:20], *every[20:]]
    ids = {slide.id for slide in first}
    among = [pair for pair in pairs if set(pair) <= ids]
    before = assign_folds(first, 3, seed=seed, overlaps=among, hold_out=hold)
    folds = continue_folds(before, now, 3, overlaps=pairs)
    assert folds.known == {slide.id for slide in now}
    for name in folds.known & before.known:
        assert folds.of.get(name) == before.of.get(name)
        assert (name in folds.held_out) == (name in before.held_out)
    for fold in range(3):
        seen = {*before.training(fold), *folds.training(fold)}
        judged = {*folds.validation(fold), *folds.held_out}
        assert not seen & judged
        assert not any((a in seen and b in judged) or (b in seen and a in judged) for a, b in pairs)
    assert sum(map(len, (folds.of, folds.held_out, folds.unjudged))) == len(now)
    again = continue_folds(folds, now, 3, overlaps=pairs)
    assert (again.of, again.held_out, again.unjudged) == (
        folds.of,
        folds.held_out,
        folds.unjudged,
    )


def test_new_slides_fill_the_smallest_fold_and_a_fold_less_is_said():
    before = Folds(of={"s0": 0, "s1": 0, "s2": 1})
    chosen = slides(*[Organ.KIDNEY] * 5)
    folds = continue_folds(before, chosen, 2, overlaps=[("s3", "s2"), ("s4", "s0"), ("s4", "s2")])
    assert folds.of == {"s0": 0, "s1": 0, "s2": 1, "s3": 1} and folds.unjudged == {"s4"}
    assert continue_folds(before, chosen, 2).of["s3"] == 1
    with pytest.raises(ValueError, match="in 2 folds, and you ask for 1"):
        continue_folds(before, chosen, 1)


def test_a_donor_is_never_cut_though_the_folds_are_uneven_then():
    chosen = slides(*[Organ.KIDNEY] * 12)
    donors = {f"s{i}": "donor A" for i in range(8)}
    folds = assign_folds(chosen, 3, donors=donors).of
    assert len({folds[name] for name in donors}) == 1
    with pytest.raises(ValueError, match="2 folds need slides of at least 2 donors"):
        assign_folds(chosen[:8], 2, donors=donors)


def test_one_large_overlapping_section_is_cut_into_runs_and_their_borders_train_neither():
    """Tiles laid over a section with half a tile between them: one group as large as the set."""
    rows, columns = 4, 10
    chosen = slides(*[Organ.KIDNEY] * (rows * columns))
    at = {slide.id: divmod(i, columns) for i, slide in enumerate(chosen)}
    pairs = [
        (a, b)
        for a, (y, x) in at.items()
        for b, (v, u) in at.items()
        if a < b and max(abs(y - v), abs(x - u)) == 1
    ]
    folds = assign_folds(chosen, 4, overlaps=pairs)
    assert [len(folds.validation(fold)) for fold in range(4)] == [10] * 4
    assert [len(folds.training(fold)) for fold in range(4)] == pytest.approx([24] * 4, abs=4)
    with pytest.raises(ValueError, match="hold out at least 40"):
        assign_folds(chosen, 4, overlaps=pairs, hold_out=5)


def test_the_table_of_folds_reads_back_and_says_who_trains_what(tmp_path: Path):
    chosen = slides(*[Organ.KIDNEY] * 9)
    folds = assign_folds(chosen, 2, overlaps=[("s1", "s2"), ("s3", "other")], hold_out=2)
    folds = replace(folds, unjudged=frozenset({"s9"}))
    write_folds(tmp_path / "folds.csv", folds)
    assert read_folds(tmp_path / "folds.csv") == folds
    text = (tmp_path / "folds.csv").read_text()
    assert text.count("held out") == len(folds.held_out) == 2
    (tmp_path / "folds.csv").write_text("id,fold\na,first\n")
    with pytest.raises(ValueError, match="not the fold table"):
        read_folds(tmp_path / "folds.csv")


@pytest.fixture(scope="module")
def section() -> np.ndarray:
    """One synthetic section, uint8 (700, 1000, 3)."""
    return make_slide(Organ.KIDNEY, height=700, width=1000, seed=7)[0]


@pytest.mark.parametrize(
    ("shift", "shared"),
    [((0, 0), True), ((0, 250), True), ((200, 250), True), ((300, 0), True), ((0, 500), False)],
    ids=["same", "half", "quarter", "a quarter of a row", "none"],
)
def test_two_tiles_of_one_section_are_found_and_tiles_apart_are_not(
    section: np.ndarray, tmp_path: Path, shift: tuple[int, int], shared: bool
):
    y, x = shift
    cv2.imwrite(str(tmp_path / "a.png"), section[:400, :500])
    cv2.imwrite(str(tmp_path / "b.png"), section[y : y + 400, x : x + 500])
    found = find_overlaps([read_slide(tmp_path / name) for name in ("b.png", "a.png")])
    assert [(o.first, o.second) for o in found] == ([("a", "b")] if shared else [])


def test_slides_of_two_organs_are_not_compared(section: np.ndarray, tmp_path: Path):
    cv2.imwrite(str(tmp_path / "a.png"), section)
    same = [read_slide(tmp_path / "a.png", id=o.value, organ=o) for o in list(ORGANS)[:2]]
    assert find_overlaps(same) == []


def test_the_table_says_whose_tissue_it_is(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "train.csv").write_text("id,donor,rle\na,D7,\n")
    assert SlideTable.open(tmp_path / "train.csv").donors == {"a": "D7"}


def test_real_tiles_that_overlap_are_found(shared_data: Path):
    table = SlideTable.open(shared_data / "kidney" / "train.csv")
    some = [
        slide for slide in table.slides if slide.id in {"273", "274", "301", "18", "221", "106"}
    ]
    found = {(o.first, o.second) for o in find_overlaps(some)}
    assert found == {("273", "274"), ("18", "221")}  # 273 and 301 only look alike
