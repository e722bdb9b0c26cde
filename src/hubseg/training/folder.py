"""What a training begins with: its folder, who sees what, and where each network starts from.

Responsible for reading what an earlier training left, of this one or of the networks to start
from, and for one training at a time in a folder. Does not train.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.probability import file_digest
from hubseg.project.lock import WriteLock
from hubseg.recipe import find_checkpoints
from hubseg.slide.fold_table import read_folds, write_folds
from hubseg.slide.folds import assign_folds, continue_folds
from hubseg.slide.overlap import find_overlaps
from hubseg.training.label import nobody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hubseg.recipe import Member, Recipe
    from hubseg.recipe.training_plan import TrainingPlan
    from hubseg.slide.folds import Folds
    from hubseg.training.label import Label, Watch

__all__ = [
    "assigned_to",
    "begun_in",
    "is_begun",
    "knows_its_past",
    "knows_the_tissue",
    "note_origins",
    "note_starts",
    "only_one",
    "plan_of",
    "start_of",
    "started_from",
    "state_of",
    "weights_of",
]

TABLE = "folds.csv"
_LOCK = "training.lock"
_START = "start.json"


@contextmanager
def only_one(out: Path) -> Iterator[None]:
    """Be the only training that writes into a folder, which is made.

    Raises
    ------
    OSError
        When another one does, or the folder cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    lock = WriteLock(out / _LOCK)
    if not lock.acquire("a training"):
        raise BlockingIOError(
            f"{out} is written by {lock.holder()}: wait until it has saved its state, or train "
            "into another folder."
        )
    try:
        yield
    finally:
        lock.release()


def knows_the_tissue(out: Path, start: Path | None, *, resume: bool) -> bool:
    """Tell whether networks start from others, and learn as those do that know the tissue.

    A training that goes on keeps to what it was begun with; one that an older version began learns
    by the recipe's plan whatever it started from.
    """
    note = _noted(out) if resume else {}
    return bool(note.get("steps")) if note.get("from") else start is not None


def plan_of(out: Path, recipe: Recipe, start: Path | None, *, resume: bool) -> TrainingPlan:
    """Return how networks learn: by the recipe's plan, or as those that know the tissue already."""
    few = knows_the_tissue(out, start, resume=resume)
    return recipe.training.from_checkpoints() if few else recipe.training


def start_of(out: Path, start: Path | None, few: int | None, *, resume: bool) -> Path | None:
    """Return what a training starts from: what is given, or what it was begun with before.

    Networks that a stopped training had not begun yet start as the others did.

    Parameters
    ----------
    few
        Steps of networks that start from others; None where they learn by the recipe's plan.
    """
    note = _noted(out) if resume else {}
    if start is None and note.get("from"):
        return Path(note["from"])
    begun = {} if few is None else {"steps": few}
    _note(out, {**note, **begun, "from": "" if start is None else str(start.resolve())})
    return start


def knows_its_past(start: Path | None) -> bool:
    """Tell whether it is known which slides a training's start has seen: none, or by a table."""
    return start is None or _table_of(start) is not None


def note_starts(out: Path, starts: Mapping[str, Path]) -> dict[str, str]:
    """Note the digest of what networks start from; return those of all networks begun so far."""
    note = _noted(out)
    digests = {**note.get("digests", {}), **{n: file_digest(path) for n, path in starts.items()}}
    _note(out, {**note, "digests": digests})
    return digests


def note_origins(
    out: Path, origins: Mapping[str, Mapping[str, str]]
) -> dict[str, Mapping[str, str]]:
    """Note where networks' first weights come from; return those of all networks begun so far."""
    note = _noted(out)
    every = {**note.get("pretrained", {}), **origins}
    if every:
        _note(out, {**note, "pretrained": every})
    return every


def _noted(out: Path) -> dict[str, Any]:
    try:
        note = json.loads((out / _START).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _note(out: Path, note: dict[str, Any]) -> None:
    (out / _START).write_text(json.dumps(note, indent=1) + "\n", "utf-8")


def weights_of(out: Path, member: Member) -> Path:
    """Return the file of a member's weights."""
    return out / "weights" / f"{member.checkpoint}.safetensors"


def state_of(out: Path, member: Member) -> Path:
    """Return the file of the state that a member's training goes on from."""
    return out / "states" / f"{member.checkpoint}.state"


def is_begun(out: Path, member: Member, *, resume: bool) -> bool:
    """Tell whether a member is trained, or goes on from a state."""
    return weights_of(out, member).is_file() or (resume and state_of(out, member).is_file())


def begun_in(out: Path) -> Path | None:
    """Return a checkpoint or a state that a training left in a folder."""
    left = (*out.glob("weights/*.safetensors"), *out.glob("states/*.state"))
    return min(left, default=None)


def started_from(start: Path | None, members: Sequence[Member]) -> dict[str, Path]:
    """Return the checkpoint each network starts from, by the name of its own; none by default.

    Parameters
    ----------
    start
        One checkpoint for all, or a folder that holds one for each under its own name.

    Raises
    ------
    FileNotFoundError
        When there is none.
    """
    if start is None:
        return {}
    if start.is_dir():
        return find_checkpoints(members, [start])
    if not start.is_file():
        raise FileNotFoundError(
            f"There is no checkpoint {start} to start from: name a file, or a folder with one for "
            "each of the recipe's networks."
        )
    return {member.checkpoint: start for member in members}


def assigned_to(
    out: Path,
    own: Sequence[Label],
    others: Sequence[Label],
    recipe: Recipe,
    *,
    start: Path | None,
    resume: bool,
    hold_out: int,
    watch: Watch = nobody,
) -> Folds:
    """Decide who sees what in a training into `out`, or read what was decided before.

    A training that goes on keeps to the slides it was begun with; those labelled since are left
    out. Networks that start from checkpoints of their own keep the folds of the ``folds.csv`` in or
    above their folder, so that none is judged by what it has seen.

    Raises
    ------
    ValueError
        When the slides are not those of the training to go on with, or cannot be assigned.
    """
    if resume and (before := _begun_with(out, own)) is not None:
        return before
    slides = [label.slide for label in own]
    known = {slide.id for slide in slides}
    more = {label.slide.id: label.slide for label in others if label.slide.id not in known}
    overlaps = [(o.first, o.second) for o in find_overlaps([*slides, *more.values()], watch)]
    alike: dict[str, Any] = {
        "donors": {label.slide.id: label.donor for label in own},
        "overlaps": overlaps,
        "occurring": _occurring(own),
    }
    count = len(recipe.folds)
    table = _table_of(start)
    if table is None:
        seed = recipe.training.seed
        folds = assign_folds(slides, count, seed=seed, hold_out=hold_out, **alike)
    elif hold_out:
        raise ValueError(
            f"{table} says already which slides no network has seen: leave --hold-out away."
        )
    else:
        folds = continue_folds(read_folds(table), slides, count, **alike)
    write_folds(out / TABLE, folds)
    return folds


def _occurring(own: Sequence[Label]) -> dict[str, list[str]] | None:
    """Return which structures are marked in each slide; None where labels are of one."""
    if not any(label.others for label in own):
        return None
    return {label.slide.id: list(map(str, label.marked)) for label in own}


def _begun_with(out: Path, own: Sequence[Label]) -> Folds | None:
    """Return who sees what in a training that goes on; None where nothing was trained yet.

    Raises
    ------
    ValueError
        When slides that it was trained on are missing.
    """
    path = out / TABLE
    if not path.is_file():
        return None
    before = read_folds(path)
    missing = sorted(before.known - {label.slide.id for label in own})
    if not missing:
        return before
    if begun_in(out):
        raise ValueError(
            f"{out} was trained on {len(before.known)} slides, and {len(missing)} of them are "
            f"not among these ({', '.join(missing[:3])}): give them too to go on, or train "
            "into another folder."
        )
    return None


def _table_of(start: Path | None) -> Path | None:
    """Return the table of the folds that checkpoints in a folder were trained on."""
    if start is None or not start.is_dir():
        return None
    places = (start / TABLE, start.resolve().parent / TABLE)
    return next((place for place in places if place.is_file()), None)
