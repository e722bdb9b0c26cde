"""Flowcharts of Mermaid's simplest kind (``a --> b --> c``), drawn as SVG when the site is built.

Responsible for a picture that needs no script and no network. Knows names, brackets (``a[text]``)
and arrows; refuses every other line, so that nothing is lost without a word.
"""

from __future__ import annotations

import html
import re
from itertools import pairwise

__all__ = ["as_svg", "read"]

_NODE = re.compile(r"(\w+)(?:\[([^\]]+)\])?")
_ROW, _HEIGHT, _GAP, _LETTER = 74, 32, 22, 8.2  # px of the drawing
_PASSES = 12


def read(source: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the words of every node by its name, and the arrows.

    Raises
    ------
    ValueError
        When a line is neither the head of a flowchart nor a chain of nodes.
    """
    words: dict[str, str] = {}
    arrows: list[tuple[str, str]] = []
    for line in filter(None, (line.strip() for line in source.splitlines())):
        if re.fullmatch(r"flowchart (TB|TD)", line):
            continue
        found = [_NODE.fullmatch(part.strip()) for part in line.split("-->")]
        chain = [match for match in found if match]
        if len(chain) < max(len(found), 2):
            raise ValueError(f"A flowchart has the line {line!r}: only 'a --> b' is drawn.")
        for match in chain:
            if match[2] or match[1] not in words:
                words[match[1]] = match[2] or match[1]
        arrows += pairwise(match[1] for match in chain)
    return words, list(dict.fromkeys(arrows))


def _rows(words: dict[str, str], arrows: list[tuple[str, str]]) -> dict[str, int]:
    """Return the row of each node: one below the lowest that points at it."""
    rows = dict.fromkeys(words, 0)
    for _ in words:
        for start, end in arrows:
            rows[end] = max(rows[end], rows[start] + 1)
    if rows and max(rows.values()) >= len(words):
        raise ValueError("A flowchart goes round in a circle: it has no top.")
    above = {end: start for start, end in arrows}
    for name in words:  # what nothing points at stands close above what it points at
        if name not in above:
            rows[name] = min((rows[e] for s, e in arrows if s == name), default=1) - 1
    return rows


def _ordered(rows: dict[str, int], links: list[tuple[str, str]]) -> list[list[str]]:
    """Return the nodes row by row, each near the middle of those it hangs together with."""
    table = [[n for n in rows if rows[n] == row] for row in range(max(rows.values()) + 1)]
    near: dict[str, list[str]] = {name: [] for name in rows}
    for start, end in links:
        near[start].append(end)
        near[end].append(start)
    for turn in range(_PASSES):
        step = 1 if turn % 2 == 0 else -1
        place = {n: i - len(row) / 2 for row in table for i, n in enumerate(row)}
        for number in range(len(table))[::step]:
            fixed = {n: place[n] for n in table[number]}
            for name in table[number]:
                beside = [place[n] for n in near[name] if rows[n] == number - step]
                fixed[name] = sum(beside) / len(beside) if beside else place[name]
            table[number].sort(key=fixed.__getitem__)
            place |= {n: i - len(table[number]) / 2 for i, n in enumerate(table[number])}
    return table


def as_svg(source: str) -> str:
    """Return a flowchart as SVG in one line, in the colours of the page around it."""
    words, arrows = read(source)
    rows = _rows(words, arrows)
    links, bends = [], {}
    for start, end in arrows:  # an arrow over several rows goes between their nodes
        names = [f"{start}>{end}>{row}" for row in range(rows[start] + 1, rows[end])]
        rows |= {name: rows[start] + 1 + i for i, name in enumerate(names)}
        bends[start, end] = [start, *names, end]
        links += pairwise(bends[start, end])
    wide = {name: len(words[name]) * _LETTER + 24 if name in words else 10 for name in rows}
    table = _ordered(rows, links)
    lengths = [sum(wide[n] + _GAP for n in row) - _GAP for row in table]
    full, at = max(lengths) + 20, {}
    for number, row in enumerate(table):
        x = (full - lengths[number]) / 2
        for name in row:
            at[name] = (x + wide[name] / 2, 10 + number * _ROW)
            x += wide[name] + _GAP
    lines = [_line([at[name] for name in bends[arrow]], bends[arrow]) for arrow in arrows]
    boxes = [_box(words[name], wide[name], *at[name]) for name in words]
    high = (len(table) - 1) * _ROW + _HEIGHT + 20
    marker = (
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="currentColor"/></marker>'
    )
    said = ", ".join(f"{words[start]} to {words[end]}" for start, end in arrows)
    return (
        f'<svg class="flowchart" viewBox="0 0 {full:.0f} {high}" role="img" '
        f'aria-label="{html.escape(said)}" style="max-width:{full:.0f}px;width:100%">'
        f"<defs>{marker}</defs>{''.join(lines)}{''.join(boxes)}</svg>"
    )


def _line(points: list[tuple[float, float]], names: list[str]) -> str:
    path, (x, y) = "", (points[0][0], points[0][1] + _HEIGHT)
    path = f"M{x:.0f} {y:.0f}"
    for (x1, top), name in zip(points[1:], names[1:], strict=True):
        half = (y + top) / 2
        path += f"C{x:.0f} {half:.0f} {x1:.0f} {half:.0f} {x1:.0f} {top:.0f}"
        x, y = x1, top
        if name is not names[-1]:
            y += _HEIGHT
            path += f"V{y:.0f}"
    return (
        f'<path d="{path}" fill="none" stroke="currentColor" stroke-opacity=".55" '
        'marker-end="url(#tip)"/>'
    )


def _box(word: str, wide: float, x: float, y: float) -> str:
    return (
        f'<rect x="{x - wide / 2:.0f}" y="{y}" width="{wide:.0f}" height="{_HEIGHT}" rx="6" '
        'fill="currentColor" fill-opacity=".08" stroke="currentColor" stroke-opacity=".6"/>'
        f'<text x="{x:.0f}" y="{y + 21}" text-anchor="middle" font-size="14" '
        f'fill="currentColor">{html.escape(word)}</text>'
    )
