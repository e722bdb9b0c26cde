"""How far what computes for long gives way to the window: nice values, in one place.

Responsible for the priority of a process or thread of ours. Does not know what runs in it.
"""

from __future__ import annotations

import os

__all__ = ["COMPUTES", "NICE", "SERVES", "give_way"]

NICE = "HUBSEG_NICE"  # environment variable: the most that anything of ours gives way
COMPUTES = 12  # workers and trainings: below the threads of a window, still alive beside others
SERVES = 10  # a window's own threads, somebody waits for them


def give_way(nice: int, *, thread: int = 0) -> None:
    """Lower the priority of this process, or of one of its threads, where a system has that.

    Parameters
    ----------
    nice
        The nice value wanted, 0 to 19. A lower priority that is there already stays, and the
        environment variable ``HUBSEG_NICE`` may allow less: 0 where nobody sits at the computer,
        since beside programs that fill every core a nice process hardly runs at all.
    thread
        Native number of the thread; 0 is the process.

    Raises
    ------
    ValueError
        The environment variable is not a whole number.
    """
    if not hasattr(os, "setpriority"):
        return
    own = os.getpriority(os.PRIO_PROCESS, thread)
    wanted = min(nice, _most())
    if wanted > own:
        os.setpriority(os.PRIO_PROCESS, thread, wanted)


def _most() -> int:
    told = os.environ.get(NICE, "19")
    try:
        return int(told)
    except ValueError as error:
        raise ValueError(f"{NICE} is {told!r}: give a whole number, 0 to 19.") from error
