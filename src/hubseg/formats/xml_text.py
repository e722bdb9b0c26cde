"""XML that somebody else wrote: bounded, without entities, and one sentence where it is none.

Responsible also for text that goes into XML. Parses with defusedxml alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from hubseg.formats.json_text import text_of

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

__all__ = ["attributes", "number", "root_of"]


def root_of(path: Path) -> Element:
    """Return the root of an XML file.

    Raises
    ------
    ValueError
        When the file is no whole XML, defines entities, or is larger than 512 MiB: one sentence.
    OSError
        When it cannot be opened.
    """
    content = text_of(path)
    try:
        root: Element = fromstring(bytes(content), forbid_dtd=True)
    except DefusedXmlException as exc:
        raise ValueError(
            f"{path} defines a document type or entities, which no annotation needs and which may "
            "be an attack: it is not read."
        ) from exc
    except (ParseError, ValueError, LookupError) as exc:
        raise ValueError(
            f"{path} is no whole XML file ({exc}): it was cut off or is damaged, get it again."
        ) from exc
    return root


def number(element: Element, name: str) -> float:
    """Return an attribute as a number, NaN where it is none: outlines refuse that."""
    try:
        return float(element.get(name, ""))
    except ValueError:
        return float("nan")


def attributes(**given: object) -> str:
    """Return attributes as XML holds them, each with a blank before it."""
    return "".join(f" {name.rstrip('_')}={_quoted(str(value))}" for name, value in given.items())


def _quoted(text: str) -> str:
    """Return a text in quotes, with a sign in place of each character that XML cannot hold."""
    held = "".join(one if one.isprintable() or one in "\t\n" else "\ufffd" for one in text)
    return quoteattr(held)
