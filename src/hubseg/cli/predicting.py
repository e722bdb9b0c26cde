"""``hubseg predict`` and ``hubseg recipe``: run an ensemble, or say what one needs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, bar, complain, say, table

if TYPE_CHECKING:
    import argparse

    from hubseg.engine import Run
    from hubseg.project import ReviewProject
    from hubseg.recipe import Recipe
    from hubseg.slide import SlideTable

__all__ = ["add_to"]


def folds(text: str) -> tuple[int, ...]:
    """Read ``0,1,4``."""
    return tuple(int(part) for part in text.split(","))


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands to the parser."""
    predict = commands.add_parser("predict", help="run an ensemble on slides and keep its maps")
    predict.add_argument("slides", type=Path, help="folder of images, competition CSV, or image")
    predict.add_argument("--images", type=Path, help="where the CSV's images are")
    _add_ensemble(predict)
    predict.add_argument("--project", type=Path, required=True, help="NAME.hubseg; made if absent")
    predict.add_argument("--device", default="auto", help="auto, cpu, cuda:N; or cuda:0,cuda:1")
    predict.add_argument(
        "--precision",
        default="auto",
        choices=["auto", "float32", "float16", "bfloat16"],
        help="auto: float16 on a GPU, float32 on a CPU",
    )
    predict.add_argument("--scheduler", help="address of a Dask scheduler, tcp://host:port")
    add_json(predict)
    predict.set_defaults(run=_predict)
    recipe = commands.add_parser("recipe", help="show a recipe, or check which files it misses")
    recipe.add_argument("what", choices=["show", "check"])
    _add_ensemble(recipe)
    add_json(recipe)
    recipe.set_defaults(run=_recipe)


def _add_ensemble(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", default="demo", help="YAML file or built-in name (demo)")
    parser.add_argument(
        "--weights", type=Path, nargs="+", default=[], help="folders that hold the checkpoints"
    )
    parser.add_argument("--folds", type=folds, help="such as 0,1; default: all")


def open_or_create(path: Path, slides: SlideTable) -> ReviewProject:
    """Open a project and add the slides, or make it of them.

    Raises
    ------
    OSError
        When another program writes in it.
    """
    from hubseg.project import ReviewProject

    if not ReviewProject.exists(path):
        return ReviewProject.create(path, slides)
    project = ReviewProject.open(path)
    if project.read_only:
        project.close()
        raise PermissionError(project.why_read_only)
    project.add(slides)
    return project


def _predict(given: argparse.Namespace) -> int:
    from hubseg.bundled import weights_for
    from hubseg.engine import Engine
    from hubseg.recipe import Recipe
    from hubseg.slide import SlideTable

    recipe = Recipe.load(given.recipe)
    slides = SlideTable.open(given.slides, images=given.images)
    with open_or_create(given.project, slides) as project:
        engine = Engine(
            project.maps,
            device=given.device,
            scheduler=given.scheduler,
            precision=given.precision,
        )
        try:
            chosen = {slide.id for slide in slides.slides}
            run = engine.run(
                [slide for slide in project.slides() if slide.id in chosen],
                recipe,
                weights_for(recipe, tuple(given.weights)),
                given.folds,
                watched=lambda slide_id: False,
            )
            adopt_thresholds(project, recipe)
            failed = _follow(run, project)
        finally:
            engine.unload()
    failed = {**slides.missing, **failed}
    done = len(slides.slides) + len(slides.missing) - len(failed)
    computed = f"{run.computed} members computed, the rest from the store"
    say(
        given,
        {"project": str(given.project), "slides": done, "failed": failed, "computed": run.computed},
        [f"{done} slides predicted into {given.project} ({computed})."],
    )
    complain("hubseg predict", failed)
    return (3 if done else 1) if failed else 0


def adopt_thresholds(project: ReviewProject, recipe: Recipe) -> None:
    """Put the recipe's thresholds and cleanups below a person's own, as the window does."""
    from hubseg.journal import Kind, standing
    from hubseg.replay import default_cleanups_payload, defaults_payload, state_from

    state = state_from(standing(project.entries(pixels=False)))
    if state.default_cleanups != recipe.cleanup:
        payload = default_cleanups_payload(state.default_cleanups, recipe.cleanup)
        project.append(Kind.CLEANUP, payload, label="default cleanup")
    if state.defaults != recipe.thresholds:
        payload = defaults_payload(state.defaults, recipe.thresholds)
        project.append(Kind.THRESHOLD, payload, label="default thresholds")


def _follow(run: Run, project: ReviewProject) -> dict[str, str]:
    from hubseg.maps import record

    failed: dict[str, str] = {}
    done: dict[str, int] = {}
    with bar(len(run.slides) * len(run.members), "member") as shown:
        for update in run:
            if update.warning:
                complain("hubseg predict", {"warning": update.warning})
            shown.set_description(f"{update.slide_id}: {update.message}", refresh=False)
            shown.update(update.done - done.get(update.slide_id, 0))
            done[update.slide_id] = update.done
            if update.error:
                failed[update.slide_id] = update.error
            if update.finished and update.keys:
                record(
                    project,
                    run.id,
                    update.slide_id,
                    run.recipe,
                    update.keys,
                    slide_digest=update.slide_digest,
                )
    return failed


def _recipe(given: argparse.Namespace) -> int:
    from hubseg.bundled import weights_for
    from hubseg.recipe import Recipe, find_checkpoint

    recipe = Recipe.load(given.recipe)
    if given.what == "show":
        text = recipe.to_yaml()
        say(given, {"recipe": text, "digest": recipe.digest}, [text.rstrip()])
        return 0
    where = weights_for(recipe, tuple(given.weights))
    rows = [
        (m.checkpoint, m.network.encoder, m.fold, find_checkpoint(m.checkpoint, where))
        for m in recipe.members(given.folds)
    ]
    missing = [name for name, _, _, path in rows if path is None]
    content = {"found": len(rows) - len(missing), "missing": missing}
    said = [(n, e, f, "missing" if p is None else str(p)) for n, e, f, p in rows]
    width = shutil.get_terminal_size().columns
    lines = [line[:width] for line in table(("checkpoint", "encoder", "fold", "file"), said)]
    say(given, content, [*lines, f"{len(rows) - len(missing)} of {len(rows)} found."])
    return 3 if missing and len(missing) < len(rows) else int(bool(missing))
