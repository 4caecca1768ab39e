"""Runs one row in one way by a peer, in a process of its own: worker.py ROW-INDEX ISA WAY THREADS.

Prepares, prints "ready", then for each line "SECONDS" on standard input measures for so long and answers the median
step in microseconds. Between lines it blocks in a read, so that it takes no CPU from whoever is measured then."""
import statistics
import sys
import time

from rows import NETS, rows_for

BATCHES = 8   # float32 batches in memory, taken in turn
RATE, MOMENTUM = 1e-3, 0.9


def torch_net(widths):
    import torch
    torch.manual_seed(0)
    layers = []
    for i, (a, b) in enumerate(zip(widths, widths[1:])):
        layers += [torch.nn.Linear(a, b)] + ([torch.nn.ReLU()] if i + 2 < len(widths) else [])
    return torch.nn.Sequential(*layers)


def training_step(row, way):
    import torch
    from torch.func import functional_call, grad_and_value
    net = torch_net(NETS[row.net])
    half = row.precision == "bf16"

    def loss_of(parameters, x, y):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = net(x) if parameters is None else functional_call(net, parameters, (x,))
            return torch.nn.functional.cross_entropy(logits.float(), y)

    if way == "compiled":  # forward, backward and update as one graph
        state = {n: p.detach().clone() for n, p in net.named_parameters()}
        speed = {n: torch.zeros_like(p) for n, p in state.items()}

        def whole(state, speed, x, y):
            gradients, _ = grad_and_value(loss_of)(state, x, y)
            for n, gradient in gradients.items():
                speed[n].mul_(MOMENTUM).add_(gradient)
                state[n].sub_(speed[n], alpha=RATE)

        compiled = torch.compile(whole)
        return lambda x, y: compiled(state, speed, x, y)
    optimiser = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM,
                                fused=way == "eager-fused", foreach=way == "eager-foreach")

    def step(x, y):
        optimiser.zero_grad(set_to_none=True)
        loss_of(None, x, y).backward()
        optimiser.step()
    return step


def prediction(row, way):
    import torch
    net = torch_net(NETS[row.net]).eval()
    if way == "onnxruntime":
        return onnxruntime_prediction(net, row)
    if row.precision == "bf16":
        net = net.to(torch.bfloat16)
    if way == "compiled":
        net = torch.compile(net)

    def predict(x, _):
        with torch.inference_mode():
            return net(x)
    return predict


def onnxruntime_prediction(net, row):
    import numpy
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
    nodes, weights, name = [], [], "x"
    for i, layer in enumerate(net):
        if hasattr(layer, "weight"):
            weights += [numpy_helper.from_array(layer.weight.detach().numpy(), f"w{i}"),
                        numpy_helper.from_array(layer.bias.detach().numpy(), f"b{i}")]
            nodes.append(helper.make_node("Gemm", [name, f"w{i}", f"b{i}"], [f"y{i}"], transB=1))
        else:
            nodes.append(helper.make_node("Relu", [name], [f"y{i}"]))
        name = f"y{i}"
    widths = NETS[row.net]
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [row.batch, widths[0]])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [row.batch, widths[-1]])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                           providers=["CPUExecutionProvider"])
    return lambda x, _: session.run(None, {"x": x if isinstance(x, numpy.ndarray) else x.numpy()})


def batches(row, way):
    import torch
    generator = torch.Generator().manual_seed(1)
    xs = [torch.rand(row.batch, NETS[row.net][0], generator=generator) * 2 - 1 for _ in range(BATCHES)]
    ys = [torch.randint(10, (row.batch,), generator=generator) for _ in range(BATCHES)]
    if way == "onnxruntime":
        xs = [x.numpy() for x in xs]
    elif not row.train and row.precision == "bf16":
        xs = [x.to(torch.bfloat16) for x in xs]
    return xs, ys


def measure(step, xs, ys, seconds):
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 4:
        i = len(times) % BATCHES
        begin = time.perf_counter_ns()
        step(xs[i], ys[i])
        times.append(time.perf_counter_ns() - begin)
    return statistics.median(times) / 1000


def main():
    import torch
    torch.set_num_threads(THREADS)
    torch.set_flush_denormal(True)
    row = rows_for(sys.argv[2])[int(sys.argv[1])]
    step = (training_step if row.train else prediction)(row, sys.argv[3])
    xs, ys = batches(row, sys.argv[3])
    measure(step, xs, ys, 0.3)
    print("ready", flush=True)
    for line in sys.stdin:
        print(measure(step, xs, ys, float(line)), flush=True)


THREADS = int(sys.argv[4])
main()
