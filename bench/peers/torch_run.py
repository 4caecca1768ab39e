"""A plain PyTorch training run, data in memory: what a user would write, with the fastest optimiser."""
import argparse
import gzip
import json
from pathlib import Path

import torch
from torch.nn import functional

BATCH, RATE, MOMENTUM = 128, 0.1, 0.9


def read_idx(folder, name, offset):
    path = Path(folder) / name
    data = gzip.decompress(path.with_name(name + ".gz").read_bytes()) if not path.exists() else path.read_bytes()
    return torch.frombuffer(bytearray(data[offset:]), dtype=torch.uint8)


def net_of(widths):
    layers = []
    for i, (a, b) in enumerate(zip(widths, widths[1:])):
        layers += [torch.nn.Linear(a, b)] + ([torch.nn.ReLU()] if i + 2 < len(widths) else [])
    return torch.nn.Sequential(*layers)


def train(net, images, labels, epochs):
    optimiser = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM, nesterov=True, fused=True)
    for _ in range(epochs):
        order = torch.randperm(len(labels))
        for begin in range(0, len(labels), BATCH):
            index = order[begin:begin + BATCH]
            x = (images[index].float() / 255 - 0.1307) / 0.3081
            optimiser.zero_grad(set_to_none=True)
            functional.cross_entropy(net(x), labels[index]).backward()
            optimiser.step()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--widths", default="[784, 1024, 1024, 10]")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--out")
    parser.add_argument("--memory", action="store_true", help="one epoch over as many images as deeper bench has")
    options = parser.parse_args()
    net = net_of(json.loads(options.widths))
    if options.memory:
        images, labels = torch.randint(256, (16384, 784), dtype=torch.uint8), torch.randint(10, (16384,))
    else:
        images = read_idx(options.data, "train-images-idx3-ubyte", 16).view(-1, 784)
        labels = read_idx(options.data, "train-labels-idx1-ubyte", 8).long()
    train(net, images, labels, options.epochs)
    if options.out:
        torch.save(net.state_dict(), options.out)


main()
