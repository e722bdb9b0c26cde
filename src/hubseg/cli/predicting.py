"""``hubseg predict``: run an ensemble on slides and keep its maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, bar, complain, say

if TYPE_CHECKING:
    import argparse

    from hubseg.engine import Run
    from hubseg.project import Added, ReviewProject
    from hubseg.recipe import Recipe
    from hubseg.slide import Slide, SlideTable

__all__ = ["add_to"]


def folds(text: str) -> tuple[int, ...]:
    """Read ``0,1,4``."""
    return tuple(int(part) for part in text.split(","))


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands to the parser."""
    predict = commands.add_parser("predict", help="run an ensemble on slides and keep its maps")
    predict.add_argument("slides", type=Path, help="folder of images, competition CSV, or image")
    predict.add_argument("--images", type=Path, help="where the CSV's images are")
    add_ensemble(predict)
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
    predict.add_argument("--scheduler", help="address of a Dask scheduler, tcp://host:port")
    add_json(predict)
    predict.set_defaults(run=_predict)


def add_ensemble(parser: argparse.ArgumentParser) -> None:
    """Give a command its recipe, weight folders and folds."""
    parser.add_argument("--recipe", default="demo", help="YAML file or built-in name (demo)")
    parser.add_argument(
        "--weights", type=Path, nargs="+", default=[], help="folders that hold the checkpoints"
    )
    parser.add_argument("--folds", type=folds, help="such as 0,1; default: all")


def open_or_create(path: Path, slides: SlideTable) -> tuple[ReviewProject, Added]:
    """Open a project and add the slides, or make it of them.

    Returns
    -------
    ReviewProject
        The project.
    Added
        What each slide is called there.

    Raises
    ------
    OSError
        When another program writes in it.
    """
    from hubseg.project import Added, ReviewProject

    if not ReviewProject.exists(path):
        return ReviewProject.create(path, slides), Added.as_named(slides)
    project = ReviewProject.open(path)
    try:
        if project.read_only:
            raise PermissionError(project.why_read_only)
        return project, project.add(slides)
    except BaseException:
        project.close()
        raise


def _predict(given: argparse.Namespace) -> int:
    from hubseg.bundled import weights_for
    from hubseg.engine import Engine
    from hubseg.recipe import Recipe
    from hubseg.slide import SlideTable

    recipe = Recipe.load(given.recipe)
    slides = SlideTable.open(given.slides, images=given.images)
    project, added = open_or_create(given.project, slides)
    with project:
        engine = Engine(
            project.maps,
            device=given.device,
            scheduler=given.scheduler,
            precision=given.precision,
            compiled=given.compiled,
        )
        try:
            present, failed = _as_they_are(project, added)
            run = engine.run(
                present,
                recipe,
                weights_for(recipe, tuple(given.weights)),
                given.folds,
                watched=lambda slide_id: False,
            )
            adopt_thresholds(project, recipe)
            failed.update(_follow(run, project))
        finally:
            engine.unload()
    failed = {**slides.missing, **failed}
    done = len(slides.slides) + len(slides.missing) - len(failed)
    computed = f"{run.computed} members computed, the rest from the store"
    say(
        given,
        {
            "project": str(given.project),
            "slides": done,
            "failed": failed,
            "computed": run.computed,
            "ids": dict(added.ids),
            "notes": dict(added.notes),
        },
        [f"{done} slides predicted into {given.project} ({computed})."],
    )
    for note in added.summary:
        complain("hubseg predict", {"note": note})
    complain("hubseg predict", failed)
    return (3 if done else 1) if failed else 0


def _as_they_are(project: ReviewProject, added: Added) -> tuple[list[Slide], dict[str, str]]:
    """Return the slides that were added with their files as they are now, and why others are not.

    A file that was written over is run as it is: its map belongs to its content.
    """
    present, failed = [], {}
    chosen = set(added.ids.values())
    for slide in project.slides():
        if slide.id in chosen:
            try:
                present.append(project.check_file(slide)[0])
            except (ValueError, OSError) as error:
                failed[slide.id] = str(error)
    return present, failed


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
                    asked=update.asked,
                )
    return failed
