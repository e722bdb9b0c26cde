"""Where networks run and in which arithmetic.

Responsible for finding the device and for refusing what it cannot do. Does not know networks.
"""

from __future__ import annotations

import torch

__all__ = ["PRECISIONS", "choose_device", "choose_devices", "choose_precision"]

PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def choose_device(name: str) -> torch.device:
    """Return the device called `name`: auto, cpu, cuda, cuda:N.

    Raises
    ------
    ValueError
        When the device is not there; the message says which are.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"Unknown device {name!r}: use auto, cpu or cuda:N.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"Device {name} is not there ({torch.cuda.device_count()} CUDA devices found): use "
            "auto or cpu."
        )
    return device


def choose_devices(names: str) -> tuple[torch.device, ...]:
    """Return the devices called `names`: one as :func:`choose_device` takes it, or several.

    Several are all CUDA devices (``cuda:0,cuda:1``), each once, or so many processes of the CPU
    (``cpu,cpu``).

    Raises
    ------
    ValueError
        When one is not there, or they do not go together.
    """
    parts = [part.strip() for part in names.split(",")]
    if len(parts) == 1:
        return (choose_device(parts[0]),)
    if "auto" in parts or "cuda" in parts:
        raise ValueError(f"{names!r} does not say which devices: write cuda:0,cuda:1.")
    devices = tuple(choose_device(part) for part in parts)
    if len({device.type for device in devices}) > 1:
        raise ValueError(f"{names!r} mixes CPU and GPUs, which do not train one network together.")
    if devices[0].type == "cuda" and len(set(devices)) < len(devices):
        raise ValueError(f"{names!r} names a GPU twice: name each once.")
    return devices


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the arithmetic called `name` on a device: auto, float32, float16, bfloat16.

    ``auto`` is float16 on CUDA, as published, and float32 on a CPU.

    Raises
    ------
    ValueError
        When the device has no such arithmetic, or nothing is called so.
    """
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    if name not in PRECISIONS:
        raise ValueError(f"Unknown precision {name!r}: use one of auto, {', '.join(PRECISIONS)}.")
    if device.type == "cpu" and name == "float16":
        raise ValueError("A CPU does not calculate in float16: use bfloat16 or float32.")
    if device.type == "cpu" and name == "bfloat16" and not _has_bfloat16():
        raise ValueError(
            "This CPU has no bfloat16 arithmetic (AVX512-BF16 or AMX), so it would be slower "
            "than float32: use float32."
        )
    return PRECISIONS[name]


def _has_bfloat16() -> bool:
    known = torch.cpu.get_capabilities()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16") or known.get("bf16"))
