"""What the window remembers from one start to the next: a few values in one small file.

Responsible for reading and writing that file. What cannot be kept is forgotten: nothing a person
works on is in it. Does not know what the values mean.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import platformdirs

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["recall", "remember"]


def _path() -> Path:
    return platformdirs.user_config_path("hubseg", appauthor=False) / "window.json"


def _all() -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found = json.loads(_path().read_text("utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def recall(name: str, default: Any) -> Any:
    """Return what was remembered under a name, or `default`."""
    return _all().get(name, default)


def remember(name: str, value: Any) -> None:
    """Remember a value that JSON can hold."""
    known = _all()
    if known.get(name) == value and name in known:
        return
    path = _path()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**known, name: value}, indent=1) + "\n", "utf-8")
