"""The store: member maps in a folder, named by content, atomic, verified when read.

Responsible for giving back what it was given, or nothing. Does not know recipes or slides.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.probability.values import MemberMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MapStore"]


class MapStore:
    """Member maps in a folder, one TIFF a map, named by content digest.

    A map is float32, written to a temporary file and renamed, so that a reader sees all of it or
    none; its digest is checked when it is read.

    Parameters
    ----------
    folder
        Where the maps lie; made on first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def _path(self, key: str) -> Path:
        if not key.isalnum():
            raise ValueError(f"{key!r} is not the key of a map: keys are hex digests.")
        return self.folder / key[:2] / f"{key}.tif"

    def put(self, key: str, made: MemberMap) -> Path:
        """Write `made` under `key`, atomically; returns the file."""
        import tifffile

        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.ascontiguousarray(made.values, np.float32)
        said = {
            "hubseg": "member map",
            "digest": _digest(values),
            "organ": made.organ,
            "um_per_px": made.um_per_px,
        }
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(handle)
        try:
            tifffile.imwrite(
                name, values, compression="zlib", predictor=True, description=json.dumps(said)
            )
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return path

    def get(self, key: str) -> MemberMap | None:
        """Read the map of `key`; None when there is none, or when it is damaged.

        A damaged file is removed: the member is then simply computed again.
        """
        import tifffile

        path = self._path(key)
        if not path.is_file():
            return None
        try:
            with tifffile.TiffFile(path) as tiff:
                said: dict[str, Any] = json.loads(tiff.pages.first.description)
                values = np.ascontiguousarray(tiff.asarray(), np.float32)
            intact = said["digest"] == _digest(values)
        except (ValueError, KeyError, OSError, RuntimeError):
            intact = False
        if not intact:
            path.unlink(missing_ok=True)
            return None
        organ, um_per_px = said["organ"], said["um_per_px"]
        return MemberMap(
            values=values,
            organ=None if organ is None else tuple(map(float, organ)),
            um_per_px=None if um_per_px is None else float(um_per_px),
        )


def _digest(values: NDArray[np.float32]) -> str:
    content = hashlib.blake2b(str(values.shape).encode(), digest_size=16)
    content.update(values.tobytes())
    return content.hexdigest()
