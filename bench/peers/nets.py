#!/usr/bin/env python3
"""The suite's networks in PyTorch, layer for layer those of presets/*.net; alone it prints how many parameters each has."""
import json
import sys

import torch
from torch import nn
from torch.nn import functional

CLASSES = 10


def conv(c, k, stride=1):
    """3 × 3 "same", without bias, since a batch norm follows."""
    return nn.Conv2d(c, k, 3, stride, padding=1, bias=False)


class PadShortcut(nn.Module):
    """Option A: every stride-th pixel, channels of zeros on both sides."""

    def __init__(self, more, stride):
        super().__init__()
        self.before, self.after, self.stride = more // 2, more - more // 2, stride

    def forward(self, x):
        return functional.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.before, self.after))


def pad(c, k, stride):
    """Option A."""
    return PadShortcut(k - c, stride)


def project(c, k, stride):
    """Option B."""
    return nn.Sequential(nn.Conv2d(c, k, 1, stride, bias=False), nn.BatchNorm2d(k))


class Basic(nn.Module):
    def __init__(self, c, k, stride, shortcut):
        super().__init__()
        self.body = nn.Sequential(conv(c, k, stride), nn.BatchNorm2d(k), nn.ReLU(), conv(k, k), nn.BatchNorm2d(k))
        self.shortcut = nn.Identity() if stride == 1 and c == k else shortcut(c, k, stride)

    def forward(self, x):
        return functional.relu(self.body(x) + self.shortcut(x))


def resnet(widths, blocks, shortcut):
    c = widths[0]
    layers = [conv(3, c), nn.BatchNorm2d(c), nn.ReLU()]
    for width in widths:
        for i in range(blocks):
            layers.append(Basic(c, width, 2 if i == 0 and width != widths[0] else 1, shortcut))
            c = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, CLASSES))


def separable(c, k, stride):
    return [nn.Conv2d(c, c, 3, stride, padding=1, groups=c, bias=False), nn.BatchNorm2d(c), nn.ReLU(),
            nn.Conv2d(c, k, 1, bias=False), nn.BatchNorm2d(k), nn.ReLU()]


def mobilenet():
    layers, c = [conv(3, 32), nn.BatchNorm2d(32), nn.ReLU()], 32
    for k, stride in [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + 5 * [(512, 1)] + [(1024, 2), (1024, 1)]:
        layers += separable(c, k, stride)
        c = k
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, CLASSES))


class Scale(nn.Module):
    def forward(self, x):
        return x / 9


def shift_norm(c):
    """Batch norm without a trained scale."""
    norm = nn.BatchNorm2d(c, eps=1e-12, momentum=0.4)
    norm.weight.requires_grad_(False)
    return norm


def airbench():
    layers, c = [nn.Conv2d(3, 24, 2), nn.GELU()], 24
    for width in (64, 256, 256):
        layers += [conv(c, width), nn.MaxPool2d(2), shift_norm(width), nn.GELU(), conv(width, width), shift_norm(width), nn.GELU()]
        c = width
    return nn.Sequential(*layers, nn.MaxPool2d(3), nn.Flatten(), nn.Linear(c, CLASSES, bias=False), Scale())


def lenet5():
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, CLASSES))


def mnist_cnn():
    return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
                         nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, CLASSES))


def dense(widths):
    layers = []
    for a, b in zip(widths, widths[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


CONVOLUTIONAL = {
    "lenet5": (lenet5, (1, 28, 28)),
    "mnist-cnn": (mnist_cnn, (1, 28, 28)),
    "resnet8": (lambda: resnet((16, 32, 64), 1, pad), (3, 32, 32)),
    "resnet20": (lambda: resnet((16, 32, 64), 3, pad), (3, 32, 32)),
    "airbench": (airbench, (3, 32, 32)),
    "mobilenet": (mobilenet, (3, 32, 32)),
    "resnet18": (lambda: resnet((64, 128, 256, 512), 2, project), (3, 32, 32)),
}


def make(name):
    """A net of the table, "resnet20" or "784-32-10", and the shape of its images."""
    torch.manual_seed(0)
    if name in CONVOLUTIONAL:
        maker, shape = CONVOLUTIONAL[name]
        return maker(), shape
    widths = [int(width) for width in name.split("-")]
    return dense(widths), (widths[0],)


def without_running_averages(net):
    """torch.func refuses them; a step without has less to do, a small favour."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None
    return net


def count(name):
    return sum(p.numel() for p in make(name)[0].parameters() if p.requires_grad)


if __name__ == "__main__":
    print(json.dumps({name: count(name) for name in sys.argv[1:]}))
