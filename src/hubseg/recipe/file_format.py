"""What a file is that lies under a checkpoint's name, told from its first and last bytes.

Responsible for telling the two formats we read from everything else that people find there: a Git
LFS pointer, a page of a web site, half a download. Reads no tensor and unpickles nothing.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
from typing import TYPE_CHECKING, Literal

from hubseg.failure import printable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "LONGEST_HEADER",
    "Format",
    "checkpoint_format",
    "is_zip",
    "what_is_there",
]

Format = Literal["torch", "safetensors"]

LONGEST_HEADER = 100 << 20  # bytes; safetensors allows no longer one
_LOOKED_AT = 4096  # bytes from a file's beginning

_AGAIN = "download or copy it again"
_UNPACK = "unpack it first"
_SAVE = "save the network's state_dict() with torch.save, or as safetensors"
_TORCH_BEFORE_1_6 = bytes.fromhex("6cfc9c46f9206aa85019")
# What a file begins with, what it is then, and what to do about it.
_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "compressed with gzip", _UNPACK),
    (b"BZh", "compressed with bzip2", _UNPACK),
    (b"\xfd7zXZ\x00", "compressed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed with zstandard", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"\x89HDF", "an HDF5 file, as Keras writes", "give a checkpoint of torch"),
    (b"GGUF", "a GGUF file", "give a checkpoint of torch"),
    (b"II*\x00", "a TIFF image", "give the checkpoint"),
    (b"MM\x00*", "a TIFF image", "give the checkpoint"),
    (b"\x89PNG", "a PNG image", "give the checkpoint"),
    (b"\xff\xd8\xff", "a JPEG image", "give the checkpoint"),
    (b"%PDF", "a PDF", "give the checkpoint"),
)


def checkpoint_format(path: Path) -> Format:
    """Return the format of a checkpoint's file, by its content and not by its name.

    Raises
    ------
    ValueError
        When it is certainly no whole checkpoint; one sentence says what it is instead, and what
        to do.
    FileNotFoundError
        When there is nothing of this name.
    """
    if not path.is_file():
        there = what_is_there(path)
        if there:
            raise ValueError(f"Checkpoint {path} is {there}: put the checkpoint's file there.")
        raise FileNotFoundError(
            f"Checkpoint {path.name} was not found in {path.parent}: name the folder that holds it."
        )
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(_LOOKED_AT)
    except OSError as error:
        raise ValueError(
            f"Checkpoint {path} cannot be read ({error.strerror or error}): look at its rights and "
            "its disk."
        ) from error
    wrong = _is_safetensors(path, start, size) if _has_header(start) else _is_torch(path, start)
    if wrong:
        raise ValueError(f"Checkpoint {path} {wrong}.")
    return "safetensors" if _has_header(start) else "torch"


def what_is_there(path: Path) -> str:
    """Say what stands under a name where no file does: a folder, a broken link; "" for nothing."""
    if path.is_dir():
        if any(path.glob("data.pkl")) or any(path.glob("*/data.pkl")):
            return "a folder that a checkpoint was unpacked into"
        return "a folder, not a file"
    if path.is_symlink():
        return "a link to a file that is gone"
    return ""


def _is_torch(path: Path, start: bytes) -> str:
    """Say what is wrong with a file that should be torch's; "" where it may be whole."""
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _is_zip_of_torch(path)
    if start.startswith(b"\x80") and start[1:2] <= b"\x05":
        # torch before 1.6 wrote pickles one after another, the first one a number of its own
        known = _TORCH_BEFORE_1_6 in start[:32]
        return "" if known else f"is a pickle that torch did not write: {_SAVE}"
    return f"is {_something_else(start)}"


def _something_else(start: bytes) -> str:
    """Say what a file is that is none of our formats, and what to do about it."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    lowered = text[:64].lower()
    if not start:
        return f"an empty file: {_AGAIN}"
    if text.startswith(b"version https://git-lfs"):
        size = re.search(rb"^size (\d+)", text, re.MULTILINE)
        stood_for = f" ({_said_bytes(int(size[1]))})" if size else ""
        return f"a Git LFS pointer, not the file it stands for{stood_for}: run `git lfs pull`"
    if b"/annex/objects/" in text[:512]:
        return "a git-annex pointer, not the file it stands for: run `git annex get`"
    if lowered.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml", b"<!--")):
        title = re.search(rb"<title[^>]*>\s*([^<]{1,80})", text, re.IGNORECASE)
        named = f" ({_one_line(title[1])!r})" if title else ""
        return f"a web page{named}, saved under the checkpoint's name (HTML): {_AGAIN}"
    for beginning, name, remedy in _BEGINNINGS:
        if start.startswith(beginning):
            return f"{name}: {remedy}"
    if not start.strip(b"\0"):
        return f"filled with zeros, as a download that was not finished: {_AGAIN}"
    if _is_text(start):
        return f"a text file ({_one_line(text)[:40]!r} …), not a checkpoint: {_AGAIN}"
    return f"not a checkpoint: it is neither a file of torch nor safetensors; {_AGAIN}"


def is_zip(path: Path) -> bool:
    """Tell whether a file ends as a ZIP archive, damaged or not."""
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # it does, and says something of itself that cannot be
        return True


def _is_text(start: bytes) -> bool:
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        text = start[: error.start].decode("utf-8")
        if len(start) - error.start > 3:  # more than a character that was cut off
            return False
    return all(one.isprintable() or one.isspace() for one in text)


def _one_line(text: bytes) -> str:
    return " ".join(text.decode("utf-8", errors="replace").split())


def _is_zip_of_torch(path: Path) -> str:
    """Say what is wrong with a ZIP archive that should be torch's."""
    if not is_zip(path):
        return f"was cut off: it begins as a ZIP archive, and its end is missing; {_AGAIN}"
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        return (
            f"is damaged: its list of contents cannot be read ({printable(str(error))}); {_AGAIN}"
        )
    inside = {name.rpartition("/")[2] for name in names}
    if "data.pkl" not in inside:
        few = ", ".join(printable(name[:40]) for name in names[:3]) + (
            ", …" if len(names) > 3 else ""
        )
        of_numpy = bool(names) and all(name.endswith(".npy") for name in names)
        what = "a NumPy archive" if of_numpy else "a ZIP archive"
        return f"is {what} ({few or 'empty'}), not a checkpoint: unpack it and give what it holds"
    if "constants.pkl" in inside:
        return f"is a TorchScript program, not a table of tensors: {_SAVE}"
    return ""


def _has_header(start: bytes) -> bool:
    """Tell whether a file begins as safetensors: the header's length, then a JSON object."""
    length = int.from_bytes(start[:8], "little")
    return start[8:9] == b"{" and length <= LONGEST_HEADER


def _is_safetensors(path: Path, start: bytes, size: int) -> str:
    """Say what is wrong with a file that begins as safetensors."""
    (length,) = struct.unpack("<Q", start[:8])
    if 8 + length > size:
        return f"was cut off: its header alone is longer than the file; {_AGAIN}"
    with path.open("rb") as file:
        file.seek(8)
        text = file.read(length)
    try:
        header = json.loads(text)
        tensors = [about for name, about in header.items() if name != "__metadata__"]
        ends = [about["data_offsets"][1] for about in tensors]
        wanted = 8 + length + max((end for end in ends if isinstance(end, int)), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return f"is damaged: its header cannot be read; {_AGAIN}"
    if wanted > size:
        return (
            f"was cut off: it has {_said_bytes(size)} of the {_said_bytes(wanted)} that its header "
            f"tells of; {_AGAIN}"
        )
    return ""


def _said_bytes(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
