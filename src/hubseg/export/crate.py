"""What an export is and how it was made, as an RO-Crate beside it.

Responsible for ``ro-crate-metadata.json``: files, slides, program and people, and one paragraph of
methods. Does not know how masks are derived, or a format.

Source: RO-Crate Metadata Specification 1.1 (https://w3id.org/ro/crate/1.1).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from hubseg.formats.provenance import provenance, write_provenance
from hubseg.formats.registry import FORMATS
from hubseg.journal.rows import Kind
from hubseg.journal.slide_state import SlideState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from hubseg.export.source import Source

__all__ = ["CRATE", "crate_of", "licence_of", "write_crate"]

CRATE: Final = "ro-crate-metadata.json"
_SPECIFICATION = "https://w3id.org/ro/crate/1.1"
_BSD = "https://spdx.org/licenses/BSD-3-Clause"  # of the program

Entity = dict[str, Any]

_ABOUT: Final[Entity] = {
    "@id": CRATE,
    "@type": "CreativeWork",
    "conformsTo": {"@id": _SPECIFICATION},
    "about": {"@id": "./"},
}
_OURS: Final[Entity] = {"@id": _BSD, "@type": "CreativeWork", "name": "BSD 3-Clause"}
_NOT_STATED: Final[Entity] = {
    "@id": "#licence",
    "@type": "CreativeWork",
    "name": "Not stated",
    "description": "Whoever publishes these masks says under which licence they and the slides "
    "are.",
}


def licence_of(told: str) -> Entity:
    """Return a licence as the crate names it; "" is none that was stated.

    Parameters
    ----------
    told
        An identifier of https://spdx.org/licenses, such as CC-BY-4.0, or the address of its text.

    Raises
    ------
    ValueError
        When it is neither.
    """
    if not told:
        return _NOT_STATED
    if re.fullmatch(r"https?://\S+", told):
        return {"@id": told, "@type": "CreativeWork", "name": told}
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*", told):
        raise ValueError(
            f"Licence {told!r} is no identifier of spdx.org/licenses, such as CC-BY-4.0, and no "
            "address: give one of those."
        )
    return {"@id": f"https://spdx.org/licenses/{told}", "@type": "CreativeWork", "name": told}


def crate_of(out: Path) -> Path:
    """Return where the crate of an export is: in the folder that holds the file or folder."""
    return out.absolute().parent / CRATE


def write_crate(
    source: Source,
    out: Path,
    written: Sequence[Path],
    format: str,
    licence: Entity = _NOT_STATED,
) -> Path:
    """Write the crate of an export, and read it back.

    Parameters
    ----------
    source
        What was written, taken to its end.
    out
        File or folder of the export.
    written
        Its files, and folders that are one file for a person.
    format
        Its name in the registry.
    licence
        Of the masks (:func:`licence_of`).

    Raises
    ------
    OSError
        When a file cannot be read, or the crate cannot be written.
    """
    path = crate_of(out)
    facts = provenance()
    versions = facts["versions"]
    made = {name: source.maps[name] for name in source.outcome.done}
    drawn = _gestures(source)
    files = [_file(one, path.parent) for one in _listed(out, written, format)]
    slides = [one for name, known in made.items() for one in _slide(name, known)]
    people = [_person(name, counts) for name, counts in drawn.items()]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Masks of {len(made)} slides as {FORMATS[format].title}",
        "description": _methods(made, drawn, versions.get("hubseg", "")),
        "datePublished": facts["created"],
        "license": {"@id": licence["@id"]},
        "hasPart": _named(files),
        "mentions": [{"@id": "#export"}],
    }
    export = {
        "@id": "#export",
        "@type": "CreateAction",
        "name": "hubseg export",
        "endTime": facts["created"],
        "instrument": {"@id": "#hubseg"},
        "agent": _named(people),
        "object": _named(one for one in slides if one["@type"] == "ImageObject"),
        "result": _named(files),
    }
    program = [_program(versions), *{one["@id"]: one for one in (licence, _OURS)}.values()]
    graph = [_ABOUT, root, export, *program, *people, *files, *slides]
    return write_provenance(path, {"@context": f"{_SPECIFICATION}/context", "@graph": graph})


def _program(versions: Mapping[str, str]) -> Entity:
    return {
        "@id": "#hubseg",
        "@type": "SoftwareApplication",
        "name": "napari-hubseg",
        "version": versions.get("hubseg", ""),
        "license": {"@id": _BSD},
        "softwareRequirements": [f"{name} {version}" for name, version in versions.items()],
    }


def _person(name: str, drawn: Counter[str]) -> Entity:
    own = {"@id": f"#{quote(name)}", "@type": "Person", "name": name}
    return {**own, "description": _drew(drawn)}


def _named(entities: Iterable[Entity]) -> list[Entity]:
    return [{"@id": one["@id"]} for one in entities]


def _listed(out: Path, written: Sequence[Path], format: str) -> list[Path]:
    """Return the files of an export; of one that is a whole folder each file in it."""
    if FORMATS[format].writes != "project":
        return list(written)
    return sorted(path for path in out.rglob("*") if path.is_file())


def _file(path: Path, root: Path) -> Entity:
    name = quote(path.absolute().relative_to(root).as_posix())
    if path.is_dir():
        return {"@id": f"{name}/", "@type": "Dataset", "name": path.name}
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "@id": name,
        "@type": "File",
        "name": path.name,
        "contentSize": str(path.stat().st_size),
        "sha256": digest,
    }


def _slide(name: str, known: Mapping[str, Any]) -> list[Entity]:
    """Return a slide, and what its mask was made of as values that it points to."""
    own = f"#slide-{quote(name, safe='')}"
    values = [
        {
            "@id": f"{own}-{key}",
            "@type": "PropertyValue",
            "name": key,
            "value": value if isinstance(value, str | int | float) else json.dumps(value),
        }
        for key, value in known.items()
        if value is not None and key != "slide_digest"
    ]
    slide = {
        "@id": own,
        "@type": "ImageObject",
        "name": name,
        "identifier": known["slide_digest"],
        "additionalProperty": _named(values),
    }
    return [slide, *values]


def _gestures(source: Source) -> dict[str, Counter[str]]:
    """Return how many gestures that stand each person drew on each slide that was written."""
    drawn: dict[str, Counter[str]] = {}
    for name in source.outcome.done:
        for row in SlideState.read(source.project, name).rows:
            if row.kind is Kind.GESTURE and row.slide_id == name:
                drawn.setdefault(row.author, Counter())[name] += 1
    return dict(sorted(drawn.items()))


def _drew(counts: Counter[str]) -> str:
    gestures, slides = counts.total(), len(counts)
    return (
        f"drew {gestures} gesture{'s' if gestures > 1 else ''} on {slides} "
        f"slide{'s' if slides > 1 else ''}"
    )


def _methods(
    made: Mapping[str, Mapping[str, Any]], drawn: Mapping[str, Counter[str]], version: str
) -> str:
    """Return one paragraph on how the masks were made, for a methods section."""
    recipes = sorted(
        {str(one["recipe_digest"])[:8] for one in made.values() if one["recipe_digest"]}
    )
    cuts = sorted(
        {float(one["threshold"]) for one in made.values() if one["threshold"] is not None}
    )
    verdicts = Counter(str(one["verdict"]) for one in made.values())
    begun = sum(one["imported"] is not None for one in made.values())
    said = [f"The masks of {len(made)} slides were made with napari-hubseg {version}."]
    if recipes:
        which = ", ".join(recipes)
        at = ", ".join(f"{cut:g}" for cut in cuts)
        said.append(
            f"A pixel is inside where the mixed probability of an ensemble (recipe {which}) on "
            f"0-255 is greater than the threshold ({at}), after the cleanup that is given for each "
            "slide."
        )
    if begun:
        said.append(f"{begun} of them start from a mask that another program made.")
    said += [f"{name} {_drew(counts)}." for name, counts in drawn.items()]
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    said.append(f"Verdicts: {told}.")
    return " ".join(said)
