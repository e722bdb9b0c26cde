"""The override: gestures as a law (undo, redo, bytes), sparse tiles, and what is refused."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hubseg.edits.gesture import ADD, ERASE, KEEP, TILE, Gesture, Patch
from hubseg.edits.override import Edits

SHAPE = (700, 1100)  # 2 × 3 tiles, the last ones cut by the slide's border


@st.composite
def strokes(draw: st.DrawFn) -> dict[str, Any]:
    height, width = draw(st.sampled_from([(1, 1), (9, 30), (200, 300), (700, 1100)]))
    seed = draw(st.integers(0, 2**32 - 1))
    region = np.random.default_rng(seed).random((height, width)) < draw(st.sampled_from([0.1, 0.9]))
    return {
        "region": region,
        "top": draw(st.integers(-20, 720)),
        "left": draw(st.integers(-20, 1120)),
        "value": draw(st.sampled_from([KEEP, ADD, ERASE])),
    }


def naive(shape: tuple[int, int], painted: list[dict[str, Any]]) -> np.ndarray:
    """The override on one dense array, pixel by pixel rule, without tiles."""
    dense = np.zeros((shape[0] + 2000, shape[1] + 2400), np.uint8)
    for stroke in painted:
        h, w = stroke["region"].shape
        y, x = stroke["top"] + 100, stroke["left"] + 100
        dense[y : y + h, x : x + w][stroke["region"]] = stroke["value"]
    return dense[100 : 100 + shape[0], 100 : 100 + shape[1]]


class TestLaws:
    @settings(max_examples=25, deadline=None)
    @given(st.lists(strokes(), max_size=6))
    def test_the_newest_stroke_stands_and_undo_of_all_is_empty(
        self, painted: list[dict[str, Any]]
    ) -> None:
        edits, states, gestures = Edits(SHAPE), [Edits(SHAPE)], []
        for stroke in painted:
            gestures.append(edits.paint(**stroke))
            states.append(edits.copy())
        assert np.array_equal(edits.override(), naive(SHAPE, painted))
        for gesture, before in zip(reversed(gestures), reversed(states[:-1]), strict=True):
            edits.revert(gesture)
            assert edits == before
        assert edits.is_empty
        assert edits.nbytes == 0
        for gesture, after in zip(gestures, states[1:], strict=True):
            edits.apply(Gesture.from_bytes(gesture.to_bytes()))
            assert edits == after

    @settings(max_examples=25, deadline=None)
    @given(st.lists(strokes(), max_size=4), st.data())
    def test_a_window_is_the_whole_cropped(
        self, painted: list[dict[str, Any]], data: st.DataObject
    ) -> None:
        edits = Edits(SHAPE)
        for stroke in painted:
            edits.paint(**stroke)
        top, left = data.draw(st.integers(0, 699)), data.draw(st.integers(0, 1099))
        height = data.draw(st.integers(0, SHAPE[0] - top))
        width = data.draw(st.integers(0, SHAPE[1] - left))
        window = (top, left, height, width)
        cut = slice(top, top + height), slice(left, left + width)
        mask = np.random.default_rng(0).random(SHAPE) < 0.5
        assert np.array_equal(edits.override(window), edits.override()[cut])
        assert np.array_equal(edits.resolve(mask[cut], window), edits.resolve(mask)[cut])

    @settings(max_examples=25, deadline=None)
    @given(st.lists(strokes(), max_size=4), st.integers(0, 255))
    def test_the_override_survives_any_threshold(
        self, painted: list[dict[str, Any]], threshold: int
    ) -> None:
        edits = Edits(SHAPE)
        for stroke in painted:
            edits.paint(**stroke)
        values = np.random.default_rng(1).integers(0, 256, SHAPE)
        model = values > threshold
        resolved, override = edits.resolve(model), edits.override()
        assert resolved[override == ADD].all()
        assert not resolved[override == ERASE].any()
        assert np.array_equal(resolved[override == KEEP], model[override == KEEP])

    @given(arrays(np.uint8, (7, 9), elements=st.integers(0, 2)), st.text(max_size=20))
    def test_a_gesture_survives_its_bytes(self, after: np.ndarray, kind: str) -> None:
        gesture = Gesture(kind, (Patch(3, 500, np.zeros_like(after), after),))
        assert Gesture.from_bytes(gesture.to_bytes()) == gesture


def test_erase_replaces_add_and_keep_gives_the_pixel_back_to_the_model() -> None:
    edits, everywhere = Edits((4, 4)), np.ones((4, 4), np.bool_)
    edits.paint(everywhere, value=ADD)
    assert edits.resolve(~everywhere).all()
    edits.paint(everywhere, value=ERASE)
    assert not edits.resolve(everywhere).any()
    edits.paint(everywhere, value=KEEP)
    assert edits.resolve(everywhere).all()
    assert edits.is_empty


def test_a_gesture_holds_only_what_changed() -> None:
    edits = Edits((2000, 2000))
    region = np.zeros((2000, 2000), np.bool_)
    region[600:610, 700:720] = True
    first = edits.paint(region, value=ADD, kind="polygon")
    assert [(p.top, p.left, p.after.shape) for p in first.patches] == [(600, 700, (10, 20))]
    assert first.window == (600, 700, 10, 20)
    region[610] = True
    second = edits.paint(region, value=ADD)
    assert second.window == (610, 0, 1, 2000)
    assert len(second.patches) == 4
    assert edits.nbytes == 4 * TILE * TILE


def test_painting_what_stands_there_already_is_an_empty_gesture() -> None:
    edits, region = Edits((50, 50)), np.ones((5, 5), np.bool_)
    edits.paint(region, value=ADD)
    again = edits.paint(region, value=ADD)
    assert again.patches == ()
    assert again.window == (0, 0, 0, 0)
    assert Gesture.from_bytes(again.to_bytes()) == again


@pytest.mark.parametrize(("top", "left"), [(-100, 0), (0, -100), (50, 0), (0, 50)])
def test_a_stroke_outside_the_slide_changes_nothing(top: int, left: int) -> None:
    edits = Edits((50, 50))
    assert not edits.paint(np.ones((9, 9), np.bool_), top=top, left=left, value=ADD).patches
    assert edits.is_empty


def test_a_copy_keeps_its_state_while_the_original_goes_on() -> None:
    edits, region = Edits((600, 600)), np.ones((5, 5), np.bool_)
    edits.paint(region, value=ADD)
    snapshot = edits.copy()
    edits.paint(region, value=ERASE)
    assert snapshot.override((0, 0, 5, 5)).tolist() == [[ADD] * 5] * 5
    snapshot.paint(region, value=KEEP)
    assert edits.override((0, 0, 5, 5)).tolist() == [[ERASE] * 5] * 5
    assert snapshot.is_empty
    assert edits != snapshot


def test_a_whole_slide_costs_what_was_touched() -> None:
    tracemalloc.start()
    edits = Edits((100_000, 100_000))
    edits.paint(np.ones((100, 100), np.bool_), top=99_950, left=50_000, value=ADD)
    edits.copy().resolve(np.zeros((100, 100), np.bool_), (99_900, 50_000, 100, 100))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert edits.nbytes == TILE * TILE
    assert peak < 3 * 2**20


def test_undo_out_of_order_is_refused_and_changes_nothing() -> None:
    edits, region = Edits((600, 600)), np.ones((300, 600), np.bool_)
    first = edits.paint(region, value=ADD)
    edits.paint(region[:1, :1], top=299, left=599, value=ERASE)
    before = edits.copy()
    with pytest.raises(ValueError, match="order of the journal"):
        edits.revert(first)
    with pytest.raises(ValueError, match="order of the journal"):
        edits.apply(first)
    assert edits == before


def test_a_gesture_of_a_larger_slide_is_refused() -> None:
    gesture = Edits((900, 900)).paint(np.ones((9, 9), np.bool_), top=800, value=ADD)
    with pytest.raises(ValueError, match="leaves the slide"):
        Edits((100, 100)).apply(gesture)


@pytest.mark.parametrize(
    "call",
    [
        lambda e: e.paint(np.ones((3, 3), np.uint8), value=ADD),
        lambda e: e.paint(np.ones((3, 3, 3), np.bool_), value=ADD),
        lambda e: e.paint(np.ones((3, 3), np.bool_), value=3),
        lambda e: e.override((0, 0, 11, 1)),
        lambda e: e.override((-1, 0, 1, 1)),
        lambda e: e.resolve(np.zeros((9, 10), np.bool_)),
        lambda e: e.resolve(np.zeros((10, 10), np.uint8)),
        lambda e: Edits((0, 5)),
        lambda e: Gesture("k" * 300, ()),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match=r"^The .*: .*\.$"):
        call(Edits((10, 10)))


ONE = np.ones((2, 2), np.uint8)


@pytest.mark.parametrize(
    "patches",
    [
        [Patch(0, 0, ONE, ONE), Patch(4, 4, ONE, ONE)],
        [(511, 0, ONE, ONE)],
        [(0, 511, ONE, ONE)],
        [(-1, 0, ONE, ONE)],
        [(0, 0, ONE, ONE[:1])],
        [(0, 0, ONE, ONE * 3)],
        [(0, 0, ONE, ONE.astype(np.int64))],
        [(0, 0, ONE[:0], ONE[:0])],
    ],
)
def test_an_impossible_gesture_cannot_be_made(patches: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"^The .*: .*\.$"):
        Gesture("brush", tuple(p if isinstance(p, Patch) else Patch(*p) for p in patches))


def stored(
    places: list[tuple[int, int, int, int]], codes: bytes, count: int | None = None
) -> bytes:
    """The bytes of a gesture, written by hand."""
    head = b"HSG1" + b"\x05brush" + struct.pack("<I", len(places) if count is None else count)
    return head + b"".join(struct.pack("<IIHH", *p) for p in places) + zlib.compress(codes)


GOOD = stored([(0, 0, 2, 2)], bytes([1, 2, 0, 8]))


class TestHostileBytes:
    def test_the_hand_written_form_is_understood(self) -> None:
        gesture = Gesture.from_bytes(GOOD)
        assert gesture.kind == "brush"
        assert gesture.patches[0].before.tolist() == [[0, 0], [0, 2]]
        assert gesture.patches[0].after.tolist() == [[1, 2], [0, 2]]

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"HSG1",
            b"PK\x03\x04" + GOOD[4:],
            GOOD[:-1],
            GOOD + b"x",
            b"HSG1\x02\xff\xff" + GOOD[10:],
            stored([(0, 0, 2, 2)], bytes([1, 2, 0, 9])),
            stored([(0, 0, 2, 2)], bytes(3)),
            stored([(0, 0, 2, 2)], bytes(5)),
            stored([(0, 0, 0, 2)], b""),
            stored([(511, 0, 2, 2)], bytes(4)),
            stored([(0, 0, 1, 1), (5, 5, 1, 1)], bytes(2)),
            stored([(0, 0, 2, 2)], bytes(4), count=2**32 - 1),
            stored([(0, 0, 65535, 65535)] * 9, bytes(99)),
            stored([(0, 0, 1, 1)], bytes(50_000_000)),
        ],
    )
    def test_damaged_bytes_are_refused_without_allocating(self, data: bytes) -> None:
        tracemalloc.start()
        with pytest.raises(ValueError, match=r"^The stored gesture .* is damaged .*\.$"):
            Gesture.from_bytes(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 10 * 2**20

    @settings(max_examples=200, deadline=None)
    @given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
    def test_a_flipped_byte_is_refused_or_still_a_gesture(self, at: int, value: int) -> None:
        data = GOOD[:at] + bytes([value]) + GOOD[at + 1 :]
        try:
            gesture = Gesture.from_bytes(data)
        except ValueError:
            return
        assert all(p.after.max() <= ERASE for p in gesture.patches)
