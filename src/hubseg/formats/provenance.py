"""Provenance: how an export was made, as plain data beside it.

Responsible for the versions, the time, and for turning facts into what JSON can hold. Does not
know what is exported, and imports none of the packages whose versions it names.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from hubseg.slide.errors import check_same, writing
from hubseg.thresholds.table import ThresholdTable

__all__ = ["provenance", "write_provenance"]

_PACKAGES = {
    "hubseg": "napari-hubseg",
    "numpy": "numpy",
    "opencv": "opencv-python-headless",
    "tifffile": "tifffile",
    "imagecodecs": "imagecodecs",
    "torch": "torch",
    "timm": "timm",
}


def provenance(**facts: Any) -> dict[str, Any]:
    """Return how something was made.

    Parameters
    ----------
    **facts
        What the caller knows: ``recipe`` and ``slides`` by digest, ``thresholds`` as a
        :class:`~hubseg.thresholds.table.ThresholdTable`, runs, verdicts, …

    Returns
    -------
    dict
        ``created`` (UTC, ISO 8601), ``versions`` of Python and of the packages that are
        installed, and the facts, all as JSON holds them.

    Raises
    ------
    TypeError
        When a fact is of a kind that JSON cannot hold.
    ValueError
        When a number is not finite, or a fact would hide ``created`` or ``versions``.
    """
    made = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **_versions()},
    }
    if hidden := made.keys() & facts.keys():
        raise ValueError(
            f"Fact {min(hidden)!r} is written by provenance itself: give yours another name."
        )
    return {**made, **{name: _plain(fact, name) for name, fact in facts.items()}}


def write_provenance(path: Path | str, facts: Mapping[str, Any]) -> Path:
    """Write facts as JSON, read them back, and only then give the file its name.

    Raises
    ------
    TypeError, ValueError
        When a fact cannot be held by JSON.
    OSError
        When the file cannot be written, or reads back different.
    """
    path = Path(path).absolute()
    plain = {name: _plain(fact, name) for name, fact in facts.items()}
    with writing(path) as part:
        part.write_text(json.dumps(plain, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        check_same(json.loads(part.read_text(encoding="utf-8")) == plain, path)
    return path


def _versions() -> dict[str, str]:
    versions = {}
    for name, distribution in _PACKAGES.items():
        try:
            versions[name] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue  # an optional one, or a checkout that was never installed
    return versions


def _plain(fact: Any, name: str) -> Any:
    """Return a fact as JSON holds it; `name` is where it stands."""
    match fact:
        case ThresholdTable():
            return fact.to_mapping()
        case Mapping():
            return {str(key): _plain(value, f"{name}.{key}") for key, value in fact.items()}
        case list() | tuple() | set() | frozenset():
            ordered = sorted(fact) if isinstance(fact, set | frozenset) else fact
            return [_plain(value, f"{name}[{at}]") for at, value in enumerate(ordered)]
        case np.generic():
            return _plain(fact.item(), name)
        case str():
            return str(fact)
        case float() if not np.isfinite(fact):
            raise ValueError(f"{name} is {fact}, which JSON cannot hold: give a finite number.")
        case None | bool() | int() | float():
            return fact
        case date():
            return fact.isoformat()
        case PurePath():
            return fact.as_posix()
    raise TypeError(f"{name} is a {type(fact).__name__}, which JSON cannot hold: give plain data.")
