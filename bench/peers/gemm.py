#!/usr/bin/env python3
"""Matrix products beside OpenBLAS (NumPy's), MKL and oneDNN (PyTorch's): gemm.py BENCHMARK, the program build/release/benches/gemm.
Everybody uses all cores and keeps his operands as he likes them between calls; three turns each, the best median of a turn counts."""
import json
import statistics
import subprocess
import sys
import time

import numpy
import torch

TURNS, SECONDS = 3, 0.3


def median_us(call):
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 5:
        begin = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - begin)
    return statistics.median(times) / 1000


def peers(m, k, n, precision):
    a, b = torch.rand(m, k) - 0.5, torch.rand(k, n) - 0.5
    if precision == "bf16":
        a, b = a.bfloat16(), b.bfloat16()
        c = torch.empty(m, n, dtype=torch.bfloat16)
        layer = torch.nn.Linear(k, n, bias=False).bfloat16()
        return {"oneDNN": lambda: torch.mm(a, b, out=c), "oneDNN, weights packed": compiled(layer, a)}
    x, y, z = a.numpy(), b.numpy(), numpy.empty((m, n), numpy.float32)
    c = torch.empty(m, n)
    layer = torch.nn.Linear(k, n, bias=False)
    return {"OpenBLAS": lambda: numpy.matmul(x, y, out=z), "MKL": lambda: torch.mm(a, b, out=c),
            "oneDNN, weights packed": compiled(layer, a)}


def compiled(layer, a):
    """oneDNN's inner product with the weights in the layout that it prefers."""
    packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), a.shape[0])
    return lambda: torch.ops.mkldnn._linear_pointwise(a, packed, None, "none", [], "")


def main():
    best = {}
    for _ in range(TURNS):
        out = subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True).stdout
        for line in map(json.loads, out.splitlines()):
            shape = (line["m"], line["k"], line["n"], line["precision"])
            mine = best.setdefault(shape, {})
            mine["deeper"] = min(mine.get("deeper", 1e9), line["us"])
    with torch.inference_mode():
        for _ in range(TURNS):
            for shape, row in best.items():
                for name, call in peers(*shape).items():
                    try:
                        row[name] = min(row.get(name, 1e9), median_us(call))
                    except RuntimeError:
                        pass  # this build of PyTorch has no such path
    print("| m × k × n | precision | deeper GF/s | best peer GF/s | share |\n|---|---|---|---|---|")
    for (m, k, n, precision), row in best.items():
        work = 2e-3 * m * k * n
        name = min((peer for peer in row if peer != "deeper"), key=row.get)
        print(f"| {m} × {k} × {n} | {precision} | {work / row['deeper']:.0f} | {work / row[name]:.0f} ({name}) | "
              f"{100 * row[name] / row['deeper']:.0f} % |")


main()
