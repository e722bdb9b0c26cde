"""The tables of the documentation that are made from the code.

Responsible for what stands between ``<!-- name -->`` and ``<!-- /name -->`` in ``docs/``:
``scripts/manifest`` writes it, and a test fails where it differs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from hubseg.cleanup import Cleanup  # noqa: E402
from hubseg.cli import parser  # noqa: E402
from hubseg.formats.registry import as_table  # noqa: E402
from hubseg.recipe import Entry, KnownStain, NetworkSpec, Normalize, Recipe, Resolution  # noqa: E402
from hubseg.recipe.entries import Only  # noqa: E402
from napari_hubseg.actions import grouped, key_of  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

__all__ = ["TABLES", "with_tables"]


def _table(head: str, rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown; `head` names its columns, bars between."""
    columns = head.split("|")
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


# ---- actions -----------------------------------------------------------------------------------


def _key(name: str) -> str:
    return " or ".join(f"`{key}`" for key in key_of(name).split(" or "))


def actions() -> str:
    """Return every action with its key, group by group, as the page of keys shows them."""
    parts = []
    for group, members in grouped().items():
        rows = (
            (one.title.removeprefix("Tool: "), _key(one.name), one.tip or one.title)
            for one in members
        )
        parts.append(f"## {group}\n\n{_table('action|key|what it does', rows)}")
    return "\n".join(parts)


# ---- recipe ------------------------------------------------------------------------------------


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be said"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (int, float)):
        return f"`{value:g}`"
    if isinstance(value, str) and value:
        return f"`{value}`"
    if isinstance(value, tuple) and value:
        return f"`{list(value)}`"
    return ""


def _choices(kind: Any) -> list[str]:
    """Return the words that a field may hold, where it holds nothing else."""
    if get_origin(kind) is Literal:
        return [f"`{word}`" for word in get_args(kind)]
    others = [part for part in get_args(kind) if part is not type(None)]
    return _choices(others[0]) if len(others) == 1 else []


def keys_of(models: Mapping[str, type[BaseModel]]) -> str:
    """Return the keys of parts of a recipe, by the part's name, with defaults and meanings."""
    parts = []
    for part, model in models.items():
        rows = []
        for name, field in model.model_fields.items():
            if not field.description:
                raise ValueError(f"{model.__name__}.{name} has no description: say what it is.")
            words = _choices(field.annotation)
            said = [field.description, *([f"One of {', '.join(words)}."] if words else [])]
            rows.append((f"`{name}`", _default(field), " ".join(said)))
        sentence = (model.__doc__ or "").strip().splitlines()[0].replace("``", "`")
        parts.append(f"**{part}** · {sentence}\n\n{_table('key|default|what', rows)}")
    return "\n".join(parts)


# ---- commands ----------------------------------------------------------------------------------


def _shown(one: argparse.Action) -> str:
    """Return an option as it is typed."""
    if not one.option_strings:
        dots = "…" if one.nargs in ("+", "*", "...") else ""
        return f"`{one.metavar or one.dest.upper()}{dots}`"
    value = ""
    if one.nargs != 0:
        words = "|".join(map(str, one.choices or ()))
        short = words if len(words) < 40 else ""
        value = f" {one.metavar or short or one.dest.upper()}" + ("…" if one.nargs == "+" else "")
    return ", ".join(f"`{name}{value}`" for name in one.option_strings)


_BELOW = "the formats below", "the [formats](reference.md#formats)"


def _options(command: argparse.ArgumentParser) -> Iterator[tuple[str, str, str]]:
    for one in command._actions:
        if isinstance(one, argparse._HelpAction):
            continue
        given = one.default
        plain = given in (None, False, []) or f"default: {given}" in (one.help or "")
        words = f"one of {', '.join(map(str, one.choices))}" if one.choices and not one.help else ""
        must = one.required and bool(one.option_strings)
        yield (
            _shown(one),
            "must be said" if must else "" if plain else f"`{given}`",
            " ".join((one.help or words).split()).replace(*_BELOW),
        )


def commands() -> str:
    """Return every command with its options, as ``hubseg COMMAND --help`` says them."""
    top = next(one for one in parser()._actions if isinstance(one, argparse._SubParsersAction))
    said = {one.dest: one.help or "" for one in top._choices_actions}
    parts = []
    for name, command in top.choices.items():
        rows = _table("option|default|what", _options(command))
        sentence = said[name][:1].upper() + said[name][1:]
        parts.append(f"## hubseg {name}\n\n{sentence}.\n\n{rows}")
    return "\n".join(parts)


# ---- preferences -------------------------------------------------------------------------------


def preferences() -> str:
    """Return what can be set on napari's page, or on ours, as the manifest declares it."""
    manifest = yaml.safe_load((ROOT / "napari_hubseg" / "napari.yaml").read_text("utf-8"))
    rows = []
    for section in manifest["contributions"]["configurations"].values():
        for one in section["properties"].values():
            words = ", ".join(f"`{word}`" for word in one.get("enum", ()))
            said = one["description"] + (f" One of {words}." if words else "")
            default = f"`{one['default']}`" if one["default"] != "" else ""
            rows.append((one["title"], default, said))
    return _table("preference|default|what", rows)


# ---- where they stand --------------------------------------------------------------------------

RECIPE = {
    "a recipe": Recipe,
    "normalize": Normalize,
    "stain": KnownStain,
    "one of resolutions": Resolution,
    "one of members": Entry,
    "network": NetworkSpec,
    "only": Only,
}
TABLES = {
    "keys.md": {"actions": actions},
    "commands.md": {"commands": commands},
    "reference.md": {
        "formats": as_table,
        "recipe": lambda: keys_of(RECIPE),
        "cleanup": lambda: keys_of({"cleanup, of an organ": Cleanup}),
        "preferences": preferences,
    },
}


def with_tables(page: str, text: str) -> str:
    """Return a page of ``docs/`` with its tables as the code has them today.

    Raises
    ------
    ValueError
        When the page lacks the marks that a table stands between.
    """
    for name, made in TABLES[page].items():
        opening, closing = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
        head, mark, rest = text.partition(opening)
        _, end, tail = rest.partition(closing)
        if not (mark and end):
            raise ValueError(f"docs/{page} has no {opening.strip()} … {closing.strip()}: add them.")
        text = f"{head}{opening}\n{made().strip()}\n\n{closing}{tail}"
    return text
