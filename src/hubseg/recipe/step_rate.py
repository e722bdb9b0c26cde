"""How long one step of a training takes on this computer, as it was measured last.

Responsible for remembering that beside the user's other caches, so that the next training can say
how long it will take. A file that cannot be read or written is no loss. Does not train.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from hubseg.recipe import NetworkSpec, Recipe
    from hubseg.recipe.training_plan import TrainingPlan

__all__ = ["rates", "remember"]

_MOST = 500  # rates kept, the newest


def _file() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("hubseg", appauthor=False) / "training_rates.json"


def _key(network: NetworkSpec, plan: TrainingPlan, device: str) -> str:
    parts = ("crop", "batch", "accumulate", "precision")
    content = [network.model_dump(mode="json"), plan.model_dump(include=set(parts)), device]
    text = json.dumps(content, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _read() -> dict[str, float]:
    try:
        known = json.loads(_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {
        key: float(value)
        for key, value in known.items()
        if isinstance(value, int | float) and math.isfinite(value) and value > 0
    }


def remember(network: NetworkSpec, plan: TrainingPlan, device: str, seconds: float) -> None:
    """Remember how long a step of a network took on a device, in seconds."""
    if not (math.isfinite(seconds) and seconds > 0):
        return
    key, path = _key(network, plan, device), _file()
    known = _read()
    known.pop(key, None)
    kept = dict(list({**known, key: round(seconds, 5)}.items())[-_MOST:])
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(kept) + "\n", "utf-8")
        part.replace(path)


def rates(recipe: Recipe, devices: tuple[str, ...]) -> dict[str, float]:
    """Return the mean seconds of one step for each device where all networks are known."""
    known = _read()
    networks = [entry.network for resolution in recipe.resolutions for entry in resolution.members]
    found = {}
    for device in devices:
        keys = [_key(network, recipe.training, device) for network in networks]
        if all(key in known for key in keys):
            found[device] = sum(known[key] for key in keys) / len(keys)
    return found
