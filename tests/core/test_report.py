"""The report is one file that says what was decided; figures come as PNG or PDF."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_structures import made_project, recipe

from hubseg.cli import main
from hubseg.evaluation.figures import curve_figure, slide_figure
from hubseg.formats.rle import encode
from hubseg.organ import DataSource, Organ
from hubseg.probability import MapStore, MemberMap
from hubseg.project import ReviewProject
from hubseg.project.runs import record
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.slide import SlideTable
from hubseg.slide.outlines import heat, outlined, shrunk
from hubseg.thresholds.calibration import Judged, calibrate
from hubseg.thresholds.curves import Tally

SHAPE = (48, 64)
ENTRY = Entry(network=NetworkSpec(encoder="a"), checkpoint="a_{fold}")
RECIPE = Recipe(name="<two>", folds=(0, 1), resolutions=(Resolution(scale=0.5, members=(ENTRY,)),))


def square() -> np.ndarray:
    mask = np.zeros(SHAPE, np.bool_)
    mask[10:30, 20:50] = True
    return mask


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two slides with a map, the truth of the second being empty, and one without a map."""
    (tmp_path / "train_images").mkdir()
    for number, name in enumerate("abc"):
        pixels = np.full((*SHAPE, 3), 90 + number, np.uint8)
        cv2.imwrite(str(tmp_path / "train_images" / f"{name}.png"), pixels)
    rows = [f"a,kidney,Hubmap,48,64,{encode(square())}", "b,kidney,Hubmap,48,64,", "c,,,48,64,"]
    head = "id,organ,data_source,img_height,img_width,rle"
    (tmp_path / "train.csv").write_text("\n".join([head, *rows]) + "\n")
    path = tmp_path / "p.hubseg"
    with ReviewProject.create(path, SlideTable.open(tmp_path / "train.csv")) as opened:
        for slide in opened.slides()[:2]:
            keys = []
            for member in RECIPE.members():
                values = square().astype(np.float32) * np.float32(0.9 - 0.2 * member.fold)
                key = f"{slide.id}{member.fold}abc"
                MapStore(opened.maps).put(key, MemberMap(values))
                keys.append((member, key))
            digest = opened.digest(slide)
            record(opened, slide.id, slide.id, RECIPE, keys, slide_digest=digest)
    return path


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.captions = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("img", "meta", "line", "path", "polyline", "br"):
            self.open.append(tag)
        self.captions += tag == "figcaption"
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "polyline", "line"):
            assert self.open.pop() == tag


def test_a_report_is_one_file_that_needs_no_other(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = project.parent / "report.html"
    assert main(["report", str(project), "--out", str(out), "--json"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert answer["slides"] == 2
    assert "no map" in answer["left_out"]["c"]
    text = out.read_text("utf-8")
    page = _Page()
    page.feed(text)
    assert not page.open
    assert page.links
    assert all(link.startswith("data:image/jpeg;base64,") for link in page.links)
    assert page.captions == 2 * 5  # slide, truth, mask, disagreement, curve
    assert not re.search(r"<script|@import|url\(", text)
    assert "&lt;two&gt;" in text, "what a person names is escaped"
    assert "<two>" not in text
    assert "Dice of the mask <b>1.0000</b>" in text
    assert "threshold <b>90</b>" in text


def test_figures_come_one_per_slide(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project.parent / "figures"
    base = ["report", str(project), "--out", str(project.parent / "r.html")]
    assert main([*base, "--figures", str(folder), "--json"]) == 3
    assert [Path(p).name for p in json.loads(capsys.readouterr().out)["figures"]] == [
        "a.png",
        "b.png",
    ]
    first = cv2.imread(str(folder / "a.png"))
    assert first.shape[1] > 3 * first.shape[0] / 2  # panels side by side
    assert main([*base, "--figures", str(folder), "--figure-format", "pdf"]) == 3
    assert (folder / "a.pdf").read_bytes().startswith(b"%PDF")


def test_a_project_without_any_map_has_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    with ReviewProject.create(tmp_path / "p.hubseg", SlideTable.open(tmp_path / "a.png")):
        pass
    assert main(["report", str(tmp_path / "p.hubseg"), "--out", str(tmp_path / "r.html")]) == 1
    assert "run the ensemble first" in capsys.readouterr().err


def test_an_outline_lies_on_the_mask() -> None:
    tissue = np.full((*SHAPE, 3), 200, np.uint8)
    drawn = outlined(tissue, square(), (1, 2, 3), tint=False)
    rows, columns = np.nonzero((drawn == (1, 2, 3)).all(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 29, 20, 49)
    assert (tissue == 200).all(), "the picture that was given is not changed"
    tinted = outlined(tissue, square())
    assert not (tinted[20, 30] == 200).all()
    assert (tinted[0, 0] == 200).all()


def test_pictures_keep_their_shape_and_their_limits() -> None:
    tall = np.zeros((3000, 1000, 3), np.uint8)
    assert shrunk(tall, 300).shape == (300, 100, 3)
    assert shrunk(tall, 5000) is tall
    hot = heat(np.array([[0, 255]], np.float32), 100)
    assert hot[0, 0].sum() < hot[0, 1].sum()


def test_figures_say_what_they_show() -> None:
    pixels = np.zeros((*SHAPE, 3), np.uint8)
    spread = np.zeros((12, 16), np.float32)
    figure = slide_figure(pixels, square(), truth=square(), disagreement=spread, title="T")
    assert [axes.get_title() for axes in figure.axes] == [
        "slide",
        "truth",
        "mask",
        "disagreement of members",
    ]
    assert [axes.get_title() for axes in slide_figure(pixels, square()).axes] == ["slide", "mask"]
    with pytest.raises(ValueError, match=r"\(3, 3\).*\(48, 64\)"):
        slide_figure(pixels, np.zeros((3, 3), np.bool_))


def test_a_curve_figure_marks_the_best_and_the_present_threshold() -> None:
    values = np.random.default_rng(0).uniform(0, 255, (9, 9)).astype(np.float32)
    kind = Organ.KIDNEY, DataSource.HUBMAP
    judged = [Judged(str(i), *kind, Tally.of(values, values > 80 + i), i % 2) for i in range(6)]
    found = calibrate(judged)
    figure = curve_figure(found, now=127.0, slides=[found.curve])
    said = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert said[0].startswith(f"best {found.threshold}")
    assert said[1].startswith("held out by fold")
    assert said[2] == f"127: {found.curve[127]:.4f}"


def test_a_slide_of_several_structures_shows_each(tmp_path: Path) -> None:
    path, out = made_project(tmp_path, recipe()), tmp_path / "report.html"
    assert main(["report", str(path), "--out", str(out)]) == 0
    page = out.read_text("utf-8")
    for name in ("tubule", "vessel"):
        assert page.count(f"mask: {name}") == 2 * 2  # of two slides, as caption and as text
        assert page.count(f"<tr><td>{name}</td>") == 2
    assert "mask: glomerulus" not in page
