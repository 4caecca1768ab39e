#!/usr/bin/env python3
"""How well PyTorch does with a recipe: the same net, first weights from the same distributions, the same options on the same JPEG files.

accuracy.py DATA recipes/resnet8.options --seed 1: a line of JSON for each epoch and for the result, with `deeper train`'s keys."""
import argparse
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from nets import make
from recipe import read_recipe


def read_half(folder):
    """FOLDER/CLASS/*.jpg: images (n, 3, 32, 32) u8 and labels."""
    images, labels = [], []
    for label, place in enumerate(sorted(p for p in Path(folder).iterdir() if p.is_dir())):
        for path in sorted(place.iterdir()):
            images.append(np.asarray(Image.open(path).convert("RGB")))
            labels.append(label)
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels)


def rate_at(peak, x):
    """deeper's one-cycle: evenly up to 0.3, half a cosine down."""
    if x < 0.3:
        return peak * (0.04 + 0.96 * x / 0.3)
    return peak * (1e-4 + (1 - 1e-4) * 0.5 * (1 + math.cos(math.pi * (x - 0.3) / 0.7)))


def begin(net):
    """First weights as deeper draws them: He before a relu, Glorot for the last layer."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)


def augmented(images, augment, mean):
    """Whole pixels alone: a window out of the padded image, left and right, a grey square."""
    n, _, height, width = images.shape
    pad, hole = int(augment.get("crop", 0)), int(augment.get("cutout", 0))
    top, left = (torch.randint(2 * pad + 1, (n, 1)) for _ in range(2))
    rows, columns = torch.arange(height) + top, torch.arange(width) + left
    if "flip" in augment:
        turned = torch.rand(n, 1) < 0.5
        columns = torch.where(turned, columns.flip(1), columns)
    padded = functional.pad(images, (pad,) * 4)
    which, channels = torch.arange(n)[:, None, None, None], torch.arange(images.shape[1])[None, :, None, None]
    out = padded[which, channels, rows[:, None, :, None], columns[:, None, None, :]]
    if hole:
        middle = torch.rand(n, 2) * torch.tensor([height, width])
        inside = [(torch.arange(side) + 0.5 - middle[:, i:i + 1]).abs() < hole / 2 for i, side in enumerate((height, width))]
        out = torch.where((inside[0][:, :, None] & inside[1][:, None, :])[:, None], mean, out)
    return out


def accuracy(net, prepare, images, labels, flips):
    net.eval()
    hits = 0
    with torch.no_grad():
        for x, y in zip(images.split(500), labels.split(500)):
            x = prepare(x.float())
            out = net(x) + net(x.flip(3)) if flips else net(x)
            hits += (out.argmax(1) == y).sum().item()
    net.train()
    return hits / len(labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--images", type=int, help="of each half, spread over it, for a short look")
    asked = parser.parse_args()
    options, augment = read_recipe(asked.recipe)
    epochs, batch, peak = asked.epochs or int(options["epochs"]), int(options["batch"]), float(options["lr"])
    (images, labels), test = read_half(asked.data / "train"), read_half(asked.data / "test")
    if asked.images:
        images, labels, test = *(x[::len(x) // asked.images] for x in (images, labels)), [x[::len(x) // asked.images] for x in test]
    scaled = images.float()
    mean, deviation = (f(scaled, dim=(0, 2, 3)).view(1, 3, 1, 1) for f in (torch.mean, torch.std))
    del scaled

    def prepare(x):
        return ((x - mean) / deviation).contiguous(memory_format=torch.channels_last)

    net = make(options["net"].removeprefix("preset:"))[0].to(memory_format=torch.channels_last)
    torch.manual_seed(asked.seed)
    begin(net)
    decayed = [p for p in net.parameters() if p.dim() > 1]
    others = [p for p in net.parameters() if p.dim() <= 1]
    optimiser = torch.optim.SGD([{"params": decayed, "weight_decay": float(options.get("weight-decay", 0))}, {"params": others}], lr=peak,
                                momentum=float(options["momentum"]), nesterov=True, fused=True)
    loss_of = nn.CrossEntropyLoss(label_smoothing=float(options.get("label-smoothing", 0)))
    steps, step = math.ceil(len(labels) / batch), 0
    began = time.perf_counter()
    for epoch in range(1, epochs + 1):
        since, losses, hits = time.perf_counter(), 0.0, 0
        for index in torch.randperm(len(labels)).split(batch):
            for group in optimiser.param_groups:
                group["lr"] = rate_at(peak, step / (steps * epochs))
            x = prepare(augmented(images[index], augment, mean).float())
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=options.get("precision") == "bf16"):
                out = net(x).float()
            loss = loss_of(out, labels[index])
            loss.backward()
            optimiser.step()
            losses, hits, step = losses + loss.item() * len(index), hits + (out.argmax(1) == labels[index]).sum().item(), step + 1
        seconds = time.perf_counter() - since
        print(json.dumps({"epoch": epoch, "loss": losses / len(labels), "train_accuracy": hits / len(labels),
                          "images_per_second": len(labels) / seconds, "seconds": seconds}), flush=True)
    plain = accuracy(net, prepare, *test, False)
    print(json.dumps({"done": True, "test_accuracy": accuracy(net, prepare, *test, True) if "tta" in options else plain,
                      "test_accuracy_plain": plain, "seconds": time.perf_counter() - began}), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    main()
