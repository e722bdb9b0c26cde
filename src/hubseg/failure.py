"""A failure in one sentence: what, where, and what helps.

Responsible for turning any exception into what a person reads, the system's bare numbers among
them. Does not know what was tried.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["EXPECTED", "about", "one_sentence", "printable", "system_sentence", "yaml_or_refusal"]

EXPECTED = (ValueError, OSError, RuntimeError, MemoryError, ImportError)
"""What is raised with a sentence for a person; whatever else is raised is a fault of ours."""

_FULL = "make room on that disk, or write to another one"
_RIGHTS = "check who may read and write there"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.ENOENT: "check that it exists",
    errno.ENOTDIR: "one of the folders in its name is a file: correct it",
    errno.EISDIR: "it is a folder: name a file",
    errno.EEXIST: "it is there already: choose another name",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: "the disk can only be read: write elsewhere",
    errno.EIO: "the disk or its connection fails: copy the file to another one",
    errno.ESTALE: "the network disk was away: connect it again",
    errno.EMFILE: "too many files are open: close other programs",
    errno.ENFILE: "too many files are open: close other programs",
    errno.ENOMEM: "close other programs, or take smaller slides",
    errno.ENAMETOOLONG: "choose a shorter name",
}
_TO_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EEXIST}


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Tell the system's refusals which file they are about, where it does not say so itself."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = os.fspath(path)
        raise


def system_sentence(
    error: OSError, path: Path | str | None = None, *, verb: str = "", remedy: str = ""
) -> str:
    """Return one sentence about the system's refusal of a file.

    Parameters
    ----------
    error
        With its number (`errno`).
    path
        The file or folder; by default the one that the error names.
    verb
        What was tried, such as "opened" or "written".
    remedy
        What helps where the number alone does not tell.
    """
    where = path if path is not None else error.filename
    verb = verb or ("written" if error.errno in _TO_WRITE else "opened")
    helps = _REMEDIES.get(error.errno or 0) or remedy or "check that path and its disk"
    what = "A file" if where is None else os.fsdecode(where)
    return f"{what} cannot be {verb} ({error.strerror or error}): {helps}."


def one_sentence(error: BaseException) -> str:
    """Return what an error says in one line, or its kind where it says nothing.

    The system's refusals get file and remedy; an error that was meant for nobody gets its kind.
    """
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return system_sentence(error)
    lines = str(error).strip().splitlines()
    if isinstance(error, MemoryError) and not lines:
        return "There is not enough memory: close other programs, or take smaller slides."
    if not lines:
        return type(error).__name__
    meant = isinstance(error, EXPECTED) and not isinstance(error, KeyError)
    return lines[0] if meant else f"{type(error).__name__}: {lines[0]}"


def yaml_or_refusal(text: str, where: str) -> Any:
    """Return what a YAML text says; `where` names it in the refusal.

    Raises
    ------
    ValueError
        When it is not YAML.
    """
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise ValueError(f"{where} is not YAML{line}: correct it there.") from error


def printable(text: str) -> str:
    """Return text with a sign in place of each control character: a terminal would obey those."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text)
