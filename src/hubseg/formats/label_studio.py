"""Label Studio's JSON: a task an image, outlines in percent, brushes in packed run lengths.

Responsible for its regions: brushes, polygons, boxes and ellipses are areas, the rest is counted.
One brush is written for each class of an image. Does not know slides.

Source: HumanSignal/label-studio; brushes are packed as @thi.ng/rle-pack does, four equal bytes a
pixel, along the rows.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.formats.annotated import AnnotatedImage, Annotation, MaskedImage, proven
from hubseg.formats.json_text import file_name, parsed
from hubseg.formats.outlines import Outlines, box, ellipse
from hubseg.formats.rle import runs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["images", "read", "recognises", "write"]

_SIZES = (3, 4, 8, 16)  # bits of a count, by a token's two bits
_BYTES = 4  # a pixel: red, green, blue and how far it is inside
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # what an upload puts before a file's name
_ABSENT = {"keypoint": "points", "vector": "lines"}


def write(path: Path | str, images: Iterable[MaskedImage]) -> Path:
    """Write a brush an image, read them back, and only then give the file its name.

    Raises
    ------
    OSError
        When the file cannot be written, or reads back different.
    """
    return proven(path, images, _put, read)


def _put(path: Path, images: Iterable[MaskedImage]) -> None:
    tasks = []
    for number, image in enumerate(images, 1):
        height, width = image.size
        value = {"format": "rle", "rle": _packed(image.mask), "brushlabels": [image.name]}
        brush: dict[str, Any] = {"id": f"brush{number}", "type": "brushlabels", "value": value}
        brush |= {"from_name": "tag", "to_name": "image", "image_rotation": 0, "origin": "manual"}
        brush |= {"original_width": width, "original_height": height}
        result = [brush] if image.mask.any() else []
        task = {"id": number, "data": {"image": image.file_name}}
        tasks.append(task | {"annotations": [{"result": result}]})
    path.write_text(json.dumps(tasks), encoding="utf-8")


def _packed(mask: NDArray[np.bool_]) -> list[int]:
    """Return the bytes of a mask's brush: tokens of a run, 1 + 2 + 16 + 8 bits each."""
    runs = runs_of(mask.T)  # along the rows
    edges = np.stack((runs[:, 0], runs.sum(axis=1)), axis=1).ravel() * _BYTES
    lengths = np.diff(edges, prepend=0, append=mask.size * _BYTES)
    values = np.where(np.arange(len(lengths)) % 2, 255, 0)
    times = -(-lengths // 2**16)
    values = np.repeat(values, times)
    counts = np.full(len(values), 2**16)
    ends = np.cumsum(times)[times > 0]
    counts[ends - 1] = lengths[times > 0] - (times[times > 0] - 1) * 2**16
    tokens = (1 << 26) | (3 << 24) | ((counts - 1) << 8) | values
    bits = np.concatenate(
        (
            _bits(np.array([mask.size * _BYTES]), 32),
            _bits(np.array([0b00111_0010_0011_0111_1111]), 21),
        )
    )
    every = np.concatenate((bits, _bits(tokens, 27)))
    packed: list[int] = np.packbits(every).tolist()
    return packed


def _bits(numbers: NDArray[np.int64], wide: int) -> NDArray[np.uint8]:
    """Return the bits of numbers, `wide` each, the highest first."""
    shifts = np.arange(wide - 1, -1, -1)
    return ((numbers[:, None] >> shifts) & 1).astype(np.uint8).ravel()


def recognises(content: Any) -> bool:
    """Whether parsed JSON looks like tasks, or predictions, of Label Studio."""
    first = content[0] if isinstance(content, list) and content else None
    if content == []:
        return False
    if not isinstance(first, dict):
        return False
    task = "data" in first and any(key in first for key in ("annotations", "predictions"))
    return task or isinstance(first.get("result"), list)


def read(path: Path) -> list[AnnotatedImage]:
    """Return what a file holds, task by task.

    Raises
    ------
    ValueError
        When the file is no JSON of Label Studio: one sentence.
    OSError
        When it cannot be opened.
    """
    content = parsed(path)
    return [] if content == [] else images(content, path)


def images(content: Any, path: Path) -> list[AnnotatedImage]:
    """Return the images of parsed JSON; raises ValueError where it is none of Label Studio's."""
    if not recognises(content):
        raise ValueError(f"{path} holds no tasks of Label Studio: export them as JSON.")
    return [_image(task) for task in content if isinstance(task, dict)]


def _image(task: Mapping[str, Any]) -> AnnotatedImage:
    data = task.get("data")
    named = next(iter(data.values()), None) if isinstance(data, dict) else None
    if isinstance(data, dict):
        named = data.get("image", named)
    listed = task.get("annotations") or task.get("predictions") or [task]
    drawn = [one for one in listed if isinstance(one, dict) and not one.get("was_cancelled")]
    notes = []
    if len(drawn) > 1:
        notes.append(f"It was annotated {len(drawn)} times: the first is taken.")
    reading = Outlines()
    sizes = set()
    regions = _results(drawn)
    for region in regions:
        if isinstance(region, dict) and region.get("type") != "relation":
            sizes.add(_size(region))
            _take(reading, region)
    if any(isinstance(one, dict) and one.get("image_rotation") for one in regions):
        notes.append("The image was turned in Label Studio: check where its objects lie.")
    size = sizes.pop() if len(sizes) == 1 else None
    name = _UPLOADED.sub("", file_name(named))
    return reading.image(name, size, notes=notes)


def _results(drawn: Sequence[Mapping[str, Any]]) -> list[Any]:
    return list(drawn[0].get("result") or []) if drawn else []


def _size(region: Mapping[str, Any]) -> tuple[int, int] | None:
    match region:
        case {"original_height": int(height), "original_width": int(width)}:
            return (height, width) if min(height, width) > 0 else None
    return None


def _take(reading: Outlines, region: Mapping[str, Any]) -> None:
    kind = str(region.get("type", ""))
    value, size = region.get("value"), _size(region)
    if not isinstance(value, dict) or size is None:
        reading.leave_out()
        return
    labels = value.get(kind)
    name = str(labels[0]) if isinstance(labels, list) and labels else ""
    shape = kind.removesuffix("labels")
    if shape == "brush":
        reading.take_pixels([_brush(value.get("rle"), name, size)])
    elif shape in ("polygon", "rectangle", "ellipse"):
        reading.take(name, [_ring(shape, value, size)])
    else:
        reading.leave_out(_ABSENT.get(shape, "regions that are no area"))


def _ring(shape: str, value: Mapping[str, Any], size: tuple[int, int]) -> Any:
    across, down = size[1] / 100, size[0] / 100
    try:
        if shape == "polygon":
            return np.array(value["points"], np.float64) * (across, down)
        x, y = float(value["x"]) * across, float(value["y"]) * down
        turn = float(value.get("rotation") or 0)
        if shape == "ellipse":
            radii = float(value["radiusX"]) * across, float(value["radiusY"]) * down
            return ellipse(x, y, *radii, turn)
        wide, high = float(value["width"]) * across, float(value["height"]) * down
        return box(x, y, x + wide, y + high, turn)
    except (KeyError, TypeError, ValueError):
        return None


def _brush(packed: Any, name: str, size: tuple[int, int]) -> Annotation | None:
    """Return the object of a brush, or None where its bytes cannot be read."""
    try:
        runs = _unpacked(bytes(packed), size[0] * size[1])
    except (TypeError, ValueError, OverflowError):
        return None
    return Annotation(name, (), runs, size, across=True)


def _unpacked(packed: bytes, pixels: int) -> NDArray[np.int64]:
    """Return the runs, along the rows, of pixels whose last byte is not 0."""
    bits = _Bits(packed)
    count, wide = bits.take(32), bits.take(5) + 1
    sizes = [bits.take(4) + 1 for _ in range(4)]
    if count != pixels * _BYTES:
        raise ValueError("the brush is of an image of another size")
    starts: list[int] = []
    lengths: list[int] = []

    def paint(first: int, end: int) -> None:
        one, other = -(-(first - 3) // _BYTES), -(-(end - 3) // _BYTES)  # px of their last bytes
        if other > one:
            starts.append(one)
            lengths.append(other - one)

    at = 0
    while at < count:
        repeated, end = bits.take(1), 0
        end = at + 1 + bits.take(sizes[bits.take(2)])
        if end > count:
            raise ValueError("the brush is longer than the image")
        if repeated:
            if bits.take(wide):
                paint(at, end)
        else:
            for place in range(at, end):
                if bits.take(wide):
                    paint(place, place + 1)
        at = end
    return np.array([starts, lengths], np.int64).T.reshape(-1, 2)


class _Bits:
    """Numbers of any width out of bytes."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def take(self, wide: int) -> int:
        """Return the number in the next `wide` bits.

        Raises
        ------
        ValueError
            When there are not so many left.
        """
        first, end = self._at >> 3, self._at + wide
        if end > 8 * len(self._content):
            raise ValueError("the brush was cut off")
        last = (end + 7) >> 3
        value = int.from_bytes(self._content[first:last], "big") >> (8 * last - end)
        self._at = end
        return value & ((1 << wide) - 1)
