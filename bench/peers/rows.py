"""The suite: what is timed, and how much faster deeper must be than the best peer."""
from dataclasses import dataclass

NETS = {"784-10": (784, 10), "784-32-10": (784, 32, 10), "784-128-10": (784, 128, 10),
        "784-1024-1024-10": (784, 1024, 1024, 10)}


@dataclass(frozen=True)
class Row:
    name: str        # as `deeper bench` knows it
    net: str
    batch: int
    train: bool
    precision: str   # float32 or bf16
    bar: float       # best peer's step time / ours


def _rows(name, net, train, precision, bars):
    return [Row(name, net, batch, train, precision, bar) for batch, bar in bars.items()]


ROWS = (
    _rows("L0", "784-10", True, "float32", {128: 3})
    + _rows("B0", "784-32-10", True, "float32", {1: 8, 16: 4})
    + _rows("B1", "784-128-10", True, "float32", {32: 3.5, 128: 1.6})
    + _rows("B2", "784-1024-1024-10", True, "float32", {32: 2.2, 128: 1.3, 512: 1.15})
    + _rows("I1", "784-32-10", False, "float32", {1: 2})
    + _rows("I1", "784-128-10", False, "float32", {1: 2})
    + _rows("I1", "784-1024-1024-10", False, "float32", {1: 1})
    + _rows("I64", "784-32-10", False, "float32", {64: 1.3})
    + _rows("I64", "784-128-10", False, "float32", {64: 1.15})
    + _rows("I64", "784-1024-1024-10", False, "float32", {64: 1.1})
)
# With AMX, and with AVX512-bf16 alone.
BF16 = {
    "amx": _rows("B1", "784-128-10", True, "bf16", {32: 5, 128: 3.5})
    + _rows("B2", "784-1024-1024-10", True, "bf16", {32: 3.4, 128: 3, 512: 2.2})
    + _rows("I1", "784-1024-1024-10", False, "bf16", {1: 1.6})
    + _rows("I64", "784-1024-1024-10", False, "bf16", {64: 1.8}),
    "avx512bf16": _rows("B1", "784-128-10", True, "bf16", {32: 4, 128: 2.5})
    + _rows("B2", "784-1024-1024-10", True, "bf16", {32: 2.2, 128: 2, 512: 1.7})
    + _rows("I1", "784-1024-1024-10", False, "bf16", {1: 1.6})
    + _rows("I64", "784-1024-1024-10", False, "bf16", {64: 1.3}),
}


def rows_for(isa):
    """All rows that mean something on a machine whose best instruction set this is."""
    return ROWS + BF16.get(isa, [])


def ways_of(row):
    """The honest ways in which peers can run a row, by the words that worker.py knows."""
    if row.train:
        return ["eager-fused", "eager-loop", "eager-foreach", "compiled"]
    return ["eager", "compiled"] + (["onnxruntime"] if row.precision == "float32" else [])
