"""How a training is said in words: what it does, how long it takes, and what came out.

Responsible for these sentences. Knows no widget and no training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["about", "conclusion", "doing", "estimate", "headline", "place", "resolved"]


def about(seconds: float) -> str:
    """Say how long something takes, as exactly as an estimate is."""
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"about {minutes // 60} h {minutes % 60:02d} min"
    return f"about {minutes} min" if minutes else "less than a minute"


def resolved(device: str, devices: Sequence[str]) -> str:
    """Return the device that auto stands for: the first GPU where there is one."""
    if device != "auto":
        return device
    return next((name for name in devices if name.startswith("cuda")), "cpu")


def place(device: str) -> str:
    """Name a device as a person does."""
    if device == "cpu":
        return "this CPU"
    return "these GPUs" if "," in device else "this GPU"


def estimate(networks: int, steps: int, seconds: float | None, device: str) -> str:
    """Say how long a training will take, before it begins.

    Parameters
    ----------
    seconds
        Of one step, as measured here; None where nothing was trained here yet.
    """
    whole = f"{networks} networks of {steps} steps"
    if seconds is None:
        return f"{whole}: how long that takes is said after the first steps."
    return f"{whole}: {about(networks * steps * seconds)} on {place(device)}."


def doing(report: dict[str, Any]) -> str:
    """Say what a training does that is no step."""
    what, done, total = report["what"], report["done"], report["total"]
    beginning = what[:1].upper() + what[1:]
    return f"{beginning}: {min(done + 1, total)} of {total} …"


def headline(report: dict[str, Any]) -> str:
    """Say what came out in a sentence or two, and whether there is more to it."""
    more = " What these figures are worth stands under Train." if report["warnings"] else ""
    return f"Trained. {report['sentence']}{more}"


def conclusion(report: dict[str, Any]) -> str:
    """Say what came out, what it was measured against, and which slides were left out."""
    said = [f"Trained. {report['sentence']}", *report["warnings"]]
    if left_out := list(report.get("left_out", ())):
        few = ", ".join(left_out[:3]) + (", …" if len(left_out) > 3 else "")
        said.append(f"Left out, because they cannot be read: {few}.")
    return "\n".join(said)
