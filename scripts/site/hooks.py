"""What MkDocs does beside its own work when it builds the site.

Responsible for the pages that lie outside ``docs/`` (README, changelog, results), for links
between all of them, for flowcharts as pictures, and for what docstrings refer to. Does not know
what the pages say.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagrams import as_svg
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/RESULTS.md": "results.md",
}
"""Pages that stand elsewhere in the repository: there, and on the site."""
FILES = {
    "NOTICE": "NOTICE.txt",
    "LICENSE": "LICENSE.txt",
    "CITATION.cff": "CITATION.txt",
    "napari_hubseg/icon.svg": "images/icon.svg",
}
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")
_FLOWCHART = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):<code>[~!]?([\w.]+)</code>")
_CODE = re.compile(r"<code>[^<]*</code>")  # a bar in a table's code is written as GitHub wants it


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages and files that lie outside ``docs/``."""
    for there, here in (PAGES | FILES).items():
        files.append(File.generated(config, here, abs_src_path=str(ROOT / there)))
    return files


def on_page_markdown(text: str, *, page: Page, config: Any, files: Files) -> str:
    """Draw flowcharts, and lead links to where their pages are on the site."""
    here = page.file.src_uri
    there = {site: source for source, site in PAGES.items()}.get(here, f"docs/{here}")

    def moved(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(there), found[1]))
        on_site = (PAGES | FILES).get(target, target.removeprefix("docs/"))
        return posixpath.relpath(on_site, posixpath.dirname(here) or ".")

    text = _LINK.sub(moved, text)
    return _FLOWCHART.sub(lambda found: f"<div>{as_svg(found[1])}</div>", text)


def on_page_content(html: str, *, page: Page, config: Any, files: Files) -> str:
    """Lead from a docstring's names to where they are explained; a bar in code is a bar."""
    html = _CODE.sub(lambda found: found[0].replace("\\|", "|"), html)
    link = r'<autoref identifier="\1" optional><code>\1</code></autoref>'
    return _ROLE.sub(link, html)
