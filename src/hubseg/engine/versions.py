"""Which packages workers have, compared with ours: other versions may give other pixels.

Responsible for one sentence per difference. Imports none of the packages it asks about.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PACKAGES", "compare_versions", "differences"]

PACKAGES = ("napari-hubseg", "torch", "timm", "numpy", "opencv-python-headless", "distributed")


def compare_versions(client: Any) -> tuple[str, ...]:
    """Return a sentence for each package of which a worker has another version than we.

    Raises
    ------
    ModuleNotFoundError
        When a worker has no napari-hubseg at all.
    """
    ours, theirs = {}, {}
    for package in PACKAGES:
        ours[package] = _version(package)
        # a function of the standard library: a worker without our package can still answer
        theirs[package] = client.run(version, package, on_error="return")
    return differences(ours, theirs)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def differences(
    ours: Mapping[str, str], theirs: Mapping[str, Mapping[str, object]]
) -> tuple[str, ...]:
    """Return a sentence for each package and worker that differ.

    Parameters
    ----------
    ours
        Package → version, "" where it is absent.
    theirs
        Package → worker's address → version, or the error that asking for it gave.

    Raises
    ------
    ModuleNotFoundError
        When a worker has no napari-hubseg at all.
    """
    said = []
    for package, here in ours.items():
        for worker, answer in theirs[package].items():
            there = answer if isinstance(answer, str) else ""
            if package == "napari-hubseg" and not there:
                raise ModuleNotFoundError(
                    f"The worker {worker} has no napari-hubseg: install {here or 'it'} there, or "
                    "leave the scheduler's address empty to use this computer."
                )
            if there != here:
                said.append(
                    f"The worker {worker} has {package} {there or 'not at all'} and this computer "
                    f"{here or 'none'}: maps may differ; install the same version on both."
                )
    return tuple(said)
