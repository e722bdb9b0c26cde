"""``hubseg teach``: corrections teach the networks of a project, and leave as checkpoints.

Responsible for the command and what it says. Does not know how a head is fitted.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, add_structure, bar

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from hubseg.cli._said import Answer
    from hubseg.probability import Taught, TaughtScope
    from hubseg.project import ReviewProject
    from hubseg.project.teaching import Teaching
    from hubseg.recipe import Recipe

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    teach = commands.add_parser(
        "teach", help="let corrections teach the networks: every slide alike follows"
    )
    teach.add_argument("project", type=Path, help="NAME.hubseg")
    teach.add_argument("--organ", help="only slides of it; default: all that have corrections")
    teach.add_argument("--source", help="only slides of it; default likewise")
    add_structure(teach)
    teach.add_argument(
        "--weights", type=Path, nargs="+", default=[], help="folders that hold the checkpoints"
    )
    teach.add_argument("--weight", type=float, help="how much of it counts, over 0 to 1 (1)")
    teach.add_argument("--off", action="store_true", help="switch it off: maps are as they were")
    teach.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help="also write each network's checkpoint with its taught head, for hubseg predict",
    )
    teach.add_argument(
        "--kept",
        action="store_true",
        help="with --export: as the project has it; teach nothing, also while it is open elsewhere",
    )
    teach.add_argument("--device", default="auto", help="auto, cpu, cuda:N")
    teach.add_argument("--scheduler", help="address of a Dask scheduler, tcp://host:port")
    add_json(teach)
    teach.set_defaults(run=_teach)


def _teach(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.project import ReviewProject

    if given.kept and given.export is None:
        raise ValueError(
            "--kept writes checkpoints and nothing else: name a folder (--export DIR)."
        )
    told, lines = [], []
    opened = ReviewProject.for_reading if given.kept else ReviewProject.open
    with opened(given.project) as project:
        if project.read_only and not given.kept:
            raise PermissionError(project.why_read_only)
        for scope, recipe in _scopes(given, project).items():
            if given.kept:
                facts = _kept(given, project, scope, recipe)
            elif given.off:
                facts = _off(project, scope)
            else:
                facts = _taught(given, answer, project, scope, recipe)
            told.append(facts)
            lines += facts.pop("lines")
    answer.say({"project": str(given.project), "taught": told}, lines)


def _scopes(given: argparse.Namespace, project: ReviewProject) -> dict[TaughtScope, Recipe]:
    """Return what the command is about.

    Raises
    ------
    ValueError
        When a name is not known, or no slide of it was worked on.
    """
    from hubseg.cli.naming import told_facts
    from hubseg.journal.slide_state import SlideState
    from hubseg.project.structures import named
    from hubseg.project.taught_slides import scopes_with_corrections
    from hubseg.project.words import vocabulary_of

    wanted = told_facts(given, vocabulary_of(project))
    structure = named(SlideState.read(project, ""), given.structure)
    found = {
        scope: recipe
        for scope, recipe in scopes_with_corrections(project, structure).items()
        if all(getattr(scope, kind) == word for kind, word in wanted.items())
    }
    if given.kept:
        found = {scope: one for scope, one in found.items() if _held(project, scope).heads}
    if given.kept and not found:
        raise ValueError(f"Nothing of this kind is taught in {given.project} yet: teach first.")
    if given.export is not None and len(found) > 1:
        raise ValueError(
            f"{len(found)} kinds of slides would be written into one folder "
            f"({', '.join(map(_name, found))}): name one with --organ and --source."
        )
    if not found:
        raise ValueError(
            f"{given.project} has no slide of this kind with a map and corrections: run the "
            "ensemble, correct or accept some slides, and teach then."
        )
    return found


def _off(project: ReviewProject, scope: TaughtScope) -> dict[str, Any]:
    before = _held(project, scope)
    _keep(project, scope, before, before.switched(False), "teaching off")
    return {**scope.to_facts(), "on": False, "lines": [f"{_name(scope)}: off."]}


def _kept(
    given: argparse.Namespace, project: ReviewProject, scope: TaughtScope, recipe: Recipe
) -> dict[str, Any]:
    """Write the checkpoints of what the project's journal has."""
    from hubseg.project.teaching import Teacher

    held = _held(project, scope)
    written = _export(given, scope, recipe, Teacher().teach(project, scope), held)
    lines = [f"Written: {path}" for path in written]
    return {**scope.to_facts(), "weight": held.weight, "exported": written, "lines": lines}


def _taught(
    given: argparse.Namespace,
    answer: Answer,
    project: ReviewProject,
    scope: TaughtScope,
    recipe: Recipe,
) -> dict[str, Any]:
    """Compute what is missing, fit the heads, write the row and the checkpoints."""
    from hubseg.project.taught_slides import without_features
    from hubseg.project.teaching import Teacher

    missing = without_features(project, scope)
    if missing:
        for slide_id, error in _compute(given, project, recipe, missing):
            answer.outcome.note(slide_id, error)
    made = Teacher().teach(project, scope)
    for slide_id, why in made.left_out.items():
        answer.outcome.note(slide_id, why)
    before = _held(project, scope)
    taught = made.taught
    if not taught.heads:
        raise ValueError(
            f"{_name(scope)}: nothing could be taught, since no corrected slide has features: "
            + next(iter(answer.outcome.notes.values()), "run the ensemble again.")
        )
    weight = before.weight if given.weight is None else given.weight
    taught = taught.weighed(weight)
    _keep(project, scope, before, taught, f"taught by {len(made.used)} slides")
    answer.outcome.done.extend(made.used)
    written = _export(given, scope, recipe, made, taught)
    count = sum(len(own) for _, own in missing)
    return {
        **scope.to_facts(),
        "on": True,
        "weight": taught.weight,
        "slides": list(made.used),
        "departure": taught.departure,
        "computed": count,
        "exported": written,
        "lines": _lines(scope, made, taught, count, written),
    }


def _lines(
    scope: TaughtScope, made: Teaching, taught: Taught, count: int, written: list[str]
) -> list[str]:
    slides = f"{len(made.used)} slide{'s' if len(made.used) != 1 else ''}"
    lines = [
        f"{_name(scope)}: {len(taught.heads)} networks taught by {slides} "
        f"({', '.join(made.used)}), weight {taught.weight:g}.",
        f"On average the probability moves by {taught.departure:.3f} of 1 on these slides.",
    ]
    if count:
        lines.append(f"{count} feature maps were not in the store and were computed.")
    if made.note:
        lines.append(made.note)
    return [*lines, *(f"Written: {path}" for path in written)]


def _compute(
    given: argparse.Namespace, project: ReviewProject, recipe: Recipe, missing: list[Any]
) -> Iterator[tuple[str, str]]:
    """Compute features; yield the slides of which some could not be, and why."""
    from hubseg.engine import Engine, FeatureRun
    from hubseg.recipe.bundled import weights_for

    options = ("device", "scheduler", "verbose")
    engine = Engine(project.maps, **{name: getattr(given, name) for name in options})
    try:
        run = FeatureRun(engine, missing, recipe, weights_for(recipe, tuple(given.weights)))
        with bar(sum(len(own) for _, own in missing), "member") as shown:
            for update in run:
                shown.update(1)
                if update.error:
                    yield update.slide_id, update.error
    finally:
        engine.unload()


def _export(
    given: argparse.Namespace,
    scope: TaughtScope,
    recipe: Recipe,
    made: Teaching,
    taught: Taught,
) -> list[str]:
    if given.export is None:
        return []
    from hubseg.recipe import find_checkpoints
    from hubseg.recipe.bundled import weights_for
    from hubseg.training.taught import write_taught

    given.export.mkdir(parents=True, exist_ok=True)
    members = [member for member in recipe.members() if member.place in taught.heads]
    files = find_checkpoints(members, weights_for(recipe, tuple(given.weights)))
    about: dict[str, Any] = {"layers": made.layers, "slides": made.used}
    written = [
        str(write_taught(m, files[m.checkpoint], given.export, taught, scope, **about))
        for m in members
    ]
    if any(head.stain for head in taught.heads.values()):
        recipe = recipe.aligned()
    path = given.export / "recipe.yaml"
    path.write_text(recipe.to_yaml(), "utf-8")
    return [*written, str(path)]


def _held(project: ReviewProject, scope: TaughtScope) -> Taught:
    from hubseg.journal.slide_state import SlideState
    from hubseg.probability import Taught

    return SlideState.read(project, "").taught.get(scope, Taught(on=False))


def _keep(
    project: ReviewProject, scope: TaughtScope, before: Taught, after: Taught, label: str
) -> None:
    from hubseg.journal.review_state import taught_payload
    from hubseg.journal.rows import Kind

    if after != before:
        project.append(Kind.TAUGHT, taught_payload(scope, before, after), label=label)


def _name(scope: TaughtScope) -> str:
    parts = scope.organ or "organ not known", scope.source or "source not known", scope.structure
    return "/".join(part for part in parts if part)
