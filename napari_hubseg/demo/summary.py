"""What a journey through the window found, as figures and as sentences.

Responsible for what ``summary.json`` holds. Does not know how anything was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Summary", "sentences"]


@dataclass
class Summary:
    """What the journey found; the most memory that its process took is known on Linux alone."""

    dice: dict[str, float] = field(default_factory=dict)
    longest_stall_ms: float = 0.0
    ensemble_s: dict[str, float] = field(default_factory=dict)
    stroke_px: int = 0
    stroke_kept_after_threshold: bool = False
    submission_is_the_mask_on_screen: bool = False
    torch_in_window_process: bool = True
    window_peak_bytes: int | None = None
    seconds: float = 0.0
    pictures: list[str] = field(default_factory=list)


def sentences(summary: Summary, out: Path) -> str:
    """Return it in lines for a person; `out` is where pictures and exports are."""
    lines = [f"Dice of {name} at its threshold: {d:.3f}" for name, d in summary.dice.items()]
    lines += ["kidney_real is real tissue that no network saw; the other slides are synthetic."]
    lines += [f"Ensemble on {name}: {s:.1f} s" for name, s in summary.ensemble_s.items()]
    lines += [
        f"Longest stall of the window while the ensemble ran: {summary.longest_stall_ms:.0f} ms",
        f"Stroke of {summary.stroke_px} px kept when the threshold moved: "
        f"{'yes' if summary.stroke_kept_after_threshold else 'NO'}",
        "submission.csv decodes to the mask on screen: "
        f"{'yes' if summary.submission_is_the_mask_on_screen else 'NO'}",
        f"torch imported by the window's process: "
        f"{'YES' if summary.torch_in_window_process else 'no'}",
        *_memory(summary.window_peak_bytes),
        f"{len(summary.pictures)} pictures, submission.csv and pseudo_labels in {out}; "
        f"{summary.seconds:.0f} s in all.",
    ]
    return "\n".join(lines) + "\n"


def _memory(peak: int | None) -> list[str]:
    return [] if peak is None else [f"Memory of the window's process, at most: {peak / 1e9:.2f} GB"]
