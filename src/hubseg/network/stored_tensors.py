"""Tensors as views of a checkpoint's bytes, wherever these lie: nothing is copied one by one.

Responsible for the plain layout that torch.save gives: a zip of uncompressed records and a pickle
that names a few known things. Anything else is left to torch.load, which says what is wrong with
it. Does not know what the tensors are for.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

__all__ = ["content_of"]

_LOCAL = struct.Struct("<4s22xHH")  # of a zip: the mark, then the lengths of name and extra field
_MARK = b"PK\x03\x04"
_DTYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_NUMBERS = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"})
# What a file that is not laid out plainly raises on the way.
_OTHERWISE = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, LookupError, ValueError),
    *(TypeError, AttributeError, struct.error, OverflowError, NotImplementedError),
)


def content_of(path: Path, held: Tensor) -> object | None:
    """Return what a file of torch.save holds, its tensors as views of `held`.

    The pickle may name nothing but the classes listed here, which do nothing but hold values.

    Parameters
    ----------
    held
        The file's bytes, uint8 (n,), on any device.

    Returns
    -------
    The same as torch.load with ``weights_only``; None where the layout is another one.
    """
    try:
        with path.open("rb") as file:
            records, content = _records(file)
        if len(held) != path.stat().st_size or held.storage_offset():
            return None
        found: object = _Plain(content, records, held).load()
        return found
    except _OTHERWISE:
        return None


def _records(file: Any) -> tuple[dict[str, tuple[int, int]], bytes]:
    """Return where each storage's bytes begin and how many they are, and the pickle."""
    with zipfile.ZipFile(file) as archive:
        (pickled,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        folder = pickled.removesuffix("data.pkl")
        content = archive.read(pickled)
        order = f"{folder}byteorder"
        if order in archive.NameToInfo and archive.read(order) != b"little":
            raise ValueError("the bytes of its numbers are the other way round")
        infos = [one for one in archive.infolist() if one.filename.startswith(f"{folder}data/")]
    records = {}
    for one in infos:
        file.seek(one.header_offset)
        mark, name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
        if mark != _MARK or one.compress_type or one.flag_bits & 1:
            raise ValueError("a record is compressed, encrypted or not where it should be")
        start = one.header_offset + _LOCAL.size + name + extra
        records[one.filename.removeprefix(f"{folder}data/")] = start, one.file_size
    return records, content


class _Dtype:
    """A NumPy dtype by its name alone."""

    def __init__(self, name: str, *_: object) -> None:
        if name not in _NUMBERS:
            raise pickle.UnpicklingError(f"{name!r} is no number")
        self.name = name

    def __setstate__(self, state: tuple[object, ...]) -> None:
        if state[1] not in ("<", "|"):
            raise pickle.UnpicklingError("the bytes of a number are the other way round")


def _scalar(dtype: _Dtype, content: bytes) -> object:
    return np.frombuffer(content, f"<{dtype.name}")[0]


def _encoded(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"{encoding!r} is not how torch writes bytes")
    return text.encode("latin1")


class _Plain(pickle.Unpickler):
    """Resolves the names below and no other; what they make holds values and does nothing."""

    def __init__(self, content: bytes, records: dict[str, tuple[int, int]], held: Tensor) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")
        self._records = records
        self._held = held
        self._views: dict[torch.dtype, Tensor] = {}
        self._names: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
            ("numpy", "dtype"): _Dtype,
            ("numpy.core.multiarray", "scalar"): _scalar,
            ("numpy._core.multiarray", "scalar"): _scalar,
            ("_codecs", "encode"): _encoded,
            **{("torch", name): dtype for name, dtype in _DTYPES.items()},
        }

    def find_class(self, module: str, name: str) -> Any:
        found = self._names.get((module, name))
        if found is None:
            raise pickle.UnpicklingError(f"{module}.{name} is none of the names known here")
        return found

    def persistent_load(self, given: Any) -> tuple[torch.dtype, int, int]:
        """Return a storage's dtype, its first byte and its count of values."""
        kind, dtype, key, _, count = given
        start, size = self._records[str(key)]
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise pickle.UnpicklingError("no storage of plain numbers")
        if count < 0 or count * dtype.itemsize > size or start % dtype.itemsize:
            raise pickle.UnpicklingError("a storage is longer than its record, or lies askew")
        return dtype, start, count

    def _tensor(
        self,
        storage: tuple[torch.dtype, int, int],
        offset: int,
        size: tuple[int, ...],
        stride: tuple[int, ...],
        *_: object,
    ) -> Tensor:
        dtype, start, count = storage
        empty = 0 in size
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if min((0, offset, *size, *stride)) < 0 or not (empty or last < count):
            raise pickle.UnpicklingError("a tensor reaches beyond its storage")
        if dtype not in self._views:
            whole = len(self._held) // dtype.itemsize * dtype.itemsize
            self._views[dtype] = self._held[:whole].view(dtype)
        return self._views[dtype].as_strided(size, stride, start // dtype.itemsize + offset)
