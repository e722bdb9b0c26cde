"""``hubseg predict``: run an ensemble on slides and keep its maps."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, bar
from hubseg.cli.naming import add_facts, take_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hubseg.cli._said import Answer
    from hubseg.engine import Run
    from hubseg.outcome import Outcome
    from hubseg.project import Added, ReviewProject
    from hubseg.recipe import Recipe
    from hubseg.slide import Slide, SlideTable

__all__ = ["add_to"]


def folds(text: str) -> tuple[int, ...]:
    """Read ``0,1,4``; one that is named twice counts once.

    Raises
    ------
    argparse.ArgumentTypeError
        When it is no list of whole numbers.
    """
    try:
        return tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} names no folds: write whole numbers with commas between, such as 0,1."
        ) from None


def window(text: str) -> tuple[int, int, int, int]:
    """Read ``0,2000,10000,10000``: top, left, height and width in px of the slide.

    Raises
    ------
    argparse.ArgumentTypeError
        When it is none.
    """
    try:
        top, left, height, width = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no window: write top, left, height and width in px of the slide with "
            "commas between, such as 0,2000,10000,10000."
        ) from None
    return top, left, height, width


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands to the parser."""
    predict = commands.add_parser("predict", help="run an ensemble on slides and keep its maps")
    predict.add_argument(
        "slides", type=Path, nargs="+", help="folders of images, competition CSVs, or images"
    )
    predict.add_argument("--images", type=Path, help="where the CSV's images are")
    add_ensemble(predict)
    _add_parts(predict)
    predict.add_argument("--project", type=Path, required=True, help="NAME.hubseg; made if absent")
    predict.add_argument("--device", default="auto", help="auto, cpu, cuda:N; or cuda:0,cuda:1")
    predict.add_argument(
        "--precision",
        default="auto",
        choices=["auto", "float32", "float16", "bfloat16"],
        help="auto: float16 on a GPU, float32 on a CPU",
    )
    predict.add_argument(
        "--compile",
        action="store_true",
        dest="compiled",
        help="hand networks to torch.compile: minutes at first, faster over many slides",
    )
    predict.add_argument(
        "--cpu-engine",
        default="auto",
        choices=["auto", "torch", "openvino"],
        help="on a CPU; auto: OpenVINO where it is installed and faster, else torch",
    )
    add_facts(predict)
    predict.add_argument("--scheduler", help="address of a Dask scheduler, tcp://host:port")
    add_json(predict)
    predict.set_defaults(run=_predict)


def _add_parts(predict: argparse.ArgumentParser) -> None:
    """Give the command what says which parts of a slide are run."""
    predict.add_argument(
        "--window",
        type=window,
        metavar="TOP,LEFT,HEIGHT,WIDTH",
        help="of one very large slide, the part to run, in its px; default: the whole",
    )
    predict.add_argument(
        "--fast",
        action="store_true",
        help="one member everywhere, the others where its map leaves the mask in doubt",
    )


def add_ensemble(parser: argparse.ArgumentParser) -> None:
    """Give a command its recipe, weight folders and folds."""
    parser.add_argument("--recipe", default="demo", help="YAML file or built-in name (demo)")
    parser.add_argument(
        "--weights", type=Path, nargs="+", default=[], help="folders that hold the checkpoints"
    )
    parser.add_argument("--folds", type=folds, help="such as 0,1; default: all")


def open_or_create(path: Path, tables: Sequence[SlideTable]) -> tuple[ReviewProject, list[Added]]:
    """Open a project and add the tables' slides, or make it of them.

    Returns
    -------
    ReviewProject
        The project.
    list of Added
        What each table's slides are called there.

    Raises
    ------
    OSError
        When another program writes in it.
    """
    from hubseg.project import Added, ReviewProject

    added: list[Added] = []
    if ReviewProject.exists(path):
        project = ReviewProject.open(path)
    else:
        project = ReviewProject.create(path, tables[0])
        added.append(Added.as_named(tables[0]))
    try:
        if project.read_only:
            raise PermissionError(project.why_read_only)
        added.extend(project.add(table) for table in tables[len(added) :])
    except BaseException:
        project.close()
        raise
    return project, added


def _predict(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.engine import Engine
    from hubseg.recipe import Recipe
    from hubseg.recipe.bundled import weights_for

    recipe = Recipe.load(given.recipe)
    tables = _tables(given, answer.outcome)
    project, added = open_or_create(given.project, tables)
    _tell_added(answer, tables, added)
    with project:
        options = ("device", "scheduler", "precision", "compiled", "cpu_engine", "verbose")
        engine = Engine(project.maps, **{name: getattr(given, name) for name in options})
        try:
            _adopt(project, recipe, words=True)
            take_names(given, project, _named(added), answer)
            run = engine.run(
                _as_they_are(project, added, answer.outcome, recipe),
                recipe,
                weights_for(recipe, tuple(given.weights)),
                given.folds,
                window=given.window,
                fast=given.fast,
            )
            seen = _follow(run, project, answer, recipe)
        finally:
            engine.unload()
    _tell_run(given, answer, run, seen, added)


def _tell_run(
    given: argparse.Namespace,
    answer: Answer,
    run: Run,
    seen: Mapping[str, float],
    added: Sequence[Added],
) -> None:
    """Say what was computed; of a fast run also how much of the slides every member saw."""
    done = len(answer.outcome.done)
    computed = f"{run.computed} members computed, the rest from the store"
    if run.tiles_computed:
        computed = f"{run.tiles_computed} tiles computed; {computed}"
    if given.fast and seen:
        share = sum(seen.values()) / len(seen)
        computed = f"{computed}; every member saw {100 * share:.0f} % of the slides, one saw all"
    answer.say(
        {
            "project": str(given.project),
            "slides": done,
            "computed": run.computed,
            "tiles": run.tiles_computed,
            **({"seen_by_all": seen} if given.fast else {}),
            "ids": {name: slide_id for one in added for name, slide_id in one.ids.items()},
        },
        [f"{done} slides predicted into {given.project} ({computed})."],
    )


def _tables(given: argparse.Namespace, outcome: Outcome) -> list[SlideTable]:
    """Open what was named; one of several that cannot be opened is left out.

    Raises
    ------
    ValueError, OSError
        When none can be opened, or no slide of them.
    """
    from hubseg.slide import SlideTable

    if len(given.slides) == 1:
        tables = [SlideTable.open(given.slides[0], images=given.images)]
    else:
        tables = []
        for path in given.slides:
            with outcome.attempt(str(path), last=False):
                tables.append(SlideTable.open(path, images=given.images))
    for table in tables:
        outcome.left_out.update(table.missing)
    if not any(table.slides for table in tables):
        why = next(iter(outcome.left_out.values()), "there is none.")
        raise ValueError(f"No slide can be opened: {why}")
    return tables


def _tell_added(answer: Answer, tables: Sequence[SlideTable], added: Sequence[Added]) -> None:
    """Tell what tables note, under the names that the project has for their slides."""
    for table, one in zip(tables, added, strict=True):
        named = ((one.ids.get(name, name), note) for name, note in table.notes.items())
        answer.outcome.take_notes(named)
        answer.summarise(one.notes, one.summary)
    answer.tell()


def _as_they_are(
    project: ReviewProject, added: Sequence[Added], outcome: Outcome, recipe: Recipe
) -> list[Slide]:
    """Return the slides that were added, each once, with their files as they are now.

    A file that was written over is run as it is: its map belongs to its content. What a person
    told of them decides which networks are for them, and, where glass is left out, what is glass.
    """
    from hubseg.journal.slide_state import SlideState
    from hubseg.project.tissue import with_tissue

    present: list[Slide] = []
    for slide in outcome.slides_of(project, sorted(_named(added))):
        with outcome.attempt(slide.id, last=False):
            here, _ = project.check_file(slide)
            told = here.told(**SlideState.read(project, slide.id).facts)
            present += with_tissue(project, [told]) if recipe.tissue_only else [told]
    return present


def _named(added: Sequence[Added]) -> set[str]:
    """Return the ids of the slides that the command names."""
    return {slide_id for one in added for slide_id in one.ids.values()}


def _adopt(project: ReviewProject, recipe: Recipe, *, words: bool) -> None:
    """Put the recipe's words, or its thresholds and cleanups, below a person's own."""
    from hubseg.journal.rows import Kind
    from hubseg.journal.slide_state import SlideState

    state = SlideState.read(project, "").rules
    rows = state.adopting(recipe.thresholds, recipe.cleanup, recipe.vocabulary)
    for kind, payload, label in rows:
        if (kind is Kind.VOCABULARY) is words:
            project.append(kind, payload, label=label)


def _follow(run: Run, project: ReviewProject, answer: Answer, recipe: Recipe) -> dict[str, float]:
    """Record each member as it comes; with the first come the recipe's own rules.

    Returns
    -------
    dict
        By the id of each slide that is not in tiles, the share that every member saw, 0-1.
    """
    from hubseg.project.runs import record_update

    outcome = answer.outcome
    done: dict[str, int] = {}
    seen: dict[str, float] = {}
    with bar(run.total, "member") as shown:
        for update in run:
            if update.done and not done:
                _adopt(project, recipe, words=False)
            if update.warning:
                outcome.note("warning", update.warning)
            if update.note:
                outcome.note("note", update.note)
            if update.came is not None:
                share = update.came[1].share_seen
                seen[update.slide_id] = min(share, seen.get(update.slide_id, 1.0))
            tiles = "" if update.tiles is None else "{} of {} tiles".format(*update.tiles)
            told = ", ".join(filter(None, (update.message, tiles)))
            shown.set_description(f"{update.slide_id}: {told}", refresh=False)
            shown.update(update.done - done.get(update.slide_id, 0))
            if update.done:
                done[update.slide_id] = update.done
            if update.error:
                outcome.leave_out(update.slide_id, update.error)
            if update.finished:
                with outcome.attempt(update.slide_id, last=not update.error):
                    record_update(project, update)
            else:
                with suppress(OSError):  # said with the last one, should it still be so
                    record_update(project, update)
    return seen
