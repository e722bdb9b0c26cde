"""Workers that are started before anybody asks for a run, while a person looks at a slide.

Responsible for doing so once, in a thread of its own, and for ending an engine that is still being
started without holding up the window. What goes wrong is said by the run that needs it. Does not
know when.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

from hubseg.failure import EXPECTED

__all__ = ["EarlyStart"]


class EarlyStart:
    """Starts an engine's workers ahead of time.

    Attributes
    ----------
    done
        Whether it was asked to: a person who ends the workers then is not given new ones.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self.done = False

    def begin(self, engine: Any) -> None:
        """Start the workers of an engine, in a thread."""
        self.done = True
        self._thread = threading.Thread(
            target=_get_ready, args=(engine,), name="hubseg-early", daemon=True
        )
        self._thread.start()

    def end(self, engine: Any) -> None:
        """End an engine: at once, or in a thread where it is still being started."""
        if self._thread is not None and self._thread.is_alive():
            threading.Thread(target=engine.unload, name="hubseg-unload").start()
        else:
            engine.unload()


def _get_ready(engine: Any) -> None:
    with suppress(*EXPECTED):
        engine.get_ready()
