"""A process that ends when the one that started it is gone: no worker outlives a killed window.

Responsible for that alone. Dask loads it into the scheduler and the workers of this computer
(:mod:`hubseg.engine.cluster`); it knows nothing of them, and imports nothing that they need not.
"""

from __future__ import annotations

import os
import threading
import time

__all__ = ["dask_setup"]

_LOOK_S = 0.5


def dask_setup(service: object) -> None:
    """Watch the parent from a thread; Dask calls this when it starts a process.

    Parameters
    ----------
    service
        The scheduler, nanny or worker; not used.
    """
    del service
    threading.Thread(target=_watch, args=(os.getppid(),), name="lifeline", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os._exit(1)  # nobody is left to ask, and nothing here is worth saving
