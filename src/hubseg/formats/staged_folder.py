"""A folder that is written beside its place, compared, and only then put there as a whole.

Responsible for replacing a folder of ours only when nobody has touched it, which its
``provenance.json`` tells by the digest of every file. Does not know what is in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hubseg.slide.errors import opening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["FORMAT", "PROVENANCE", "digests_of", "read_provenance", "staged"]

PROVENANCE = "provenance.json"
FORMAT = "hubseg pseudo-labels 1"


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """Yield an empty sibling folder that takes the place of `out` when all went well.

    Raises
    ------
    OSError
        When `out` holds other things, or cannot be written.
    """
    _check_place(out)
    new = out.with_name(f".{out.name}.{secrets.token_hex(4)}.new")
    try:
        new.mkdir(parents=True)
        yield new
        _check_place(out)  # a person may have worked there in the meantime
        _swap(new, out)
    except OSError as exc:
        if exc.errno is None:  # not the system's: it is a sentence already
            raise
        raise type(exc)(
            f"Pseudo-labels cannot be written to {out} ({exc.strerror}): "
            "check that its folder may be written and has room."
        ) from exc
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _swap(new: Path, out: Path) -> None:
    """Put `new` in the place of `out`; what stood there goes only when `new` stands."""
    if not out.exists():
        os.replace(new, out)
        return
    old = new.with_suffix(".old")
    os.replace(out, old)
    try:
        os.replace(new, out)
    except OSError:
        os.replace(old, out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _check_place(out: Path) -> None:
    """Refuse a folder with anything in it that a set of ours, untouched, would not have."""
    if not out.exists():
        return
    if not out.is_dir():
        raise FileExistsError(f"{out} is a file: choose a folder for the pseudo-labels.")
    with opening(out):
        files = {path.relative_to(out).as_posix(): path for path in _files(out)}
        if not files:
            return
        digests = {name: _digest(path) for name, path in files.items() if name != PROVENANCE}
        known = read_provenance(out).get("files", {}) if PROVENANCE in files else {}
    changed = sorted(name for name in digests if known.get(name) != digests[name])
    if changed or PROVENANCE not in files:
        raise FileExistsError(
            f"{out} holds {(changed or sorted(files))[0]}, which no export wrote or which was "
            "changed since: choose another folder, or move it away."
        )


def read_provenance(folder: Path) -> dict[str, Any]:
    """Read how a folder of ours was made.

    Raises
    ------
    ValueError
        When it is none.
    OSError
        When it cannot be opened.
    """
    path = folder / PROVENANCE
    with opening(path):
        text = path.read_bytes()
    try:
        facts = json.loads(text)
    except ValueError as exc:
        raise ValueError(f"{path} is no JSON ({exc}): export the pseudo-labels again.") from exc
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ValueError(
            f"{path} is not of a set in the form {FORMAT!r}: choose the folder an export made."
        )
    return facts


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


def digests_of(folder: Path) -> dict[str, str]:
    """Return the digest of every file below a folder, by its place there."""
    return {path.relative_to(folder).as_posix(): _digest(path) for path in _files(folder)}


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
