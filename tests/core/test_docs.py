"""The documentation says what the code says, and leads where it points."""

from __future__ import annotations

import importlib.util
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from PIL import Image

from hubseg.cli import parser

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted(path.name for path in (REPOSITORY / "docs").glob("*.md"))
READ = [*(f"docs/{name}" for name in PAGES), "README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
FETCHED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=[\"']?(?:https?:)?//")


def loaded(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{Path(path).stem}", REPOSITORY / path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    return loaded("scripts/tables.py")


@pytest.fixture(scope="module")
def diagrams() -> ModuleType:
    return loaded("scripts/site/diagrams.py")


@pytest.fixture(scope="module")
def site() -> dict[str, Any]:
    return dict(yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text("utf-8")))


# ---- what is made from the code ----------------------------------------------------------------


@pytest.mark.parametrize("page", ["keys.md", "commands.md", "reference.md"])
def test_a_pages_tables_are_those_of_the_code(page: str, tables: ModuleType) -> None:
    """Run ``scripts/manifest`` after a change of actions, commands, recipe keys or preferences."""
    text = (REPOSITORY / "docs" / page).read_text("utf-8")
    assert tables.with_tables(page, text) == text


def test_every_table_is_held_to_the_code(tables: ModuleType) -> None:
    assert {*tables.TABLES} == {"keys.md", "commands.md", "reference.md"}
    with pytest.raises(ValueError, match=r"docs/keys.md has no <!-- actions -->"):
        tables.with_tables("keys.md", "# Keys\n")


def test_the_reference_says_what_each_command_is_for() -> None:
    text = (REPOSITORY / "docs" / "reference.md").read_text("utf-8")
    section = text.partition("## Commands\n")[2].partition("\n## ")[0]
    commands = next(one.choices for one in parser()._actions if isinstance(one.choices, dict))
    assert not [name for name in commands if f"`hubseg {name}" not in section]


# ---- flowcharts --------------------------------------------------------------------------------


def test_every_flowchart_can_be_drawn_without_a_script(diagrams: ModuleType) -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
    charts = re.findall(r"^```mermaid\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(charts) == 2
    for chart in charts:
        words, arrows = diagrams.read(chart)
        drawn = diagrams.as_svg(chart)
        assert drawn.count("<rect") == len(words) and drawn.count("marker-end") == len(arrows)
        assert all(f">{word}</text>" in drawn for word in words.values())


@pytest.mark.parametrize("line", ["a -.-> b", "subgraph x", "a", "a --> b{c}"])
def test_what_a_flowchart_cannot_show_is_refused(line: str, diagrams: ModuleType) -> None:
    with pytest.raises(ValueError, match="only 'a --> b' is drawn"):
        diagrams.read(f"flowchart TB\n  {line}\n")


def test_a_flowchart_in_a_circle_is_refused(diagrams: ModuleType) -> None:
    with pytest.raises(ValueError, match="circle"):
        diagrams.as_svg("flowchart TB\n a --> b --> a\n")


# ---- where it leads ----------------------------------------------------------------------------


def _prose(path: str) -> str:
    """Return a page without what stands in blocks of code."""
    text = (REPOSITORY / path).read_text("utf-8")
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def _anchors(path: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", _prose(path), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", head.lower()).strip() for head in heads]
    return {re.sub(r"\s+", "-", head) for head in plain}


def _links(path: str) -> Iterator[tuple[str, str]]:
    for target, anchor in re.findall(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)", _prose(path)):
        whole = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        yield (whole if target else path), anchor


@pytest.mark.parametrize("path", READ)
def test_every_link_leads_somewhere(path: str) -> None:
    for target, anchor in _links(path):
        assert (REPOSITORY / target).is_file(), target
        if anchor:
            assert anchor in _anchors(target), f"{target}#{anchor}"


def _named(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for part in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _named(part)


def test_the_site_shows_every_page_once(site: dict[str, Any]) -> None:
    hooks = (REPOSITORY / "scripts" / "site" / "hooks.py").read_text("utf-8")
    others = re.findall(r'"[\w/.]+\.md": "([\w-]+\.md)"', hooks)
    assert sorted(_named(site["nav"])) == sorted([*PAGES, *others])


def test_the_site_fetches_nothing(site: dict[str, Any]) -> None:
    assert site["theme"]["font"] is False
    assert "extra_javascript" not in site
    assert all((REPOSITORY / "docs" / name).is_file() for name in site["extra_css"])
    assert not [path for path in READ if FETCHED.search(_prose(path))]
    built = sorted((REPOSITORY / "site").glob("*.html"))  # where somebody has built it
    assert not [page.name for page in built if FETCHED.search(page.read_text("utf-8"))]


# ---- pictures ----------------------------------------------------------------------------------


def test_every_picture_is_shown_and_small_enough_to_be_fetched() -> None:
    shown = {Path(target).name for path in READ for target, _ in _links(path)}
    for path in (REPOSITORY / "docs" / "images").iterdir():
        assert path.name in shown
        assert path.stat().st_size <= (3_000_000 if path.name == "hubseg.webp" else 150_000)


def test_every_step_of_the_tutorial_has_its_picture() -> None:
    text = (REPOSITORY / "docs" / "tutorial.md").read_text("utf-8")
    steps = re.split(r"^## \d\. ", text, flags=re.MULTILINE)[1:]
    assert len(steps) == 8
    assert [step.count("![") for step in steps] == [1] * 8


def test_the_pictures_are_those_that_the_journey_makes() -> None:
    pictures = loaded("scripts/pictures.py")
    told = (REPOSITORY / "napari_hubseg" / "demo" / "journey.py").read_text("utf-8")
    made = re.findall(r'_show\("(\w+)"\)', told)
    asked = [*pictures.STILLS, *(n for one in pictures.SCENES for n in (one.after, one.until))]
    assert set(asked) <= set(made)
    for one in pictures.SCENES:
        assert made.index(one.after) < made.index(one.until)
    names = {f"tutorial-{short}.webp" for short in pictures.STILLS.values()}
    assert {path.name for path in pictures.IMAGES.iterdir()} == {
        *names,
        "hubseg.webp",
        loaded("scripts/window_plays.py").PICTURE.name,
    }


def test_the_readme_is_one_screen_with_one_moving_picture() -> None:
    text = (REPOSITORY / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 72
    assert re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text) == ["docs/images/hubseg.webp"]
    with Image.open(REPOSITORY / "docs" / "images" / "hubseg.webp") as image:
        lasting = 0
        for frame in range(image.n_frames):
            image.seek(frame)
            image.load()
            lasting += image.info["duration"]
        assert 800 <= image.width <= 1000
        assert 8_000 <= lasting <= 20_000
