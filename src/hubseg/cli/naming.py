"""``hubseg vocabulary`` and ``--new-names``: organs, sources and structures by their names.

Responsible for how a command takes names that nobody knows: listed once, each with the known word
it may be meant for, and new words when the person says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterable

    from hubseg.cli._said import Answer
    from hubseg.organ import Vocabulary
    from hubseg.organ.vocabulary import Kind
    from hubseg.outcome import Outcome
    from hubseg.project import ReviewProject
    from hubseg.slide import UnknownName

__all__ = [
    *("add_facts", "add_new_names", "add_to", "note_unknown", "take_names", "told_facts"),
    "with_told",
]

CURE = "say --new-names to take it as a new word"


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    words = commands.add_parser(
        "vocabulary", help="show or set the organs, sources and structures of a project"
    )
    words.add_argument("project", type=Path, help="NAME.hubseg")
    words.add_argument(
        "--set", type=Path, metavar="FILE", help="YAML table as this command prints it"
    )
    add_json(words)
    words.set_defaults(run=_vocabulary)


def add_new_names(parser: argparse.ArgumentParser) -> None:
    """Give a command its ``--new-names``."""
    parser.add_argument(
        "--new-names",
        action="store_true",
        help="take organs and sources that nobody knows as new words",
    )


def add_facts(parser: argparse.ArgumentParser) -> None:
    """Give a command the facts that slides without a table are told."""
    parser.add_argument("--organ", help="of the slides whose organ is not known")
    parser.add_argument("--source", help="of the slides whose source is not known")
    add_new_names(parser)


def take_names(
    given: argparse.Namespace, project: ReviewProject, chosen: Collection[str], answer: Answer
) -> None:
    """Know the names of a command and of its tables, and tell slides what was said of them.

    Parameters
    ----------
    chosen
        Ids of the slides that the command names.

    Raises
    ------
    ValueError
        When an organ or source of the command is not known and shall not be a new word.
    """
    from hubseg.journal.rows import Kind as Row
    from hubseg.project.words import take_vocabulary, vocabulary_of
    from hubseg.slide import take_new, unknown_names

    words = vocabulary_of(project)
    slides = [slide for slide in project.slides() if slide.id in chosen]
    if given.new_names:
        words = with_told(given, take_new(slides, words))
        take_vocabulary(project, words, "new names")
        slides = [slide for slide in project.slides() if slide.id in chosen]
    found = told_facts(given, words)
    for slide in slides:
        facts = {kind: word for kind, word in found.items() if getattr(slide, kind) is None}
        if facts:
            project.record_file(slide)
            change = {"before": dict.fromkeys(facts), "after": facts}
            label = ", ".join(f"{kind} {word}" for kind, word in facts.items())
            project.append(Row.FACTS, change, slide_id=slide.id, label=label)
    note_unknown(unknown_names(slides, words), answer.outcome)
    answer.tell()


def with_told(given: argparse.Namespace, words: Vocabulary) -> Vocabulary:
    """Return the vocabulary that knows a command's organ and source."""
    if given.organ:
        words = words.taking("organ", given.organ)
    return words.taking("source", given.source) if given.source else words


def told_facts(given: argparse.Namespace, words: Vocabulary) -> dict[str, Any]:
    """Return the organ and the source that a command tells.

    Raises
    ------
    ValueError
        When one is not known.
    """
    told: dict[Kind, str | None] = {"organ": given.organ, "source": given.source}
    found: dict[str, Any] = {}
    for kind, text in told.items():
        if not text:
            continue
        word = words.word(kind, text)
        if word is None:
            raise ValueError(f"{words.unknown(kind, text)}; {CURE}.")
        found[kind] = word
    return found


def note_unknown(names: Iterable[UnknownName], outcome: Outcome) -> None:
    """List names that nobody knows, each once."""
    for name in names:
        outcome.note(f"{name.kind} {name.text}", f"{name.sentence} {CURE.capitalize()}.")


def _vocabulary(given: argparse.Namespace, answer: Answer) -> None:
    import yaml

    from hubseg.failure import yaml_or_refusal
    from hubseg.organ import Vocabulary
    from hubseg.project import ReviewProject
    from hubseg.project.structures import unknown_drawn
    from hubseg.project.words import take_vocabulary, vocabulary_of
    from hubseg.slide import unknown_names

    opened = ReviewProject.for_reading if given.set is None else ReviewProject.open
    with opened(given.project) as project:
        if given.set is not None:
            content = yaml_or_refusal(given.set.read_text("utf-8"), str(given.set))
            take_vocabulary(project, Vocabulary.from_mapping(content or {}), "vocabulary")
        words = vocabulary_of(project)
        note_unknown(unknown_names(project.slides(), words), answer.outcome)
        for name, ids in unknown_drawn(project, project.slides()).items():
            answer.outcome.note(
                f"structure {name}",
                f"It is not in the vocabulary: what was drawn of it on {', '.join(ids)} is kept.",
            )
    known = {
        "organs": [term.label for term in words.organs],
        "sources": [term.label for term in words.sources],
        "structures": [one.label for one in words.structures],
    }
    own = words.to_mapping()
    lines = [f"# known {kind}: {', '.join(names)}" for kind, names in known.items()]
    text = yaml.safe_dump(own, sort_keys=False, allow_unicode=True).rstrip() if own else "{}"
    answer.say({"known": known, "vocabulary": own}, [*lines, text])
