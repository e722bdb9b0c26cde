"""The folder of a project: its name, and how it comes into being complete or not at all.

Responsible for these; does not know what is in the database.
"""

from __future__ import annotations

import getpass
import shutil
import uuid
from pathlib import Path
from typing import Final

from hubseg.project.backups import backups_of
from hubseg.project.database import FILE, NOT_WRITABLE, write_schema

__all__ = ["SUFFIX", "make_folder", "project_path", "user_name", "why_absent"]

SUFFIX: Final = ".hubseg"


def make_folder(path: Path) -> None:
    """Make an empty project; it appears complete.

    Raises
    ------
    OSError
        When `path` exists already or cannot be written.
    """
    if path.exists():
        raise FileExistsError(f"{path} exists already: open it, or choose another name.")
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        (draft / "maps").mkdir(parents=True)
        write_schema(draft / FILE)
        draft.rename(path)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if error.errno in NOT_WRITABLE:
            raise PermissionError(
                f"{path.parent} cannot be written: choose another folder for the project."
            ) from error
        why = error.strerror or error.__cause__ or error
        raise OSError(
            f"The project {path} cannot be made ({why}): make room there, or choose another folder."
        ) from error


def project_path(path: Path | str) -> Path:
    """Return `path` absolute; ValueError unless it ends in ``.hubseg``."""
    path = Path(path).absolute()
    if path.suffix != SUFFIX:
        raise ValueError(f"{path} does not end in {SUFFIX}: name the project like that.")
    return path


def why_absent(path: Path) -> str:
    """Return what to tell where a folder holds no database, and what helps."""
    lost = f"'hubseg restore {path.name}' takes its backup"
    remedy = lost if backups_of(path / FILE) else "choose the folder of a review project"
    return f"{path} holds no {FILE}: {remedy}."


def user_name() -> str:
    """Return who works here, as rows name their author."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such user in a container
        return "unknown"
