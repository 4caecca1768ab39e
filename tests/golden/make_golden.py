#!/usr/bin/env python3
"""Writes steps.h: losses and gradients of ten steps of two tiny nets, computed by PyTorch in double.

Run by hand where torch is installed: python3 tests/golden/make_golden.py
Images, labels and first weights come from integer formulas that steps_test.c has too.
"""

import os

import torch
import torch.nn.functional as F

STEPS = 10
ROWS = 5
MEAN, DEVIATION = 0.4, 0.3

NETS = {
    # name: widths, activations, learning rate, weight decay, label smoothing
    "relu": ((9, 7, 4), (torch.relu,), 0.1, 0.0, 0.0),
    "smooth": ((12, 6, 5, 3), (torch.tanh, F.gelu), 0.05, 0.02, 0.1),
}


def pixel(row, column):
    return (row * 53 + column * 29 + (row * column) % 7 * 13) % 256


def first_weight(parameter, element):
    return ((element * 37 + parameter * 11 + 5) % 101 - 50) / 100


def make_parameters(widths):
    parameters = []
    for inputs, outputs in zip(widths, widths[1:]):
        for shape in ((inputs, outputs), (outputs,)):
            count = torch.Size(shape).numel()
            values = [first_weight(len(parameters), i) for i in range(count)]
            tensor = torch.tensor(values, dtype=torch.float64).reshape(shape)
            parameters.append(tensor.requires_grad_())
    return parameters


def forward(parameters, activations, x):
    for i in range(0, len(parameters), 2):
        x = x @ parameters[i] + parameters[i + 1]
        if i // 2 < len(activations):
            x = activations[i // 2](x)
    return x


def run(widths, activations, rate, decay, smoothing):
    parameters = make_parameters(widths)
    pixels = [[pixel(row, column) for column in range(widths[0])] for row in range(ROWS)]
    x = (torch.tensor(pixels, dtype=torch.float64) / 255 - MEAN) / DEVIATION
    labels = torch.tensor([(2 * row + 1) % widths[-1] for row in range(ROWS)])
    optimizer = torch.optim.SGD(
        [{"params": parameters[0::2], "weight_decay": decay}, {"params": parameters[1::2]}],
        lr=rate, momentum=0.9)
    losses, gradients = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(forward(parameters, activations, x), labels,
                               label_smoothing=smoothing)
        loss.backward()
        losses.append(loss.item())
        gradients.append([value for p in parameters for value in p.grad.flatten().tolist()])
        optimizer.step()
    return losses, gradients


def array(values):
    text, line = "", "   "
    for value in values:
        word = " %.9g," % value
        if len(line) + len(word) > 98:
            text, line = text + line + "\n", "   "
        line += word
    return text + line + "\n"


def main():
    parts = ["/* Made by make_golden.py with PyTorch %s; do not edit. */\n/* clang-format off */\n" % torch.__version__]
    for name, settings in NETS.items():
        losses, gradients = run(*settings)
        parts.append("static const double %s_losses[%d] = {\n%s};\n" % (name, STEPS, array(losses)))
        parts.append("static const double %s_gradients[%d][%d] = {\n" %
                     (name, STEPS, len(gradients[0])))
        for step in gradients:
            parts.append("{\n%s},\n" % array(step))
        parts.append("};\n")
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "steps.h")
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(parts))


if __name__ == "__main__":
    main()
