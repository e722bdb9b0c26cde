"""A process that ends when the one that started it is gone: no worker outlives a killed window.

Responsible for that alone. Dask loads it into the scheduler and the workers of this computer
(:mod:`hubseg.engine.cluster`); it knows nothing of them, and imports nothing that they need not.
"""

from __future__ import annotations

import os
import threading
import time

import psutil

__all__ = ["STARTER", "dask_setup"]

STARTER = "HUBSEG_STARTER"
"""Environment variable: id of the process at whose end the workers that it started end, too."""

_LOOK_S = 0.5


def dask_setup(service: object) -> None:
    """Watch from a thread whether we still descend from that process; Dask calls this at the start.

    Its id comes by the environment: it may have ended before this is called, and whoever is the
    parent by then is not the one to watch.

    Parameters
    ----------
    service
        The scheduler, nanny or worker; not used.
    """
    del service
    starter = int(os.environ.get(STARTER) or os.getppid())
    threading.Thread(target=_watch, args=(starter,), name="lifeline", daemon=True).start()


def _watch(starter: int) -> None:
    while any(one.pid == starter for one in psutil.Process().parents()):
        time.sleep(_LOOK_S)
    os._exit(1)  # nobody is left to ask, and nothing here is worth saving
