"""What imports what, one floor below each root: rooms, arrows, floors and circles.

Responsible for reading the imports of the source, those for types included, and for nothing else:
``python tests/structure.py`` prints the figures, test_architecture.py holds the promises.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDERS = {
    "hubseg": REPOSITORY / "src" / "hubseg",
    "napari_hubseg": REPOSITORY / "napari_hubseg",
}


@dataclass(frozen=True)
class Plan:
    """The rooms of one floor and who imports whom."""

    arrows: dict[str, frozenset[str]]

    @property
    def rooms(self) -> int:
        return len(self.arrows)

    @property
    def arrow_count(self) -> int:
        return sum(map(len, self.arrows.values()))

    @property
    def circles(self) -> list[list[str]]:
        """The groups of rooms that reach each other, each sorted; none is right."""
        reach = {room: self._reached(room) for room in self.arrows}
        groups = {
            tuple(sorted({room, *(other for other in reach[room] if room in reach[other])}))
            for room in self.arrows
        }
        return sorted(list(group) for group in groups if len(group) > 1)

    @property
    def floors(self) -> int:
        """Rooms on the longest way down; a circle counts as one floor."""
        circle_of = {room: index for index, group in enumerate(self.circles) for room in group}

        def height(room: str, above: frozenset[str]) -> int:
            here = above | {room}
            below = [
                height(other, here)
                for other in self.arrows[room]
                if other not in here
                and (room not in circle_of or circle_of.get(other) != circle_of[room])
            ]
            return 1 + max(below, default=0)

        return max((height(room, frozenset()) for room in self.arrows), default=0)

    def _reached(self, room: str) -> set[str]:
        found: set[str] = set()
        ahead = [*self.arrows[room]]
        while ahead:
            one = ahead.pop()
            if one not in found:
                found.add(one)
                ahead += self.arrows[one]
        return found


def whole() -> Plan:
    """Return the rooms at the top of the core, with the window as one room above them."""
    arrows: dict[str, set[str]] = {"napari_hubseg": set()}
    for path in _sources("hubseg"):
        room = _room("hubseg", path)
        arrows.setdefault(room, set()).update(
            _top(name) for name in _asked(path) if name.startswith("hubseg.")
        )
    del arrows["__init__"]  # the root itself
    for path in _sources("napari_hubseg"):
        arrows["napari_hubseg"].update(
            _top(name) for name in _asked(path) if name.startswith("hubseg.")
        )
    return _plan(arrows)


def inside(root: str) -> Plan:
    """Return the rooms at the top of one root alone."""
    arrows: dict[str, set[str]] = {}
    for path in _sources(root):
        arrows.setdefault(_room(root, path), set()).update(
            _top(name) for name in _asked(path) if name.startswith(f"{root}.")
        )
    del arrows["__init__"]  # the root itself
    return _plan(arrows)


def _plan(arrows: dict[str, set[str]]) -> Plan:
    return Plan(
        {
            room: frozenset(other for other in others if other in arrows and other != room)
            for room, others in arrows.items()
        }
    )


def _sources(root: str) -> list[Path]:
    return sorted(FOLDERS[root].rglob("*.py"))


def _room(root: str, path: Path) -> str:
    first = path.relative_to(FOLDERS[root]).parts[0]
    return first.removesuffix(".py")


def _top(name: str) -> str:
    return name.split(".")[1]


@cache
def _asked(path: Path) -> list[str]:
    asked = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            asked += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            top = node.module.partition(".")[2]
            asked += [node.module] if top else [f"{node.module}.{one.name}" for one in node.names]
    return asked


def _lines(root: str) -> tuple[int, int, int]:
    """Files, lines, and functions over 40 lines, the docstring not counted."""
    lines = long = 0
    for path in (sources := _sources(root)):
        text = path.read_text(encoding="utf-8")
        lines += text.count("\n")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                told = ast.get_docstring(node, clean=False) is not None
                spoken = (first.end_lineno or 0) - first.lineno + 1 if told else 0
                long += (node.end_lineno or 0) - node.lineno + 1 - spoken > 40
    return len(sources), lines, long


def main() -> None:
    """Print the figures of both roots."""
    for name, plan in {
        "hubseg with napari_hubseg": whole(),
        "inside napari_hubseg": inside("napari_hubseg"),
    }.items():
        sys.stdout.write(
            f"{name}: {plan.rooms} rooms, {plan.arrow_count} arrows, {plan.floors} floors, "
            f"{len(plan.circles)} circles {plan.circles or ''}\n"
        )
    for root in FOLDERS:
        files, lines, long = _lines(root)
        sys.stdout.write(f"{root}: {files} files, {lines:,} lines, {long} functions over 40\n")


if __name__ == "__main__":
    main()
