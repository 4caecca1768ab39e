#!/usr/bin/env python3
"""The method of the recipe cifar10-fast in PyTorch: airbench94 with Muon (Jordan 2024), on the same JPEG files, parameters in float32.

airbench94.py DATA [--seed N] [--precision bf16]: a line of JSON for each epoch and for the result, with `deeper train`'s keys. With --steps N
that many training steps are timed, and nothing else done: {"step_seconds", "epoch_seconds"} of the median."""
import argparse
import json
import math
import os
import statistics
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from accuracy import read_half
from nets import airbench

EPOCHS, BATCH, WHITENING_EPOCHS, SHIFT = 8, 2000, 3, 2
DECAY = 2e-6 * BATCH  # of a step: rate times weight decay


class Mean(nn.Module):
    def forward(self, x):
        return x / 256


def orthogonal(g):
    """Three steps of the odd polynomial whose coefficients are Jordan's; the shorter side first."""
    x = g / (g.norm() + 1e-7)
    x = x.T if g.shape[0] > g.shape[1] else x
    for _ in range(3):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if g.shape[0] > g.shape[1] else x


class Muon(torch.optim.Optimizer):
    def __init__(self, filters, lr, momentum):
        super().__init__(filters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                velocity = self.state[p].setdefault("momentum", torch.zeros_like(p.grad))
                velocity.mul_(group["momentum"]).add_(p.grad)
                direction = p.grad.add(velocity, alpha=group["momentum"])
                p.mul_(len(p) ** 0.5 / (p.norm() + 1e-7))
                p.add_(orthogonal(direction.reshape(len(p), -1)).view_as(p), alpha=-group["lr"])


def begin(net, images):
    """Filters that pass channels on, a last layer of deviation 1, and whitening filters of patches."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.bias is None:
            nn.init.dirac_(module.weight.data[:module.weight.shape[1]])
    net[-2].weight.data /= net[-2].weight.data.std()
    net[-1] = Mean()
    first = net[0]
    patches = images[:5000].unfold(2, 2, 1).unfold(3, 2, 1).transpose(1, 3).reshape(-1, 12)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches), UPLO="U")
    filters = vectors.T.reshape(12, 3, 2, 2) / torch.sqrt(values.view(12, 1, 1, 1) + 5e-4)
    first.weight.data[:] = torch.cat((filters, -filters))
    first.weight.requires_grad_(False)
    nn.init.zeros_(first.bias)


def optimisers(net):
    filters = [p for p in net.parameters() if p.dim() == 4 and p.requires_grad]
    shifts = [m.bias for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    rest = [{"params": params, "lr": lr, "weight_decay": DECAY / lr}
            for params, lr in (([net[0].bias], 0.053), (shifts, 0.053), ([net[-2].weight], 0.67))]
    both = (torch.optim.SGD(rest, momentum=0.85, nesterov=True, fused=True), Muon(filters, 0.24, 0.6))
    for group in both[0].param_groups + both[1].param_groups:
        group["peak"] = group["lr"]
    return both


def augmented(padded, index, flipped):
    """A window of each padded image, and every other one turned, all in turn by epoch."""
    n, side = len(index), padded.shape[2] - 2 * SHIFT
    top, left = (torch.randint(2 * SHIFT + 1, (n, 1)) + torch.arange(side) for _ in range(2))
    left = torch.where(flipped[:, None], left.flip(1), left)
    return padded[index[:, None, None], :, top[:, :, None], left[:, None, :]].permute(0, 3, 1, 2)


def logits(net, images, views):
    """As it is, or with its mirror image, and both shifted by a pixel up and left and down and right."""
    def both(x):
        return 0.5 * net(x) + 0.5 * net(x.flip(3)) if views else net(x)
    if not views:
        return both(images)
    padded = functional.pad(images, (1,) * 4, "reflect")
    return 0.5 * both(images) + 0.25 * both(padded[:, :, :32, :32]) + 0.25 * both(padded[:, :, 2:, 2:])


def accuracy(net, images, labels, precision, views):
    net.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        hits = sum((logits(net, x, views).argmax(1) == y).sum().item() for x, y in zip(images.split(500), labels.split(500)))
    net.train()
    return hits / len(labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--steps", type=int)
    asked = parser.parse_args()
    (images, labels), (test, test_labels) = read_half(asked.data / "train"), read_half(asked.data / "test")
    mean, deviation = (f(images.float(), dim=(0, 2, 3)).view(1, 3, 1, 1) for f in (torch.mean, torch.std))
    images, test = ((x.float() - mean) / deviation for x in (images, test))
    torch.manual_seed(asked.seed)
    net = airbench()
    begin(net, images)
    net = net.to(memory_format=torch.channels_last)
    both = optimisers(net)
    flip_first, padded = torch.rand(len(labels)) < 0.5, functional.pad(images, (SHIFT,) * 4, "reflect")
    steps, step, times = asked.epochs * math.ceil(len(labels) / BATCH), 0, []
    until_whitened, began = WHITENING_EPOCHS * math.ceil(len(labels) / BATCH), time.perf_counter()
    for epoch in range(1, asked.epochs + 1):
        since = time.perf_counter()
        for index in torch.randperm(len(labels)).split(BATCH):
            at = time.perf_counter()
            x = augmented(padded, index, flip_first[index] ^ (epoch % 2 == 0)).contiguous(memory_format=torch.channels_last)
            for k, group in enumerate(both[0].param_groups + both[1].param_groups):
                group["lr"] = group["peak"] * max(0, 1 - step / (until_whitened if k == 0 else steps))
            with torch.autocast("cpu", torch.bfloat16, enabled=asked.precision == "bf16"):
                out = net(x).float()
            functional.cross_entropy(out, labels[index], label_smoothing=0.2, reduction="sum").backward()
            for optimiser in both:
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
            step += 1
            times.append(time.perf_counter() - at)
            if step == asked.steps:
                print(json.dumps({"step_seconds": statistics.median(times), "epoch_seconds": statistics.median(times) * steps / asked.epochs}))
                return
        print(json.dumps({"epoch": epoch, "images_per_second": len(labels) / (time.perf_counter() - since),
                          "test_accuracy_plain": accuracy(net, test, test_labels, asked.precision, False)}), flush=True)
    print(json.dumps({"done": True, "test_accuracy": accuracy(net, test, test_labels, asked.precision, True),
                      "test_accuracy_plain": accuracy(net, test, test_labels, asked.precision, False),
                      "seconds": time.perf_counter() - began}), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.set_flush_denormal(True)
    main()
