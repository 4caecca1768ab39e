"""A plain PyTorch training run, data in memory: what a user would write, with the fastest optimiser."""
import argparse
import gzip
from pathlib import Path

import torch
from torch.nn import functional

from nets import make

BATCH, RATE, MOMENTUM = 128, 0.1, 0.9


def read_idx(folder, name, offset):
    path = Path(folder) / name
    data = gzip.decompress(path.with_name(name + ".gz").read_bytes()) if not path.exists() else path.read_bytes()
    return torch.frombuffer(bytearray(data[offset:]), dtype=torch.uint8)


def train(net, images, labels, epochs):
    optimiser = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=RATE, momentum=MOMENTUM, nesterov=True, fused=True)
    for _ in range(epochs):
        order = torch.randperm(len(labels))
        for begin in range(0, len(labels), BATCH):
            index = order[begin:begin + BATCH]
            x = (images[index].float() / 255 - 0.1307) / 0.3081
            if x.dim() == 4:
                x = x.contiguous(memory_format=torch.channels_last)
            optimiser.zero_grad(set_to_none=True)
            functional.cross_entropy(net(x), labels[index]).backward()
            optimiser.step()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--net", default="784-1024-1024-10")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--out")
    parser.add_argument("--random", type=int, help="train on so many made-up images, for a look at the memory")
    options = parser.parse_args()
    net, shape = make(options.net)
    if len(shape) == 3:
        net = net.to(memory_format=torch.channels_last)
    if options.random:
        images, labels = torch.randint(256, (options.random, *shape), dtype=torch.uint8), torch.randint(10, (options.random,))
    else:
        images = read_idx(options.data, "train-images-idx3-ubyte", 16).view(-1, *shape)
        labels = read_idx(options.data, "train-labels-idx1-ubyte", 8).long()
    train(net, images, labels, options.epochs)
    if options.out:
        torch.save(net.state_dict(), options.out)


main()
