"""Where the project of some slides is kept when nobody says where.

Responsible for that choice. A folder ``tiles`` has ``tiles/tiles.hubseg`` inside it, so that work
and images move together; a table ``train.csv`` or a single image ``a.tiff`` (or ``a.ome.zarr``, a
folder) has ``train.hubseg`` or ``a.hubseg`` beside it. Where that cannot be, a folder of the
person's own is used. Does not know what a project holds.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from hubseg.project.folder import SUFFIX
from hubseg.slide.kinds import is_image_folder, stem_of

__all__ = ["beside", "is_kept_clean", "of_person"]


def beside(source: Path) -> Path:
    """Return where the project of a folder, table or image is expected."""
    source = source.absolute()
    if is_image_folder(source):
        return source.with_name(f"{stem_of(source)}{SUFFIX}")
    if source.is_dir():
        return source / f"{source.name or 'review'}{SUFFIX}"
    return source.with_suffix(SUFFIX)


def of_person(source: Path) -> Path:
    """Return the place in the person's own data folder, one for every source path."""
    from platformdirs import user_data_path

    source = source.absolute()
    digest = hashlib.blake2b(str(source).encode(), digest_size=4).hexdigest()
    name = f"{beside(source).stem}-{digest}{SUFFIX}"
    return user_data_path("hubseg", appauthor=False) / "projects" / name


def is_kept_clean(source: Path) -> bool:
    """Whether nothing may be written at `source`: read-only, or data of an installed package."""
    source = source.resolve()
    folder = source if source.is_dir() and not is_image_folder(source) else source.parent
    package = Path(__file__).resolve().parent.parent
    installed = {"site-packages", "dist-packages"} & set(folder.parts)
    return bool(installed) or folder.is_relative_to(package) or not os.access(folder, os.W_OK)
