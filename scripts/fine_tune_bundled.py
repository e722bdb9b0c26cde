"""How the bundled checkpoints got their last 160 steps: a record, and the way to make them again.

    python scripts/fine_tune_bundled.py KIDNEY FIRST_STAGE OUT

KIDNEY holds train.csv and train_images, FIRST_STAGE the five checkpoints of the first stage (those
of commit 71ff5f5, sample_data/weights) and folds.csv. Three of five batches show whole tiles, so
that the network meets the tiles' own edges as it will when it runs; the others are crops as in the
first stage. `hubseg train` has learned to show edges since and will make the next ensemble.
"""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hubseg.formats.rle import decode
from hubseg.network import build
from hubseg.recipe import NetworkSpec
from hubseg.slide import SlideTable

SCALE, STEPS, BATCH, CROP, RATE = 0.24, 160, 6, 320, 3e-4
SPEC = NetworkSpec(
    encoder="resnet18",
    encoder_args={"channels": [32, 64, 128, 256]},
    decoder=(16, 24, 48, 64, 96),
)


def recolour(pixels, random):
    """Brightness, contrast, single channels, blur and noise, as in the first stage."""
    gain = 1.0 + random.uniform(-0.25, 0.25)
    shift = random.uniform(-0.12, 0.12)
    channels = random.uniform(-0.08, 0.08, (2, 3))
    slope = gain * (1.0 + channels[0])
    offset = 255.0 * (shift + channels[1]) + 128.0 * (1.0 - slope)
    image = pixels.astype(np.float32) * slope.astype(np.float32) + offset.astype(np.float32)
    if random.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.2, 0.8))
    if random.random() < 0.3:
        noise = random.standard_normal(image.shape, dtype=np.float32)
        image = image + noise * np.float32(random.uniform(0, 6.0))
    return np.clip(image, 0, 255).astype(np.uint8)


def crop(pixels, target, random):
    """One crop of CROP px, turned, scaled, mirrored and recoloured."""
    height, width = target.shape
    centre = np.array([random.uniform(0, width), random.uniform(0, height)])
    if random.random() < 0.3:
        inside = np.flatnonzero(target)
        if len(inside):
            row, column = divmod(int(inside[random.integers(len(inside))]), width)
            centre = np.array([column, row]) + random.uniform(-0.35, 0.35, 2) * CROP
    angle = random.uniform(0, 2 * np.pi)
    scale = float(np.exp(np.clip(random.normal(0, 0.15), -0.5, 0.5)))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    mirror = -1.0 if random.random() < 0.5 else 1.0
    linear = np.array([[mirror * cos, -sin], [mirror * sin, cos]])
    matrix = np.column_stack([linear, np.full(2, CROP / 2) - linear @ centre])
    how = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REFLECT_101}
    image = cv2.warpAffine(pixels, matrix, (CROP, CROP), **how)
    return recolour(image, random), cv2.warpAffine(target, matrix, (CROP, CROP), **how)


def whole(pixels, target, size, turned, random):
    """Show a whole tile at a size near its own, recoloured and mirrored, edges at the edges."""
    image = recolour(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), random)
    mask = cv2.resize(target, size, interpolation=cv2.INTER_LINEAR)
    if random.random() < 0.5:
        image, mask = image[::-1], mask[::-1]
    if random.random() < 0.5:
        image, mask = image[:, ::-1], mask[:, ::-1]
    if turned:
        image, mask = image.transpose(1, 0, 2), mask.T
    return np.ascontiguousarray(image), np.ascontiguousarray(mask)


def batch(tiles, random):
    """Images float32 (BATCH, 3, h, w) and targets float32 (BATCH, 1, h/2, w/2)."""
    high, wide = tiles[0][0].shape[:2]
    height = 32 * max(2, round(high / 32) + random.integers(-1, 2))
    width = 32 * max(2, round(wide / 32) + random.integers(-1, 2))
    turned = random.random() < 0.5
    images, targets = [], []
    crops = random.random() < 0.4
    for index in random.choice(len(tiles), BATCH, replace=False):
        pixels, target = tiles[index]
        made = (
            crop(pixels, target, random)
            if crops
            else whole(pixels, target, (int(width), int(height)), turned, random)
        )
        images.append(torch.from_numpy(made[0].transpose(2, 0, 1).astype(np.float32) / 127 - 1))
        half = (made[1].shape[1] // 2, made[1].shape[0] // 2)
        small = cv2.resize(made[1], half, interpolation=cv2.INTER_AREA)
        targets.append(torch.from_numpy(small.astype(np.float32) / 255)[None])
    return torch.stack(images), torch.stack(targets)


def fine_tune(tiles, state, fold):
    """Return the averaged weights after STEPS steps from `state`, in half precision."""
    torch.manual_seed(0)
    random = np.random.default_rng(fold)
    network = build(SPEC)
    network.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    )
    network = network.to(memory_format=torch.channels_last).train()
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.99), use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min(1, (s + 1) / 30) * 0.5 * (1 + math.cos(math.pi * s / STEPS))
    )
    for _ in range(STEPS):
        images, target = batch(tiles, random)
        logits = network(images.contiguous(memory_format=torch.channels_last)).logits
        share = torch.sigmoid(logits)
        overlap = (2 * (share * target).sum() + 1) / (share.sum() + target.sum() + 1)
        loss = 0.5 * F.binary_cross_entropy_with_logits(logits, target) + 1 - overlap
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        averaged.update_parameters(network)
    return {
        key: (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in averaged.module.state_dict().items()
    }


def main():
    """Fine-tune five folds, one after another: about nine minutes each on one core."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("kidney", "first_stage", "out"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    table = SlideTable.open(given.kidney / "train.csv")
    with (given.first_stage / "folds.csv").open(newline="") as file:
        folds = {row["id"]: int(row["fold"]) for row in csv.DictReader(file)}
    tiles = {}
    for slide in table.slides:
        truth = decode(table.truth[slide.id], (slide.height, slide.width))
        size = (round(slide.width * SCALE / 2) * 2, round(slide.height * SCALE / 2) * 2)
        shown = [slide.read(), truth.astype(np.uint8) * 255]
        tiles[slide.id] = [cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in shown]
    given.out.mkdir(parents=True, exist_ok=True)
    for fold in range(5):
        name = f"resnet18_slim_kidney_{fold}.safetensors"
        seen = [tile for key, tile in tiles.items() if folds[key] != fold]
        made = fine_tune(seen, load_file(given.first_stage / name), fold)
        save_file(made, given.out / name, metadata={"epoch": "3460"})


if __name__ == "__main__":
    main()
