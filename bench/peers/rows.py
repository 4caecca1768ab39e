"""The suite: what is timed, and how much faster deeper must be than the best peer."""
from dataclasses import dataclass

CONVOLUTIONAL = ("lenet5", "mnist-cnn", "resnet20", "airbench", "resnet18")  # presets of deeper; other nets are widths


@dataclass(frozen=True)
class Row:
    name: str        # as `deeper bench` knows it
    net: str         # as nets.py and the table of `deeper bench` do
    batch: int
    train: bool
    precision: str   # float32 or bf16
    bar: float       # best peer's step time / ours

    @property
    def convolutional(self):
        return self.net in CONVOLUTIONAL


def _rows(name, net, train, precision, bars):
    return [Row(name, net, batch, train, precision, bar) for batch, bar in bars.items()]


def _predict(precision, bars):
    """Rows I1 or I64: {net: bar}."""
    name, batch = ("I1", 1) if 1 in bars else ("I64", 64)
    return [Row(name, net, batch, False, precision, bar) for net, bar in bars[batch].items()]


def _convolutional(precision, b3, b4, b5, b6, b7, i1, i64):
    """Bars of both batches of B6 and B7 are the same; i1, i64: of lenet5, and of the other three."""
    predicted = ("lenet5", "resnet20", "airbench", "resnet18")
    return (_rows("B3", "lenet5", True, precision, {64: b3})
            + _rows("B4", "mnist-cnn", True, precision, {64: b4})
            + _rows("B5", "resnet20", True, precision, {128: b5})
            + _rows("B6", "airbench", True, precision, {128: b6, 500: b6})
            + _rows("B7", "resnet18", True, precision, {32: b7, 128: b7})
            + _predict(precision, {1: dict(zip(predicted, (i1[0], *3 * i1[1:])))})
            + _predict(precision, {64: dict(zip(predicted, (i64[0], *3 * i64[1:])))}))


ROWS = (
    _rows("L0", "784-10", True, "float32", {128: 3})
    + _rows("B0", "784-32-10", True, "float32", {1: 8, 16: 4})
    + _rows("B1", "784-128-10", True, "float32", {32: 3.5, 128: 1.6})
    + _rows("B2", "784-1024-1024-10", True, "float32", {32: 2.2, 128: 1.3, 512: 1.15})
    + _predict("float32", {1: {"784-32-10": 2, "784-128-10": 2, "784-1024-1024-10": 1}})
    + _predict("float32", {64: {"784-32-10": 1.3, "784-128-10": 1.15, "784-1024-1024-10": 1.1}})
    + _convolutional("float32", b3=3.5, b4=2, b5=1.8, b6=1.8, b7=2.2, i1=(2, 1.3), i64=(1.5, 1.5))
)
# With AMX, and with AVX512-bf16 alone.
BF16 = {
    "amx": _rows("B1", "784-128-10", True, "bf16", {32: 5, 128: 3.5})
    + _rows("B2", "784-1024-1024-10", True, "bf16", {32: 3.4, 128: 3, 512: 2.2})
    + _predict("bf16", {1: {"784-1024-1024-10": 1.6}})
    + _predict("bf16", {64: {"784-1024-1024-10": 1.8}})
    + _convolutional("bf16", b3=3, b4=2.5, b5=2.9, b6=2.4, b7=4, i1=(1.5, 1.5), i64=(1.5, 1.5)),
    "avx512bf16": _rows("B1", "784-128-10", True, "bf16", {32: 4, 128: 2.5})
    + _rows("B2", "784-1024-1024-10", True, "bf16", {32: 2.2, 128: 2, 512: 1.7})
    + _predict("bf16", {1: {"784-1024-1024-10": 1.6}})
    + _predict("bf16", {64: {"784-1024-1024-10": 1.3}})
    + _convolutional("bf16", b3=3, b4=1.5, b5=1.3, b6=1.2, b7=1.4, i1=(1.2, 1.2), i64=(1.2, 1.2)),
}


def rows_for(isa):
    """All rows that mean something on a machine whose best instruction set this is."""
    return ROWS + BF16.get(isa, [])


def ways_of(row):
    """The honest ways in which peers can run a row, by the words that worker.py knows. A convolutional net has its images and
    filters in either order; compiled nets have them with the channels last, which is never slower. One image at a time in bf16
    has to beat float32, too."""
    if not row.train:
        onnx = row.precision == "float32" or (row.convolutional and row.batch == 1)
        eager = ["eager-nhwc", "eager-nchw"] if row.convolutional else ["eager"]
        return eager + ["compiled"] + (["onnxruntime"] if onnx else [])
    if not row.convolutional:
        return ["eager-fused", "eager-loop", "eager-foreach", "compiled"]
    # A compiled step of a small net beats a compiled model; nothing compiled helps airbench as a whole.
    compiled = {"lenet5": ["compiled"], "mnist-cnn": ["compiled"], "airbench": ["compiled-model"]}
    return ["eager-nhwc", "eager-nchw"] + compiled.get(row.net, ["compiled-model", "compiled"])
