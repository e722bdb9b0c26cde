"""``hubseg review``, ``demo`` and ``doctor``: open the window, or say why it will not open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json

if TYPE_CHECKING:
    import argparse

    from hubseg.cli._said import Answer

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands to the parser."""
    review = commands.add_parser("review", help="open napari with the HubSeg dock")
    review.add_argument(
        "path",
        type=Path,
        nargs="?",
        help="NAME.hubseg, folder, competition CSV or image; default: the dock asks",
    )
    review.set_defaults(run=_review)
    demo = commands.add_parser("demo", help="the whole loop on the bundled sample")
    demo.add_argument("--out", type=Path, default=Path("demo_out"), help="default: demo_out")
    demo.add_argument(
        "--scripted", action="store_true", help="play the journey even where there is a display"
    )
    demo.set_defaults(run=_demo)
    doctor = commands.add_parser("doctor", help="what is installed, what will not work, the cure")
    add_json(doctor)
    doctor.set_defaults(run=_doctor)


def _plugin(what: str) -> Any:
    try:
        from napari_hubseg.demo import start as _start
    except ImportError as error:
        raise RuntimeError(
            f"The window cannot be opened ({error}): pip install 'napari-hubseg[pyqt6]', then run "
            "hubseg doctor."
        ) from error
    return getattr(_start, what)


def _review(given: argparse.Namespace, answer: Answer) -> int:
    del answer
    code: int = _plugin("review")(given.path)
    return code


def _demo(given: argparse.Namespace, answer: Answer) -> int:
    del answer
    code: int = _plugin("demo")(given.out, scripted=given.scripted)
    return code


def _doctor(given: argparse.Namespace, answer: Answer) -> int:
    from hubseg.cli.doctor import examine

    findings = examine()
    lines = [
        f"{'ok  ' if f.ok else 'FIX '} {f.name}: {f.said}{'' if f.ok else f' {f.cure}'}"
        for f in findings
    ]
    content = {
        "findings": [{"name": f.name, "ok": f.ok, "said": f.said, "cure": f.cure} for f in findings]
    }
    answer.say(content, lines)
    return 0 if all(f.ok for f in findings) else 1
