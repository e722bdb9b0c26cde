"""Calibration: the best threshold, its interval, and the refusal to guess from too little."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubseg.mask.metrics import dice
from hubseg.organ import DataSource, Organ
from hubseg.thresholds.calibration import ENOUGH, Judged, by_kind, calibrate
from hubseg.thresholds.curves import Tally
from hubseg.thresholds.presets import Preset
from hubseg.thresholds.table import ThresholdTable

KIDNEY = (Organ.KIDNEY, DataSource.HUBMAP)


def slides(
    seed: int, count: int = 8, folds: int | None = None, best: float = 100.0
) -> tuple[list[Judged], list[tuple[np.ndarray, np.ndarray]]]:
    """Noisy maps of which `best` is about the right threshold."""
    random = np.random.default_rng(seed)
    pairs, judged = [], []
    for i in range(count):
        values = random.uniform(0, 255, (20, 20)).astype(np.float32)
        truth = values + random.normal(0, 30, values.shape) > best
        pairs.append((values, truth))
        fold = None if folds is None else i % folds
        judged.append(Judged(f"s{i}", *KIDNEY, Tally.of(values, truth), fold))
    return judged, pairs


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_no_whole_threshold_has_a_better_mean_dice(seed: int) -> None:
    judged, pairs = slides(seed, count=5)
    found = calibrate(judged)
    means = [np.mean([dice(v > t, truth) for v, truth in pairs]) for t in range(256)]
    assert found.dice == pytest.approx(max(means), abs=1e-12)
    assert means[found.threshold] == pytest.approx(max(means), abs=1e-12)
    assert found.curve == pytest.approx(means, abs=1e-12)
    low, high = found.dice_interval
    assert low <= found.dice <= high
    assert found.threshold_interval[0] <= found.threshold <= found.threshold_interval[1]


def test_pooled_dice_weighs_pixels_and_mean_dice_weighs_slides() -> None:
    judged, pairs = slides(3)
    found = calibrate(judged, objective="pooled")
    values = np.concatenate([v for v, _ in pairs])
    truth = np.concatenate([t for _, t in pairs])
    pooled = [dice(values > t, truth) for t in range(256)]
    assert found.curve == pytest.approx(pooled, abs=1e-12)
    assert found.dice == pytest.approx(max(pooled))


def test_a_slide_is_judged_at_a_value_its_own_fold_had_no_part_in() -> None:
    judged, pairs = slides(5, count=10, folds=5)
    found = calibrate(judged)
    assert set(found.fold_thresholds) == set(range(5))
    scores = []
    for i, (values, truth) in enumerate(pairs):
        others = [pair for j, pair in enumerate(pairs) if j % 5 != i % 5]
        means = [np.mean([dice(v > t, u) for v, u in others]) for t in range(256)]
        chosen = found.fold_thresholds[i % 5]
        assert means[chosen] == pytest.approx(max(means), abs=1e-12)
        scores.append(dice(values > chosen, truth))
    assert found.held_out == pytest.approx(np.mean(scores))
    assert found.held_out <= found.dice


@pytest.mark.parametrize("objective", ["mean", "pooled"])
def test_without_out_of_fold_maps_nothing_is_held_out(objective: str) -> None:
    judged, _ = slides(6)
    assert calibrate(judged, objective=objective).held_out is None  # type: ignore[arg-type]
    one_fold = [Judged(j.slide_id, *KIDNEY, j.tally, 0) for j in judged]
    assert calibrate(one_fold, objective=objective).held_out is None  # type: ignore[arg-type]


def test_the_same_slides_give_the_same_answer() -> None:
    judged, _ = slides(7, folds=2)
    assert calibrate(judged) == calibrate(judged)


@pytest.mark.parametrize("count", range(ENOUGH))
def test_too_few_slides_are_refused_and_counted(count: int) -> None:
    judged, _ = slides(1, count=count)
    with pytest.raises(ValueError, match=f"draw or accept {ENOUGH - count} more"):
        calibrate(judged)


def test_truths_without_a_mark_are_refused() -> None:
    nothing = np.zeros((4, 4), np.bool_)
    tally = Tally.of(np.full((4, 4), 9, np.float32), nothing)
    with pytest.raises(ValueError, match="anything marked in its truth"):
        calibrate([Judged(str(i), *KIDNEY, tally) for i in range(ENOUGH)])


def test_kinds_are_calibrated_apart() -> None:
    judged, _ = slides(2)
    mixed = [*judged, Judged("l", Organ.LUNG, DataSource.HPA, judged[0].tally)]
    assert {kind: len(rows) for kind, rows in by_kind(mixed).items()} == {
        KIDNEY: 8,
        (Organ.LUNG, DataSource.HPA): 1,
    }
    with pytest.raises(ValueError, match="several organs, sources or structures"):
        calibrate(mixed)


# ---- presets ----------------------------------------------------------------------------------


def test_a_preset_survives_its_file() -> None:
    judged, _ = slides(4, folds=2)
    preset = Preset.calibrated((calibrate(judged),), recipe="demo", recipe_digest="ab" * 16)
    again = Preset.from_yaml(preset.to_yaml())
    assert again == preset
    assert again.notes == ()
    assert again.table.value(*KIDNEY) == calibrate(judged).threshold


def test_a_preset_for_other_networks_warns() -> None:
    preset = Preset(ThresholdTable(), recipe="demo", recipe_digest="a" * 32)
    assert preset.warning("a" * 32) == ""
    assert preset.warning("") == ""
    assert "tuned for the maps of recipe demo (aaaaaaaa)" in preset.warning("b" * 32)


def test_what_a_preset_holds_that_is_unknown_is_named_and_the_rest_kept() -> None:
    text = """
    thresholds: {Hubmap: {kidney: 104, liver: 3}, Mars: {lung: 1}, HPA: {lung: 20}}
    colour: blue
    """
    preset = Preset.from_yaml(text, where="P")
    assert preset.table.to_mapping() == {"Hubmap": {"kidney": 104}, "HPA": {"lung": 20}}
    said = " ".join(preset.notes)
    for word in ("liver", "Mars", "colour"):
        assert word in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("thresholds: {Hubmap: {kidney: 256}}", "outside 0 to 255"),
        ("thresholds: {Hubmap: {kidney: -1}}", "outside 0 to 255"),
        ("thresholds: {Hubmap: {kidney: many}}", "is not a number"),
        ("thresholds: {Hubmap: {kidney: .nan}}", "outside 0 to 255"),
        ("thresholds: {Hubmap: 90}", "no table of organs"),
        ("thresholds: [1, 2]", "holds no thresholds"),
        ("kidney: 90", "holds no thresholds"),
        ("", "holds no thresholds"),
        ("thresholds: {", "is not YAML"),
    ],
)
def test_a_damaged_preset_is_refused_in_a_sentence(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Preset.from_yaml(text, where="P")
