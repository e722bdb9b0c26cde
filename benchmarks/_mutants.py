"""Files that are almost right: small whole ones of every kind we read, and ways to damage them."""

from __future__ import annotations

import csv
import io
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from hubseg.formats.rle import encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEIGHT, WIDTH = 75, 90
HEADER = 2048  # bytes at the start, where damage does most
# sizes, counts and offsets that readers believe
WORDS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)


def pixels() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a small picture that compresses, but not to nothing."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    shades = (y * 2 % 256, x * 2 % 256, (x + y) // 16 * 16 % 256)
    return np.stack(shades, -1).astype(np.uint8)


def tiffs(folder: Path) -> None:
    """Write one whole TIFF of each layout."""
    rgb = pixels()
    kinds: dict[str, dict[str, Any]] = {
        "strips": {},
        "deflate": {"compression": "zlib", "rowsperstrip": 16},
        "lzw": {"compression": "lzw", "predictor": True},
        "jpeg": {"compression": "jpeg", "tile": (32, 32)},
        "tiles": {"tile": (16, 32), "compression": "zstd"},
        "planes": {"planarconfig": "separate"},
        "big": {"bigtiff": True, "byteorder": ">", "tile": (32, 32)},
        "described": {"description": "ImageJ=1.53\nunit=um\n", "resolution": (2, 2)},
    }
    for name, told in kinds.items():
        data = np.moveaxis(rgb, -1, 0) if name == "planes" else rgb
        tifffile.imwrite(folder / f"{name}.tif", data, photometric="rgb", **told)
    wide = rgb.astype(np.uint16) * 257
    tifffile.imwrite(folder / "wide.tif", wide, photometric="rgb", compression="zlib")
    tifffile.imwrite(folder / "grey.tif", rgb[..., 0], photometric="minisblack")
    tifffile.imwrite(folder / "ome.ome.tif", rgb, photometric="rgb", metadata={"axes": "YXS"})
    with tifffile.TiffWriter(folder / "pyramid.tif") as tif:
        told = {"photometric": "rgb", "tile": (32, 32), "compression": "zlib"}
        tif.write(rgb, subifds=1, **told)
        tif.write(rgb[::2, ::2], subfiletype=1, **told)


def checkpoints(folder: Path) -> None:
    """Write one whole checkpoint of each format."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = {
        f"encoder.{number}.{name}": torch.rand(shape)
        for number in range(3)
        for name, shape in (("weight", (4, 3, 3, 3)), ("bias", (4,)))
    }
    whole = {"state_dict": state, "epoch": 3, "best_score": np.float64(0.75)}
    torch.save(whole, folder / "zip.pth")
    torch.save(whole, folder / "old.pth", _use_new_zipfile_serialization=False)
    torch.save({f"module.{key}": value for key, value in state.items()}, folder / "plain.pt")
    told = {"epoch": "3", "best_score": "0.75"}
    save_file(state, folder / "new.safetensors", metadata=told)


def tables(folder: Path) -> None:
    """Write tables beside their images: the competition's, ours, and other programs' dialects."""
    images = folder / "train_images"
    images.mkdir()
    for name in ("10044", "10274", "b_1"):
        tifffile.imwrite(images / f"{name}.tiff", pixels(), photometric="rgb")
    mask = pixels()[..., 0] > 60
    head = (
        "id organ data_source img_height img_width pixel_size tissue_thickness rle age sex".split()
    )
    rows = [
        [name, organ, "Hubmap", HEIGHT, WIDTH, "0.4", 4, encode(mask), 61, "Male"]
        for name, organ in (("10044", "prostate"), ("10274", "kidney"), ("b_1", "lung"))
    ]
    for name, told, encoding in (
        ("train", {}, "utf-8"),
        ("semicolons", {"delimiter": ";"}, "utf-8-sig"),
        ("tabs", {"delimiter": "\t", "quoting": csv.QUOTE_ALL}, "utf-16"),
    ):
        text = io.StringIO()
        csv.writer(text, **told).writerows([head, *rows])
        (folder / f"{name}.csv").write_bytes(text.getvalue().encode(encoding))
    two = [["id", "rle"], *([row[0], row[7]] for row in rows)]
    text = io.StringIO()
    csv.writer(text).writerows(two)
    (folder / "submission.csv").write_text(text.getvalue())


MAKERS: dict[str, Callable[[Path], None]] = {
    "tiff": tiffs,
    "checkpoint": checkpoints,
    "csv": tables,
}


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes of a file with damage: one to three deeds, most often near its start."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        if not changed:
            break
        end = min(HEADER, len(changed)) if rng.random() < 0.6 else len(changed)
        at = int(rng.integers(end))
        match rng.integers(6):
            case 0:  # single bits
                for place in rng.integers(0, end, rng.integers(1, 9)):
                    changed[place] ^= 1 << int(rng.integers(8))
            case 1:  # single bytes
                for place in rng.integers(0, end, rng.integers(1, 33)):
                    changed[place] = int(rng.integers(256))
            case 2:  # a size, a count or an offset
                word = struct.pack("<>"[rng.integers(2)] + "I", rng.choice(WORDS))
                changed[at : at + 4] = word[: len(changed) - at]
            case 3:  # cut off
                del changed[int(rng.integers(len(changed))) :]
            case 4:  # a piece that is missing, or stands twice
                piece = bytes(changed[at : at + int(rng.integers(1, 65))])
                changed[at : at + len(piece) * int(rng.integers(2))] = piece * int(rng.integers(3))
            case _:  # a hole of noughts, as a disk leaves it
                count = min(int(rng.integers(1, 513)), len(changed) - at)
                changed[at : at + count] = bytes(count)
    return bytes(changed)
