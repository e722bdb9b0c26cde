"""Tools: only the object that was touched changes, undo restores, and each does what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubseg import tools
from hubseg.edits.gesture import ADD, ERASE, KEEP
from hubseg.edits.override import Edits
from hubseg.session import ReviewSession
from hubseg.tools import Change

Mask = np.ndarray[Any, np.dtype[np.bool_]]
SHAPE = (140, 180)


def disc(row: float, column: float, radius: float, shape: tuple[int, int] = SHAPE) -> Mask:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


def objects(mask: Mask) -> np.ndarray:
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[1]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Mask, np.ndarray, int, int]:
    """Return a mask of blobs, a map that fits it somewhat, and a click on one of the blobs."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coarse = rng.random((9, 12)).astype(np.float32)
    values = cv2.resize(coarse, (SHAPE[1], SHAPE[0]), interpolation=cv2.INTER_CUBIC)
    values = np.clip(values * 255, 0, 255).astype(np.float32)
    mask = values > draw(st.sampled_from([110.0, 140.0, 180.0]))
    if not mask.any():
        mask[70, 90] = True
    clicks = np.argwhere(mask)
    row, column = clicks[draw(st.integers(0, len(clicks) - 1))]
    return mask, values, int(row), int(column)


# What each tool on one object does to it, with what a hand chooses.
OBJECT_TOOLS: dict[str, Callable[[Mask, np.ndarray, int, int, float], Change | None]] = {
    "keep": lambda m, v, y, x, a: tools.keep(m, y, x),
    "drop": lambda m, v, y, x, a: tools.drop(m, y, x),
    "fill holes": lambda m, v, y, x, a: tools.fill_holes(m, y, x),
    "grow": lambda m, v, y, x, a: tools.grow(m, y, x, 1 + 12 * a),
    "shrink": lambda m, v, y, x, a: tools.grow(m, y, x, -6 * a),
    "smooth": lambda m, v, y, x, a: tools.smooth(m, y, x, 1 + 6 * a),
    "local threshold": lambda m, v, y, x, a: tools.local_threshold(m, v, y, x, 255 * a),
    "split by distance": lambda m, v, y, x, a: tools.split(m, v, y, x, parts=2 + int(3 * a)),
    "split by map": lambda m, v, y, x, a: tools.split(m, v, y, x, by="probability"),
    "wand": lambda m, v, y, x, a: tools.wand(m, v, y, x, 120 * a - 40),
    "wand, erasing": lambda m, v, y, x, a: tools.wand_erasing(m, v, y, x, 60 * a),
}
OBJECT_TOOLS["redraw"] = lambda m, v, y, x, a: tools.redraw(
    m, [(y, x), (y + 90 * a - 45, x + 60), (y + 40, x + 30 * a)]
)
each_tool = pytest.mark.parametrize("name", OBJECT_TOOLS)


class TestLaws:
    @each_tool
    @settings(max_examples=25)
    @given(scene=scenes(), amount=st.floats(0, 1))
    def test_only_the_object_that_was_touched_changes(
        self, name: str, scene: tuple[Mask, np.ndarray, int, int], amount: float
    ) -> None:
        mask, values, row, column = scene
        before = objects(mask)
        change = OBJECT_TOOLS[name](mask, values, row, column, amount)
        if change is None:
            return
        after = change.over(mask)
        labels = objects(after)
        touched = before[row, column]
        if name == "redraw":  # the object that the line is about: what is left of it is kept
            kept = Change(
                change.kind, change.top, change.left, change.values * (change.values == ADD)
            )
            touched = np.bincount(before[kept.over(np.zeros(SHAPE, np.bool_)) & mask]).argmax()
        for label in range(1, before.max() + 1):
            other = before == label
            if label == touched:
                continue
            if (
                name == "fill holes"
                and (after & ~mask)[
                    cv2.dilate(other.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
                ].any()
            ):
                continue  # an island in a hole becomes part of what surrounds it
            now = np.unique(labels[other])
            assert len(now) == 1, "another object was cut or erased"
            assert now[0] > 0
            assert np.array_equal(labels == now[0], other), "another object grew or was joined"

    @each_tool
    @settings(max_examples=15)
    @given(scene=scenes(), amount=st.floats(0, 1))
    def test_the_edits_hold_what_was_proposed_and_undo_restores(
        self, name: str, scene: tuple[Mask, np.ndarray, int, int], amount: float
    ) -> None:
        mask, values, row, column = scene
        asked = mask.copy(), values.copy()
        change = OBJECT_TOOLS[name](mask, values, row, column, amount)
        assert np.array_equal(mask, asked[0]), "a tool reads, it never writes"
        assert np.array_equal(values, asked[1])
        if change is None:
            return
        edits = Edits(SHAPE)
        edits.paint(disc(70, 90, 20), value=ADD)
        standing = edits.copy()
        gesture = edits.put(change.values, top=change.top, left=change.left, kind=change.kind)
        assert np.array_equal(edits.resolve(mask), change.over(standing.resolve(mask)))
        top, left, height, width = change.window
        outside = np.ones(SHAPE, np.bool_)
        outside[top : top + height, left : left + width] = False
        assert np.array_equal(edits.override()[outside], standing.override()[outside])
        edits.revert(gesture)
        assert edits == standing

    @settings(max_examples=25)
    @given(
        scene=scenes(),
        path=st.lists(
            st.tuples(st.integers(-20, 160), st.integers(-20, 200)), min_size=1, max_size=5
        ),
    )
    def test_a_line_drops_every_object_it_runs_over_and_no_other(
        self, scene: tuple[Mask, np.ndarray, int, int], path: list[tuple[int, int]]
    ) -> None:
        mask, line = scene[0], np.zeros((SHAPE[0] + 60, SHAPE[1] + 60), np.uint8)
        around = np.array(path, np.int32) + 30
        cv2.polylines(line, [np.ascontiguousarray(around[:, ::-1])], False, 1)
        line[tuple(around.T)] = 1
        line = line[30:-30, 30:-30]
        labels = objects(mask)
        struck = np.unique(labels[(line > 0) & mask])
        change = tools.along(tools.drop, mask, path)
        after = mask if change is None else change.over(mask)
        assert np.array_equal(after, mask & ~np.isin(labels, struck))

    @settings(max_examples=25)
    @given(scene=scenes(), under=st.integers(1, 4000))
    def test_a_bucket_leaves_what_is_large_enough_and_its_own_work_is_done(
        self, scene: tuple[Mask, np.ndarray, int, int], under: int
    ) -> None:
        mask = scene[0]
        change = tools.drop_small(mask, under)
        after = mask if change is None else change.over(mask)
        sizes = np.bincount(objects(mask).ravel())[1:]
        assert after.sum() == sizes[sizes >= under].sum()
        assert tools.drop_small(after, under) is None
        filled = tools.fill_small(mask, under)
        full = mask if filled is None else filled.over(mask)
        assert (full | mask == full).all()
        assert tools.fill_small(full, under) is None

    @settings(max_examples=25)
    @given(
        st.lists(st.tuples(st.floats(-30, 170), st.floats(-30, 210)), min_size=1, max_size=12),
        st.booleans(),
        st.floats(1, 60),
    )
    def test_outlines_and_strokes_stay_on_the_slide(
        self, points: list[tuple[float, float]], add: bool, size: float
    ) -> None:
        for change in (
            tools.outlined(points, SHAPE, add=add),
            tools.painted(points, size, SHAPE, add=add),
        ):
            if change is not None:
                top, left, height, width = change.window
                assert top >= 0
                assert left >= 0
                assert top + height <= SHAPE[0]
                assert left + width <= SHAPE[1]
                assert set(np.unique(change.values)) <= {0, ADD if add else ERASE}


# ---- what each tool says ----------------------------------------------------------------------


@pytest.mark.parametrize("tool", [name for name in OBJECT_TOOLS if name != "redraw"], ids=str)
@pytest.mark.parametrize("click", [(5, 5), (-1, 3), (140, 0), (0, 900)], ids=str)
def test_beside_every_object_there_is_nothing_to_do(tool: str, click: tuple[int, int]) -> None:
    mask = disc(70, 90, 30)
    values = np.where(mask, 200, 10).astype(np.float32)
    assert OBJECT_TOOLS[tool](mask, values, *click, 0.5) is None


def test_a_dropped_object_stays_away_and_a_kept_one_stays_whatever_the_threshold() -> None:
    away = np.hypot(*(np.ogrid[: SHAPE[0], : SHAPE[1]][i] - c for i, c in ((0, 70), (1, 90))))
    values = np.clip(255 - 4 * away, 0, 255).astype(np.float32)
    mask = values > 127
    for tool, threshold, expected in ((tools.drop, 110.0, 0), (tools.keep, 250.0, mask.sum())):
        change = tool(mask, 70, 90)
        assert change is not None
        edits = Edits(SHAPE)
        edits.put(change.values, top=change.top, left=change.left)
        assert edits.resolve(values > threshold).sum() == expected


def test_several_changes_are_one_and_the_later_win() -> None:
    add, erase = np.ones((4, 6), np.bool_), np.ones((2, 2), np.bool_)
    both = Change.together(
        [Change.of("first", (3, 5), add=add), Change.of("second", (0, 4), erase=erase)]
    )
    assert (both.kind, both.window) == ("first", (0, 4, 7, 7))
    expected = np.zeros((7, 7), np.uint8)
    expected[3:, 1:], expected[:2, :2] = ADD, ERASE
    assert np.array_equal(both.values, expected)
    with pytest.raises(ValueError, match="at least one"):
        Change.together([])


def test_a_hole_is_filled_from_the_object_and_from_the_hole() -> None:
    ring = disc(70, 90, 40) & ~disc(70, 90, 15) & ~disc(45, 90, 5)
    both = tools.fill_holes(ring, 70, 60)
    assert both is not None
    assert np.array_equal(both.over(ring), disc(70, 90, 40))
    one = tools.fill_holes(ring, 70, 90)
    assert one is not None
    assert np.array_equal(one.over(ring), disc(70, 90, 40) & ~disc(45, 90, 5))


def test_an_object_grows_and_shrinks_by_what_was_asked_and_stops_before_its_neighbour() -> None:
    mask = disc(70, 50, 20) | disc(70, 110, 20)
    change = tools.grow(mask, 70, 50, 5)
    assert change is not None
    assert np.array_equal(
        change.over(mask), disc(70, 110, 20) | (tools_distance(disc(70, 50, 20)) <= 5)
    )
    much = tools.grow(mask, 70, 50, 60)
    assert much is not None
    assert objects(much.over(mask)).max() == 2
    less = tools.grow(mask, 70, 50, -5)
    assert less is not None
    assert abs(np.sqrt(less.over(disc(70, 50, 20)).sum() / np.pi) - 15) < 0.7
    assert tools.grow(mask, 70, 50, -25) is None, "a boundary that moves never removes an object"


def tools_distance(inside: Mask) -> np.ndarray:
    return cv2.distanceTransform((~inside).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def test_a_local_threshold_moves_one_boundary_along_the_map() -> None:
    one, other = tools_distance(disc(70, 50, 5)), tools_distance(disc(70, 130, 5))
    values = np.clip(255 - 8 * np.minimum(one, other), 0, 255).astype(np.float32)
    mask = values > 127
    change = tools.local_threshold(mask, values, 70, 50, 90)
    assert change is not None
    after = change.over(mask)
    left = np.arange(SHAPE[1]) < 90
    assert np.array_equal(after[:, left], (values > 90)[:, left])
    assert np.array_equal(after[:, ~left], mask[:, ~left])
    edits = Edits(SHAPE)
    edits.put(change.values, top=change.top, left=change.left)
    lower = edits.resolve(values > 110)
    assert objects(lower).max() == 2, "a threshold moved later draws no ring around it"
    assert tools.local_threshold(mask, values, 70, 50, 255) is None


def test_a_local_threshold_keeps_what_was_drawn_against_the_map() -> None:
    values = np.clip(255 - 8 * tools_distance(disc(70, 50, 5)), 0, 255).astype(np.float32)
    edits = Edits(SHAPE)
    edits.paint(np.ones((6, 20), np.bool_), top=67, left=60, value=ADD)  # a stroke outwards
    edits.paint(np.ones((6, 6), np.bool_), top=67, left=44, value=ERASE)  # and one inside
    mask = edits.resolve(values > 127)

    change = tools.local_threshold(mask, values, 74, 50, 100, edits, 127)

    assert change is not None
    after, elsewhere = change.over(mask), edits.override() == KEEP
    against = (edits.override() == ADD) & (values <= 127)
    assert against.sum() > 50
    assert after[against].all()
    assert not after[67:73, 44:50].any()
    assert np.array_equal(after[elsewhere], (values > 100)[elsewhere])
    beyond = (edits.override() == ADD) & (values <= 100)
    edits.put(change.values, top=change.top, left=change.left)

    again = tools.local_threshold(after, values, 74, 50, 160, edits, 100)

    assert again is not None
    smaller = again.over(after)
    assert smaller[beyond].all()
    assert not smaller[67:73, 44:50].any()
    assert np.array_equal(smaller[elsewhere], (values > 160)[elsewhere])
    assert tools.local_threshold(mask, values, 74, 50, 100) is not None
    assert not tools.local_threshold(mask, values, 74, 50, 100).over(mask)[against].all()


@pytest.mark.parametrize("by", ["distance", "probability"])
def test_two_that_grew_together_are_split_between_them(by: str) -> None:
    mask = disc(70, 60, 26) | disc(70, 104, 26)
    values = np.maximum(
        255 - 5 * tools_distance(disc(70, 60, 3)), 255 - 5 * tools_distance(disc(70, 104, 3))
    )
    change = tools.split(mask, np.clip(values, 0, 255).astype(np.float32), 70, 60, by=by)
    assert change is not None
    after = change.over(mask)
    labels = objects(after)
    assert labels.max() == 2
    assert labels[70, 60] != labels[70, 104]
    removed = np.argwhere(mask & ~after)
    assert np.abs(removed[:, 1] - 82).max() <= 2
    assert tools.split(after, None, 70, 60) is None, "a disc has one peak"


def test_a_chain_of_four_is_split_into_as_many_parts_as_asked() -> None:
    mask = np.zeros(SHAPE, np.bool_)
    for column in (30, 68, 106, 144):
        mask |= disc(70, column, 22)
    for parts in (2, 3, 4):
        change = tools.split(mask, None, 70, 30, parts=parts)
        assert change is not None
        assert objects(change.over(mask)).max() == parts


def test_a_split_along_a_map_needs_one() -> None:
    with pytest.raises(ValueError, match="run the ensemble"):
        tools.split(disc(70, 90, 30), None, 70, 90, by="probability")


def test_merging_joins_two_and_no_third() -> None:
    mask = disc(70, 50, 20) | disc(70, 110, 20) | disc(20, 150, 10)
    change = tools.merge(mask, (70, 50), (70, 110))
    assert change is not None
    after = change.over(mask)
    labels = objects(after)
    assert labels.max() == 2
    assert labels[70, 50] == labels[70, 110]
    assert after[70, 80]
    assert tools.merge(after, (70, 50), (70, 110)) is None, "they are one already"
    far = disc(70, 40, 20) | disc(70, 130, 20)
    bridge = tools.merge(far, (70, 40), (70, 130))
    assert bridge is not None
    assert objects(bridge.over(far)).max() == 1
    assert bridge.over(far)[70, 85]
    assert tools.merge(mask, (70, 50), (0, 0)) is None
    walled = mask.copy()
    walled[:, 80] = True
    assert tools.merge(walled, (70, 50), (70, 110)) is None, "a third one is in the way"


def test_a_line_replaces_the_outline_that_it_runs_along() -> None:
    """Outside the object it adds what lies between, inside it cuts off."""
    mask = np.zeros(SHAPE, np.bool_)
    mask[50:100, 60:120] = True
    # over the upper edge: first 10 px outside, then 10 px inside
    line = [(55, 60), (40, 70), (40, 90), (60, 100), (60, 122)]
    change = tools.redraw(mask, line)
    assert change is not None
    after = change.over(mask)
    assert objects(after).max() == 1
    assert after[45, 75:85].all()
    assert not after[50:58, 105:119].any()
    assert np.array_equal(after[64:], mask[64:])
    assert tools.redraw(mask, [(75, 85), (76, 95)]) is None, "a line inside cuts nothing off"
    begun_beside = tools.redraw(mask, [(45, 64), (40, 70), (40, 90), (44, 97)])
    assert begun_beside is not None
    assert begun_beside.over(mask)[45, 75:85].all(), "a hand begins and ends near the edge"
    assert tools.redraw(mask, [(5, 5), (5, 60)]) is None, "too far away to be meant"
    assert tools.redraw(mask, [(60, 70)]) is None
    around = [(45, 60), (45, 118), (95, 118), (95, 60), (45, 60)]
    whole = tools.redraw(mask, around)
    assert whole is not None
    expected = np.zeros(SHAPE, np.bool_)
    expected[45:96, 60:119] = True
    assert np.count_nonzero(whole.over(mask) != expected) <= 10


def test_a_stroke_is_the_disc_along_its_path_and_an_outline_its_inside() -> None:
    stroke = tools.painted([(70, 40), (70, 100)], 20, SHAPE, add=True)
    assert stroke is not None
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    away = np.hypot(y - 70.0, x - np.clip(x, 40, 100))
    assert np.array_equal(stroke.over(np.zeros(SHAPE, np.bool_)), away <= 10)
    outline = tools.outlined([(20, 30), (20, 60), (50, 60), (50, 30)], SHAPE, add=False)
    assert outline is not None
    left = outline.over(np.ones(SHAPE, np.bool_))
    assert not left[20:51, 30:61].any()
    assert left.sum() == left.size - 31 * 31
    assert tools.outlined([(1, 1), (2, 2)], SHAPE, add=True) is None
    assert tools.painted([(-500, -500)], 20, SHAPE, add=True) is None


def test_an_object_larger_than_the_first_look_is_found_whole() -> None:
    shape = (700, 900)
    snake = np.zeros(shape, np.bool_)
    snake[10:690:40] = True
    snake[10:690, 450] = True
    piece = tools.object_at(snake, 330, 450)
    assert piece is not None
    assert piece.area == snake.sum()
    assert piece.window[1:] == (0, 681 - 0, 900) or piece.window[3] == 900


class TestInASession:
    def test_one_tool_is_one_gesture_and_one_undo(self, tmp_path: Any) -> None:
        import tifffile

        tifffile.imwrite(tmp_path / "a.tiff", np.zeros((*SHAPE, 3), np.uint8), photometric="rgb")
        session = ReviewSession(author="test")
        session.open(tmp_path)
        session.paint(disc(70, 90, 30), add=True)
        painted = session.mask_now().copy()
        change = tools.grow(painted, 70, 90, 6)
        assert change is not None
        gesture = session.put(change)
        assert gesture is not None
        assert session.undo_text == "grow object"
        assert np.array_equal(session.mask_now(), change.over(painted))
        assert session.put(change) is None, "nothing changes twice"
        session.undo()
        assert np.array_equal(session.mask_now(), painted)
        session.redo()
        session.close()
        session.open(tmp_path)
        assert np.array_equal(session.mask_now(), change.over(painted))
        session.close()
