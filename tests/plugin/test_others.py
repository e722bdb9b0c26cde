"""Other people's layers: said while they hide the slide, moved only when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils._proxies import PublicOnlyProxy

from hubseg.session import ReviewSession
from napari_hubseg.canvas.layers import LayerBinding
from napari_hubseg.jobs.background import Background
from napari_hubseg.panels.notice import Notice, NoticePanel
from napari_hubseg.presenters.foreign_layers import OFFERS, notice_of

Wait = Callable[[Callable[[], bool]], None]
OURS = ["slide", "probability", "disagreement", "mask"]
PICTURE = np.zeros((40, 50))


@pytest.fixture
def scene(session: ReviewSession, background: Background, wait: Wait) -> Iterator[Any]:
    """Our layers with a slide in them, in a viewer without a window."""
    viewer = ViewerModel()
    layers = LayerBinding(session, PublicOnlyProxy(viewer), background, {})  # as napari gives it
    session.go_to("two")

    def settle() -> None:
        wait(lambda: not background.waiting)

    settle()
    yield SimpleNamespace(viewer=viewer, layers=layers, others=layers.others, settle=settle)
    background.close()
    layers.close()


def names(scene: Any) -> list[str]:
    return [layer.name for layer in scene.viewer.layers]


def test_a_picture_that_napari_opens_is_said_to_lie_over_the_slide(scene: Any) -> None:
    told: list[Any] = []
    scene.others.changed.connect(lambda: told.append(1))
    scene.viewer.add_image(PICTURE, name="theirs")
    assert [layer.name for layer in scene.others.above] == ["theirs"]
    assert told
    assert not scene.layers.at_hand, "napari chose the new layer: no tool acts on the mask"
    scene.settle()
    assert names(scene) == [*OURS, "theirs"]


@pytest.mark.parametrize("what", ["hide", "move_below"])
def test_what_lies_over_the_slide_is_hidden_or_moved_below_when_asked(
    scene: Any, what: str
) -> None:
    first = scene.viewer.add_image(PICTURE, name="first")
    second = scene.viewer.add_labels(PICTURE.astype(int), name="second")
    getattr(scene.others, what)()
    assert scene.others.above == []
    assert scene.layers.at_hand
    if what == "hide":
        assert names(scene) == [*OURS, "first", "second"]
        assert not first.visible
        assert not second.visible
        told: list[Any] = []
        scene.others.changed.connect(lambda: told.append(1))
        second.visible = True
        assert told
        assert [layer.name for layer in scene.others.above] == ["second"]
    else:
        assert names(scene) == ["first", "second", *OURS]
        assert first.visible


def test_marks_over_the_slide_hide_nothing_and_what_lies_below_is_nobodys_business(
    scene: Any,
) -> None:
    scene.viewer.add_points([(1, 1)])
    scene.viewer.add_shapes([[(1, 1), (5, 5)]])
    scene.viewer.add_image(PICTURE, visible=False)
    scene.viewer.layers.insert(0, Image(PICTURE, name="below"))
    assert scene.others.above == []


def test_ours_stay_together_when_a_layer_is_put_between_them(scene: Any) -> None:
    scene.viewer.layers.insert(1, Image(PICTURE, name="slide copy"))
    scene.settle()
    assert names(scene) == [*OURS, "slide copy"]


def test_a_person_who_moves_a_layer_between_ours_is_not_contradicted(scene: Any) -> None:
    scene.viewer.add_image(PICTURE, name="theirs")
    scene.settle()
    scene.viewer.layers.move(4, 1)
    scene.settle()
    assert names(scene) == ["slide", "theirs", *OURS[1:]]
    assert [layer.name for layer in scene.others.above] == ["theirs"], "it hides the slide"


def test_strokes_into_a_persons_own_labels_are_said_to_be_no_part_of_the_mask(scene: Any) -> None:
    scene.layers.take_tool("brush")
    assert scene.others.drawn_into == ""
    own = scene.viewer.add_labels(np.zeros((40, 50), int), name="my notes")
    assert scene.others.drawn_into == "my notes"
    assert not scene.layers.at_hand
    scene.others.choose_mask()
    assert scene.layers.at_hand
    assert scene.others.drawn_into == ""
    assert own in scene.viewer.layers


def test_before_the_first_slide_nothing_is_said(background: Background) -> None:
    viewer = ViewerModel()
    layers = LayerBinding(ReviewSession(author="test"), viewer, background, {})
    viewer.add_image(PICTURE)
    viewer.add_labels(PICTURE.astype(int))
    assert layers.others.above == []
    assert layers.others.drawn_into == ""
    background.close()
    layers.close()


@pytest.mark.parametrize(
    ("above", "into", "said", "offers"),
    [
        ([], "", "", ()),
        (["a"], "", "Another layer lies over the slide: a.", ("hide", "below")),
        (["a", "b"], "", "2 other layers lie over the slide.", ("hide", "below")),
        ([], "l", "You now draw into l: its strokes are no part of the mask.", ("mask",)),
        (
            ["l"],
            "l",
            "Another layer lies over the slide: l. "
            "You now draw into l: its strokes are no part of the mask.",
            ("hide", "below", "mask"),
        ),
    ],
)
def test_a_notice_says_what_holds_and_what_can_be_done(
    above: list[str], into: str, said: str, offers: tuple[str, ...]
) -> None:
    assert notice_of(above, into) == Notice(said, offers)


def test_a_notice_panel_shows_its_offers_and_asks(qtbot: Any) -> None:
    panel = NoticePanel("others", OFFERS)
    qtbot.addWidget(panel)
    asked: list[str] = []
    panel.asked.connect(asked.append)
    assert panel.isHidden()
    panel.show_state(Notice("Two layers.", ("below",)))
    assert not panel.isHidden()
    assert panel.said.text() == "Two layers."
    assert panel.offers["hide"].isHidden()
    panel.offers["below"].click()
    assert asked == ["below"]
    panel.show_state(Notice())
    assert panel.isHidden()
