"""Running members on Dask, in processes of their own, and handing back ever better maps."""

from __future__ import annotations

from hubseg.engine.cluster import Engine
from hubseg.engine.run import Run, Update

__all__ = ["Engine", "Run", "Update"]
