"""How other programs spell a checkpoint: what its tensors lie under, and what stands before names.

Responsible for finding the table of tensors and taking known prefixes off, and for saying what was
done. Does not know files, nor which names a network wants.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from hubseg.failure import printable

__all__ = ["find_tensors", "strip_prefixes"]

# Names that a table of tensors lies under, the first one found is taken. What training takes
# averages of stands last: who wants it gives it as a file of its own.
_TABLES = (
    *("state_dict", "model_state_dict", "model_state", "model", "net", "network", "module"),
    *("net_state_dict", "network_state_dict", "network_weights", "model_weights", "weights"),
    *("params", "parameters", "checkpoint", "generator", "student"),
    *("state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "ema", "params_ema", "teacher"),
)
_DEEPEST = 3  # tables within tables
_FACTS = ("epoch", "best_score")  # what a file says of itself: a tensor of one value, at times

# Lightning's, torch.compile's, the parallel wrappers' and AveragedModel's.
_PREFIXES = ("model.", "_orig_mod.", "module.")
_COMPILED = "._orig_mod."  # torch.compile of a part of the network: no other name holds this

# What averages of weights count beside them.
_COUNTERS = frozenset({"n_averaged", "num_updates", "decay", "initted", "step"})


def find_tensors(content: object) -> tuple[Mapping[str, Tensor] | None, tuple[str, ...]]:
    """Return the table of tensors in what a file holds, and what there is to say of it.

    Parameters
    ----------
    content
        What was read: tables within tables, of tensors and plain values.

    Returns
    -------
    tensors
        By name, as the file spells them; None where there is no such table.
    notes
        Where it lay, where that is not ``state_dict``; what else it held, and other tables of the
        file. Each completes a sentence that begins with the file's name.
    """
    path, left = list[str](), list[str]()
    while isinstance(content, Mapping) and len(path) < _DEEPEST:
        tables = _tables_in(content)
        if not tables:
            break
        path.append(printable(str(tables[0])))
        left += map(str, tables[1:])
        content = content[tables[0]]
    if not isinstance(content, Mapping):
        return None, ()
    own = {printable(str(name)): value for name, value in content.items() if name not in _FACTS}
    tensors = {name: value for name, value in own.items() if isinstance(value, Tensor)}
    notes = []
    if path not in ([], ["state_dict"]):
        notes.append(f"its tensors were taken from {' / '.join(path)}")
    if left:
        notes.append(f"{_listed(left)} beside them was left out")
    if others := [name for name in own if name not in tensors]:
        notes.append(f"{_listed(others)} is no tensor and was left out")
    return (tensors, tuple(notes)) if tensors else (None, ())


def _tables_in(content: Mapping[object, object]) -> list[object]:
    """Return the names in `content` that tables of tensors lie under, the best one first.

    A name that nobody knows counts where no tensor and no other table stands beside it.
    """
    known: list[object] = [name for name in _TABLES if _holds_tensors(content.get(name))]
    if known or _has_tensors(content):
        return known
    unknown = [name for name, value in content.items() if _has_tensors(value)]
    return unknown if len(unknown) == 1 else []


def _has_tensors(value: object) -> bool:
    return isinstance(value, Mapping) and any(
        isinstance(one, Tensor) for name, one in value.items() if name not in _FACTS
    )


def _holds_tensors(value: object, depth: int = 1) -> bool:
    """Tell whether a table has tensors, or one within it, as deep as we look."""
    if not isinstance(value, Mapping) or depth > _DEEPEST:
        return False
    return _has_tensors(value) or any(
        _holds_tensors(value[name], depth + 1) for name in _TABLES if name in value
    )


def strip_prefixes(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Take known prefixes off names, in any mixture, and counters of averages out.

    Returns
    -------
    tensors
        The same tensors under shorter names.
    notes
        What was taken off and out; each completes a sentence that begins with the file's name.

    Raises
    ------
    ValueError
        When two tensors would have the same name.
    """
    stripped: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    found: dict[str, None] = {}
    counters = []
    for name, tensor in tensors.items():
        short = name
        while prefix := next((p for p in _PREFIXES if short.startswith(p)), ""):
            short = short.removeprefix(prefix)
            found[prefix] = None
        while _COMPILED in short:
            short = short.replace(_COMPILED, ".")
            found[_COMPILED[1:]] = None
        if short in _COUNTERS and tensor.numel() == 1:
            counters.append(name)
            continue
        if short in origin:
            raise ValueError(
                f"holds two tensors for {short}, {origin[short]} and {name}: keep one of them"
            )
        origin[short] = name
        stripped[short] = tensor
    notes = []
    if found:
        notes.append(f"{_listed(list(found))} was taken off its names")
    if counters:
        notes.append(f"{_listed(counters)} is no weight and was ignored")
    return stripped, tuple(notes)


def _listed(names: list[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
