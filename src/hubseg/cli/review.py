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
    demo.add_argument(
        "--slide",
        action="store_true",
        help="a whole slide instead, made on the fly; without a display it is only described",
    )
    demo.add_argument(
        "--size",
        default="16000x20000",
        metavar="HEIGHTxWIDTH",
        help="px of that slide",
    )
    add_json(demo)
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
    if given.slide:
        return _whole_slide(given, answer)
    code: int = _plugin("demo")(given.out, scripted=given.scripted)
    return code


def _whole_slide(given: argparse.Namespace, answer: Answer) -> int:
    """Make a whole slide, say what it is, and open it where somebody can see it."""
    from hubseg.cli._whole_slide import described, made_slide, parsed_size

    path, seconds = made_slide(given.out, parsed_size(given.size))
    told = described(path)
    sizes = ", ".join(f"{height:,} x {width:,}" for height, width in told["levels"])
    how = f"made in {seconds:.0f} s" if seconds else "it was there already"
    lines = [
        f"{path}: {told['bytes'] / 1e6:,.0f} MB, {how}.",
        f"Levels of {sizes} px in JPEG tiles; {told['um_per_px']:g} µm/px at the first.",
    ]
    seen: bool = _plugin("has_display")()
    if not seen:
        lines.append(f"There is no display: hubseg review {path} opens it on a desktop.")
    answer.say({**told, "seconds": seconds}, lines)
    if not seen:
        return 0
    answer.end()
    answer.say({}, [])
    code: int = _plugin("review")(path)
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
