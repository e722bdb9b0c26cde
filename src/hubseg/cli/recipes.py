"""``hubseg recipe``: show a recipe, check its files, say what it costs, or write it as ONNX."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, table
from hubseg.cli.predicting import add_ensemble

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from hubseg.cli._said import Answer
    from hubseg.network import Cost
    from hubseg.outcome import Outcome
    from hubseg.recipe import Member, NetworkSpec, Recipe, Resolution

__all__ = ["add_to"]

_TYPICAL = 3000  # px: side of a competition tile, for resolutions that follow the slide's size


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    recipe = commands.add_parser(
        "recipe", help="show a recipe, check its checkpoints, say what it costs, or write ONNX"
    )
    recipe.add_argument("what", choices=["show", "check", "info", "onnx"])
    add_ensemble(recipe)
    recipe.add_argument(
        "--stains-of",
        type=Path,
        metavar="SLIDES",
        help="of show: with the stains of these slides, which its networks were trained on",
    )
    recipe.add_argument("--device", default="auto", help="of info: auto, cpu or cuda:N")
    recipe.add_argument("--out", type=Path, help="of onnx: folder for one file a checkpoint")
    add_json(recipe)
    recipe.set_defaults(run=_recipe)


def _recipe(given: argparse.Namespace, answer: Answer) -> int:
    from hubseg.recipe import Recipe
    from hubseg.recipe.bundled import weights_for

    recipe = Recipe.load(given.recipe)
    if given.what == "show":
        if given.stains_of is not None:
            recipe = _knowing(recipe, given.stains_of)
        text = recipe.to_yaml()
        answer.say({"recipe": text, "digest": recipe.digest}, [text.rstrip()])
        return 0
    where = weights_for(recipe, tuple(given.weights))
    run = {"check": _check, "info": _info, "onnx": _onnx}[given.what]
    return run(given, answer, recipe, recipe.members(given.folds), where)


def _knowing(recipe: Recipe, path: Path) -> Recipe:
    """Return a recipe that says which stains the slides of a table or folder have.

    Raises
    ------
    ValueError
        When its networks are shown other stains already, or no slide has tissue.
    """
    from hubseg.slide import SlideTable
    from hubseg.training.known_stain import knowing_stains

    known = knowing_stains(recipe, SlideTable.open(path).slides)
    if known is recipe:
        why = (
            "its networks see every slide in the stains that it names already"
            if recipe.aligns
            else f"no slide of {path} shows tissue"
        )
        raise ValueError(f"The stains of recipe {recipe.name!r} stay as they are: {why}.")
    return known


# ---- check --------------------------------------------------------------------------------------


def _check(
    given: argparse.Namespace,
    answer: Answer,
    recipe: Recipe,
    members: Sequence[Member],
    where: Sequence[Path],
) -> int:
    from hubseg.recipe.scores import pretrained_from

    rows = [_checked(recipe, member, where, answer.outcome) for member in members]
    missing = [row["checkpoint"] for row in rows if row["state"] == "missing"]
    origins = [pretrained_from(Path(row["file"])) if row["file"] else {} for row in rows]
    found, good = len(rows) - len(missing), sum(row["state"] == "fits" for row in rows)
    width = shutil.get_terminal_size().columns
    cells = [["" if cell is None else cell for cell in row.values()] for row in rows]
    lines = [line[:width] for line in table(list(rows[0]), cells)]
    lines.append(f"{found} of {len(rows)} found, {good} fit.")
    lines += _said_origins(origins)
    if missing:
        lines.append(_where_looked(where))
    for row, origin in zip(rows, origins, strict=True):
        row["pretrained"] = origin or None
    answer.say({"found": found, "fit": good, "missing": missing, "members": rows}, lines)
    return 0 if good == len(rows) else 3 if good else 1


def _said_origins(origins: Sequence[dict[str, str]]) -> list[str]:
    """Say once for all networks of one origin what pretrained weights they began with."""
    from collections import Counter

    said = Counter(
        f"{one.get('from', '?')}, {one.get('file', '?')} (licence: {one.get('licence', '?')})"
        for one in origins
        if one
    )
    return [
        f"The encoders of {count} began with weights of {what}." for what, count in said.items()
    ]


def _checked(
    recipe: Recipe, member: Member, where: Sequence[Path], outcome: Outcome
) -> dict[str, Any]:
    """Return what there is to say of a member's checkpoint; one that does not fit is left out."""
    from hubseg.recipe import best_score, find_checkpoint

    path = find_checkpoint(member.checkpoint, where)
    wrong, said = ("", ()) if path is None else _looked_at(recipe, member, path)
    for note in said:
        outcome.note(member.checkpoint, note)
    if wrong:
        outcome.left_out[member.checkpoint] = wrong
    return {
        "checkpoint": member.checkpoint,
        "encoder": member.network.label,
        "fold": member.fold,
        "state": "missing" if path is None else "does not fit" if wrong else "fits",
        "best_score": None if path is None else best_score(path),
        "file": None if path is None else str(path),
    }


def _where_looked(where: Sequence[Path]) -> str:
    from hubseg.recipe.checkpoints import ENDINGS

    endings = ", ".join(filter(None, ENDINGS))
    folders = ", ".join(map(str, where)) or "no folder: name one with --weights"
    return f"Looked for them without an ending and with {endings} in {folders}."


def _looked_at(recipe: Recipe, member: Member, path: Path) -> tuple[str, tuple[str, ...]]:
    """Return why a member's file cannot be used, or "", and what there is to say of it."""
    from hubseg.inference import check_member

    try:
        return "", check_member(recipe, member, path)
    except (OSError, ValueError, ModuleNotFoundError) as error:
        return str(error), ()


# ---- onnx ---------------------------------------------------------------------------------------


def _onnx(
    given: argparse.Namespace,
    answer: Answer,
    recipe: Recipe,
    members: Sequence[Member],
    where: Sequence[Path],
) -> int:
    from hubseg.recipe import find_checkpoints
    from hubseg.training.onnx_export import export_onnx

    if given.out is None:
        raise ValueError("The ONNX files have no place: name a folder with --out.")
    files = find_checkpoints(members, where)
    given.out.mkdir(parents=True, exist_ok=True)
    first: dict[str, Member] = {}
    for member in members:
        first.setdefault(member.checkpoint, member)
    rows = []
    for name, member in first.items():
        path = given.out / f"{name}.onnx"
        error = export_onnx(recipe, member, files[name], path)
        rows.append({"file": str(path), "largest_error": error})
    lines = [
        f"{row['file']}: apart from torch by at most {row['largest_error']:.1e}" for row in rows
    ]
    answer.say({"files": rows}, lines)
    return 0


# ---- info ---------------------------------------------------------------------------------------


def _info(
    given: argparse.Namespace,
    answer: Answer,
    recipe: Recipe,
    members: Sequence[Member],
    where: Sequence[Path],
) -> int:
    from hubseg.inference import choose_device
    from hubseg.inference.views import views

    device = choose_device(given.device)
    room, passes = _memory_of(device), len(views(recipe.tta))
    rows = _networks(_distinct(recipe, members), where, room, half=device.type == "cuda")
    total = sum(row["flops"] * row["members"] for row in rows) * passes
    fits = all(row["fits"] for row in rows)
    verdict = "fits" if fits else "does not fit"
    head = ("encoder", "px", "members", "parameters", "tensors", "a view", "file", "memory", "")
    lines = [*table(head, map(_said_row, rows))]
    lines.append(
        f"{sum(row['members'] for row in rows)} members x {passes} views: {total / 1e12:.2f} TFLOP "
        f"a slide, as torch counts them. One view at a time {verdict} on {device} "
        f"({room / 1e9:.1f} GB); memory is an estimate."
    )
    content = {"device": str(device), "device_bytes": room, "fits": fits, "flops": total}
    answer.say({**content, "networks": rows}, lines)
    return 0 if fits else 1


def _networks(
    distinct: Sequence[tuple[NetworkSpec, int, list[Member]]],
    where: Sequence[Path],
    room: int,
    *,
    half: bool,
) -> list[dict[str, Any]]:
    """Return what each network costs at each size; one that several sizes share is built once."""
    from hubseg.network import cost

    known: dict[tuple[str, int], Cost] = {}
    rows = []
    for spec, size, several in distinct:
        key = (spec.model_dump_json(), size)
        told = known[key] = known.get(key) or cost(spec, size)
        needs = told.memory(half=half)
        rows.append(
            {
                "encoder": spec.label,
                "size": size,
                "members": len(several),
                "parameters": told.parameters,
                "tensors": told.tensors,
                "flops": told.flops,
                "file_bytes": _file_bytes(several, where),
                "memory_bytes": needs,
                "fits": needs <= room,
            }
        )
    return rows


def _said_row(row: dict[str, Any]) -> list[str]:
    size = row["file_bytes"]
    return [
        row["encoder"],
        str(row["size"]),
        str(row["members"]),
        f"{row['parameters'] / 1e6:.2f} M",
        str(row["tensors"]),
        f"{row['flops'] / 1e9:.1f} GFLOP",
        "missing" if size is None else f"{size / 1e6:.0f} MB",
        f"{row['memory_bytes'] / 1e9:.2f} GB",
        "fits" if row["fits"] else "does not fit",
    ]


def _distinct(
    recipe: Recipe, members: Sequence[Member]
) -> list[tuple[NetworkSpec, int, list[Member]]]:
    """Group members that are the same network at the same size."""
    groups: dict[tuple[int, int], list[Member]] = {}
    for member in members:
        groups.setdefault((member.resolution, member.entry), []).append(member)
    return [
        (several[0].network, _side(recipe.resolutions[index]), several)
        for (index, _), several in groups.items()
    ]


def _side(resolution: Resolution) -> int:
    """Return the side of what a network sees of a 3000 × 3000 slide, at most one tile."""
    from hubseg.inference import Tiling
    from hubseg.recipe.training_plan import MULTIPLE

    if resolution.size is not None:
        return resolution.size
    seen = _TYPICAL * (resolution.scale or 1.0)
    return min(Tiling().side, -(-round(seen) // MULTIPLE) * MULTIPLE)


def _file_bytes(members: Sequence[Member], where: Sequence[Path]) -> int | None:
    """Return the size of the first of the members' files that is there."""
    from hubseg.recipe import find_checkpoint

    found = (find_checkpoint(member.checkpoint, where) for member in members)
    return next((path.stat().st_size for path in found if path is not None), None)


def _memory_of(device: Any) -> int:
    """Return a device's whole memory, bytes: a GPU's, or the computer's."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1])
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    import psutil  # comes with distributed

    return int(psutil.virtual_memory().total)
