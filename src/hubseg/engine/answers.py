"""What comes back from Dask, in terms a person understands.

Responsible for turning a task into what it made, or into an error with its remedy. Does not know
runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hubseg.engine.worker import Made, Refused

__all__ = ["GONE", "STOPPED", "result"]

STOPPED = "Stopped: finished members are kept."
GONE = (
    "The scheduler is gone: start it again, or leave its address empty to use this computer; "
    "finished members are kept."
)


def result(future: Any, name: str) -> Made | Refused:
    """Return what a task gave back.

    Raises
    ------
    ConnectionError
        When the scheduler lost the task.
    RuntimeError
        When the task's worker died again and again.
    """
    from asyncio import CancelledError

    from distributed import KilledWorker

    try:
        made: Made | Refused = future.result()
    except KilledWorker as error:
        raise RuntimeError(
            f"{name} ended every worker it ran on, most likely for lack of memory: choose another "
            "device, or leave it out."
        ) from error
    except CancelledError as error:
        raise ConnectionError(GONE) from error
    return made
