"""Large JSON is read element by element: the same objects, in a bounded multiple of its size."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubseg.formats import json_text
from hubseg.formats.annotated import AnnotatedImage
from hubseg.formats.finding import images_in
from hubseg.formats.json_constants import NullForConstants, null
from hubseg.formats.json_stream import Streamed, content_of

SEED = 3


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file be a large one."""
    monkeypatch.setattr("hubseg.formats.json_stream.HELD", 0)


def circle(corners: int, random: np.random.Generator) -> list[list[float]]:
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    ring = np.stack((np.cos(angles), np.sin(angles)), axis=1) * 40 + random.integers(50, 900, 2)
    points: list[list[float]] = ring.round(2).tolist()
    return points


def features(count: int, corners: int) -> dict[str, Any]:
    random = np.random.default_rng(SEED)
    listed = []
    for number in range(count):
        ring = circle(corners, random)
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        about = {"classification": {"name": f"c{number % 3}"}}
        listed.append({"type": "Feature", "geometry": geometry, "properties": about})
    return {"type": "FeatureCollection", "features": listed}


def annotations(count: int, corners: int) -> dict[str, Any]:
    random = np.random.default_rng(SEED)
    listed: list[dict[str, Any]] = []
    for number in range(count):
        segmentation: Any = [np.ravel(circle(corners, random)).tolist()]
        if number % 4 == 3:
            segmentation = {"size": [1000, 1000], "counts": [5, 7, 1000 * 1000 - 12]}
        known = {"id": number, "image_id": 1 + number % 2, "category_id": 1}
        listed.append({**known, "segmentation": segmentation})
    images = [
        {"id": one, "file_name": f"{one}.png", "width": 1000, "height": 1000} for one in (1, 2)
    ]
    categories = [{"id": 1, "name": "crypt"}]
    return {
        "info": {"by": [1, {}]},
        "images": images,
        "categories": categories,
        "annotations": listed,
    }


def same(one: list[AnnotatedImage], other: list[AnnotatedImage]) -> bool:
    def told(images: list[AnnotatedImage]) -> list[Any]:
        return [
            (
                *(image.name, image.size, dict(image.left_out), image.notes),
                [
                    (
                        *(each.name, each.size, each.runs.tolist()),
                        [part.exterior.tolist() for part in each.polygons],
                        [[hole.tolist() for hole in part.holes] for part in each.polygons],
                    )
                    for each in image.objects
                ],
            )
            for image in images
        ]

    return told(one) == told(other)


def no_numbers() -> dict[str, Any]:
    """Return features of which three are damaged; what names and measurements say is no damage."""
    content = features(6, 5)
    listed = content["features"]
    for feature, number in zip(listed, ("nan", "inf", "-inf"), strict=False):
        feature["geometry"]["coordinates"][0][1][0] = float(number)
    listed[4]["properties"]["classification"]["name"] = 'a "NaN", -Infinity \\'
    listed[5]["properties"]["measurements"] = {"Infinity": float("inf")}
    return content


CONTENTS: dict[str, Any] = {
    "features": features(9, 5),
    "features first": dict(reversed(features(9, 5).items())),
    "a list of features": features(9, 5)["features"],
    "a list of geometries": [one["geometry"] for one in features(9, 5)["features"]],
    "annotations": annotations(9, 5),
    "annotations first": dict(reversed(annotations(9, 5).items())),
    "results": [{**one, "score": 0.5} for one in annotations(9, 5)["annotations"]],
    "one bad annotation": {
        **annotations(3, 5),
        "annotations": [{}, *annotations(3, 5)["annotations"]],
    },
    "corners that are no number": no_numbers(),
    "runs that are no number": {
        **annotations(4, 5),
        "annotations": [
            {"id": 9, "image_id": 1, "segmentation": {"size": [9, 9], "counts": [1, float("nan")]}},
            *annotations(4, 5)["annotations"],
        ],
    },
    "no feature": features(0, 5),
    "one feature": features(1, 5)["features"][0],
    "LabelMe": {
        "version": "5",
        "shapes": [],
        "imagePath": "a.png",
        "imageHeight": 9,
        "imageWidth": 9,
    },
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", CONTENTS)
def test_the_objects_are_those_of_the_whole_file(
    name: str, packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ("a.json.gz" if packed else "a.json")
    text = json.dumps(CONTENTS[name]).encode()
    path.write_bytes(gzip.compress(text) if packed else b"\xef\xbb\xbf" + text)
    whole = images_in(path)
    monkeypatch.setattr("hubseg.formats.json_stream.HELD", 0)
    assert isinstance(content_of(path), Streamed) == (name not in ("one feature", "LabelMe"))
    form, images = images_in(path)
    assert form is whole[0]
    assert same(images, whole[1])


def test_files_of_others_are_read_alike(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shared_data / "exchange"
    if not folder.is_dir():
        pytest.skip("the exchange data are not here")
    files = [
        one
        for kind in ("geojson_qupath", "geojson_other", "coco")
        for one in (folder / kind).iterdir()
    ]
    read = {}
    for file in files:
        if file.suffix in (".json", ".geojson"):
            read[file] = outcome(file)
    monkeypatch.setattr("hubseg.formats.json_stream.HELD", 0)
    assert len(read) > 10
    for file, before in read.items():
        after = outcome(file)
        if isinstance(before, str):
            assert isinstance(after, str), file.name
        else:
            assert not isinstance(after, str) and same(before, after), file.name


def outcome(file: Path) -> list[AnnotatedImage] | str:
    try:
        return images_in(file)[1]
    except ValueError as exc:
        return str(exc)


@pytest.mark.parametrize("kind", ["geojson", "coco"])
def test_the_peak_of_memory_is_three_times_the_file_and_not_twelve(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps((features if kind == "geojson" else annotations)(1500, 60)))
    size = path.stat().st_size
    assert size > 1e6
    whole = _peak(path)
    monkeypatch.setattr("hubseg.formats.json_stream.HELD", 0)
    monkeypatch.setattr("hubseg.formats.json_stream._BUFFER", 2**16)
    streamed = _peak(path)
    assert streamed < 3 * size
    assert streamed < whole / 2


def _peak(path: Path) -> int:
    tracemalloc.start()
    try:
        images_in(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize("content", [features(9, 5), annotations(9, 5), features(9, 5)["features"]])
def test_a_file_that_was_cut_off_is_refused_in_one_sentence(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    text = json.dumps(content).encode()
    packed = gzip.compress(text)
    for length in (1, 5, 40, len(text) // 2, len(text) - 1):
        for data in (text[:length], packed[: len(packed) * length // (len(text) + 1)]):
            path.write_bytes(data)
            with pytest.raises(ValueError, match=r"a\.json") as refused:
                images_in(path)
            assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


@pytest.mark.usefixtures("streamed")
def test_what_is_no_number_costs_its_object_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(no_numbers()))
    (image,) = images_in(path)[1]
    assert dict(image.left_out) == {"objects that cannot be read": 3}
    assert [one.name for one in image.objects] == ["c0", 'a "NaN", -Infinity \\', "c2"]


PIECES = st.sampled_from(
    ["NaN", "Infinity", "-Infinity", "-", "N", "Inf", '"', '\\"', "\\", "\\\\", "a", "é", " "]
)
NUMBERS = st.sampled_from([float("nan"), float("inf"), float("-inf"), 1.5, -2, True])


@given(
    st.recursive(
        NUMBERS | st.lists(PIECES).map("".join),
        lambda one: st.lists(one, max_size=4) | st.dictionaries(st.lists(PIECES).map("".join), one),
    ),
    st.integers(1, 12),
    st.booleans(),
)
def test_constants_become_null_wherever_a_piece_ends(content: Any, size: int, ascii: bool) -> None:
    text = json.dumps(content, ensure_ascii=ascii).encode()
    stream = NullForConstants(io.BytesIO(text))
    read = b"".join(iter(lambda: stream.read(size), b""))
    assert json.loads(read) == json.loads(text, parse_constant=null)


@pytest.mark.usefixtures("streamed")
def test_what_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubseg.formats.json_stream.MOST_BYTES", 2**20)
    path = tmp_path / "a.geojson.gz"
    for text in (b" " * 2**24, b'{"features": [' + b"{}," * 2**22):
        path.write_bytes(gzip.compress(text))
        with pytest.raises(ValueError, match="more than 1 MiB"):
            images_in(path)


def test_small_files_are_read_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(features(2, 5)))
    assert content_of(path) == json_text.parsed(path)
