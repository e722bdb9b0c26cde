"""``hubseg maps``: how much room a project's member maps take, and how much they may."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from hubseg.cli._said import add_json, say

__all__ = ["add_to"]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    maps = commands.add_parser("maps", help="show or limit the room that kept maps take")
    maps.add_argument("project", type=Path, help="NAME.hubseg")
    maps.add_argument(
        "--limit", type=size, help="such as 20GB; the least recently used maps go beyond it"
    )
    add_json(maps)
    maps.set_defaults(run=_maps)


def size(text: str) -> int:
    """Read a number of bytes: 20GB, 500 MB, 1.5T.

    Raises
    ------
    argparse.ArgumentTypeError
        When it is none.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)b?\s*", text, re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size: write 20GB or 500MB.")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def _maps(given: argparse.Namespace) -> int:
    from hubseg.probability import MapStore
    from hubseg.project import ReviewProject

    with ReviewProject.open(given.project) as project:
        room = MapStore(project.maps).room
    before = room.usage()
    if given.limit is not None:
        room.limit = given.limit
    count, taken = room.usage()
    say(
        given,
        {"maps": count, "bytes": taken, "limit": room.limit, "removed": before[0] - count},
        [
            f"{count} maps take {taken / 1e9:.2f} GB of {room.limit / 1e9:.2f} GB.",
            *([f"{before[0] - count} maps were removed."] if before[0] > count else []),
        ],
    )
    return 0
