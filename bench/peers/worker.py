"""Runs one row in one way by a peer, in a process of its own: worker.py ROW-INDEX ISA WAY THREADS.

Prepares, prints "ready", then for each line "SECONDS" on standard input measures for so long and answers the median
step in microseconds. Between lines it blocks in a read, so that it takes no CPU from whoever is measured then."""
import io
import statistics
import sys
import time

import torch

from nets import make, without_running_averages
from rows import rows_for

MOST_BATCHES, POOL_BYTES = 8, 64 << 20   # float32 batches in memory, taken in turn: as many as deeper has
RATE, MOMENTUM = 1e-3, 0.9


def layout_of(row, way):
    return torch.channels_last if row.convolutional and way != "eager-nchw" else torch.contiguous_format


def training_step(row, way):
    net = make(row.net)[0].to(memory_format=layout_of(row, way))
    half = row.precision == "bf16"

    def loss_of(x, y):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return torch.nn.functional.cross_entropy(net(x).float(), y)

    if way == "compiled":
        return whole_step(net, half)
    optimiser = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=RATE, momentum=MOMENTUM,
                                fused=way not in ("eager-loop", "eager-foreach"), foreach=way == "eager-foreach")
    loss = torch.compile(loss_of) if way == "compiled-model" else loss_of

    def step(x, y):
        optimiser.zero_grad(set_to_none=True)
        loss(x, y).backward()
        optimiser.step()
    return step


def whole_step(net, half):
    """Forward, backward and update compiled as one graph."""
    from torch.func import functional_call, grad_and_value
    without_running_averages(net)
    state = {n: p.detach().clone() for n, p in net.named_parameters() if p.requires_grad}
    speed = {n: torch.zeros_like(p) for n, p in state.items()}

    def loss_of(parameters, x, y):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return torch.nn.functional.cross_entropy(functional_call(net, parameters, (x,)).float(), y)

    def whole(state, speed, x, y):
        gradients, _ = grad_and_value(loss_of)(state, x, y)
        for n, gradient in gradients.items():
            speed[n].mul_(MOMENTUM).add_(gradient)
            state[n].sub_(speed[n], alpha=RATE)

    compiled = torch.compile(whole)
    return lambda x, y: compiled(state, speed, x, y)


def prediction(row, way):
    net = make(row.net)[0].eval()
    if way == "onnxruntime":
        return onnxruntime_prediction(net, row)
    net = net.to(memory_format=layout_of(row, way))
    if row.precision == "bf16":
        net = net.to(torch.bfloat16)
    if way == "compiled":
        torch._inductor.config.freezing = True  # constants folded, weights packed ahead
        net = torch.compile(net)

    def predict(x, _):
        with torch.inference_mode():
            return net(x)
    return predict


def onnxruntime_prediction(net, row):
    """The exporter folds batch norms into convolutions."""
    import onnxruntime
    file = io.BytesIO()
    torch.onnx.export(net, (torch.zeros(row.batch, *make(row.net)[1]),), file, input_names=["x"], dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    return lambda x, _: session.run(None, {"x": x})


def batches(row, way):
    generator, shape = torch.Generator().manual_seed(1), (row.batch, *make(row.net)[1])
    one = torch.Size(shape).numel() * 4
    n = max(1, min(MOST_BATCHES, POOL_BYTES // one))
    xs = [(torch.rand(shape, generator=generator) * 2 - 1) for _ in range(n)]
    ys = [torch.randint(10, (row.batch,), generator=generator) for _ in range(n)]
    if way == "onnxruntime":
        return [x.numpy() for x in xs], ys
    if not row.train and row.precision == "bf16":
        xs = [x.to(torch.bfloat16) for x in xs]
    return [x.contiguous(memory_format=layout_of(row, way)) for x in xs], ys


def measure(step, xs, ys, seconds, least=3):
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < least:
        i = len(times) % len(xs)
        begin = time.perf_counter_ns()
        step(xs[i], ys[i])
        times.append(time.perf_counter_ns() - begin)
    return statistics.median(times) / 1000


def main():
    torch.set_num_threads(THREADS)
    torch.set_flush_denormal(True)
    row = rows_for(sys.argv[2])[int(sys.argv[1])]
    step = (training_step if row.train else prediction)(row, sys.argv[3])
    xs, ys = batches(row, sys.argv[3])
    step(xs[0], ys[0])  # compiles
    measure(step, xs, ys, 0.3, least=1)
    print("ready", flush=True)
    for line in sys.stdin:
        print(measure(step, xs, ys, float(line)), flush=True)


THREADS = int(sys.argv[4])
main()
