"""The engine of a window: one at a time, for the place where maps are kept and where things run.

Responsible for making it, for starting its workers ahead of the first run, and for ending it. Does
not know runs. Networks run in processes of their own: nothing here imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.probability.disk_budget import DEFAULT_LIMIT, DiskBudget
from napari_hubseg.jobs.early_start import EarlyStart

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_hubseg.jobs.background import Background
    from napari_hubseg.jobs.choices import EnsembleChoice

__all__ = ["WindowEngine", "new_engine"]


def new_engine(store: Path, device: str, scheduler: str | None) -> Any:
    """Return a :class:`hubseg.engine.Engine` whose libraries keep their logs to themselves."""
    from hubseg.engine import Engine
    from hubseg.process.logs import keep_apart

    keep_apart("distributed")
    return Engine(store, device=device, scheduler=scheduler)


class WindowEngine:
    """Keeps an engine until another store, device or scheduler is asked for.

    Attributes
    ----------
    room_for_maps
        Bytes that maps may take where nobody has said so for a store.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence

    def __init__(
        self, background: Background, make: Callable[[Path, str, str | None], Any] = new_engine
    ) -> None:
        self._background, self._make = background, make
        self._engine: Any = None
        self._key: tuple[Path, str, str] | None = None
        self._early = EarlyStart()
        self.room_for_maps = DEFAULT_LIMIT

    @property
    def loaded(self) -> bool:
        """Whether a worker holds networks."""
        return self._engine is not None

    def engine_for(self, store: Path, choice: EnsembleChoice) -> Any:
        """Return the engine for a store; another one is ended.

        Raises
        ------
        ValueError
            When the device that was chosen is not there.
        """
        key = (store, choice.device, choice.scheduler)
        if key != self._key:
            self.unload()
            DiskBudget(store).suggest(self.room_for_maps)
            self._engine = self._make(store, choice.device, choice.scheduler or None)
            self._key = key
        return self._engine

    @property
    def may_start_early(self) -> bool:
        """Whether workers may be started ahead of a run: none was yet."""
        return not (self._early.done or self.loaded)

    def get_ready(self, store: Path, choice: EnsembleChoice) -> None:
        """Start workers ahead of the first run; ValueError as of :meth:`engine_for`."""
        self._early.begin(self.engine_for(store, choice))
        self.changed.emit()

    def unload(self) -> None:
        """End the workers in a thread; their memory is free again soon after."""
        engine, self._engine, self._key = self._engine, None, None
        if engine is not None:
            self._background.submit(engine.unload, lambda _: None, self.failed.emit)
        self.changed.emit()

    def close(self) -> None:
        """End the workers."""
        engine, self._engine = self._engine, None
        if engine is not None:
            self._early.end(engine)
