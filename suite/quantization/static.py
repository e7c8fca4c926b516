"""Worker side. Static quantization of a graph: ranges from real samples, and conversions around the 8-bit part."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from suite.axes import QUANTIZE
from suite.lifecycle import Quantization
from suite.quantization.count import TABLE
from suite.quantization.embeddings import tables_in
from suite.quantization.errors import QuantizationError
from suite.quantization.prepare import Prepared, prepare
from suite.quantization.report import completed
from suite.quantization.transposed import rewrite_transposed
from suite.quantization.types import U8U8, measure_types, types_here
from suite.results.quantize import CalibrationSize, EightBitTypes, QuantizationReport, TypeTrial

if TYPE_CHECKING:
    from numpy.typing import NDArray


# The part of a graph that static quantization covers: layers with weights, and operators between them.

LAYERS: Final = ("Conv", "Gemm", "MatMul")
"""The layers with an 8-bit CPU kernel in ONNX Runtime. Not ConvTranspose, rewritten first: see transposed.py."""

CARRIERS: Final = (
    "Add",
    "AveragePool",
    "Clip",
    "Concat",
    "Flatten",
    "GlobalAveragePool",
    "LeakyRelu",
    "MaxPool",
    "Mul",
    "Relu",
    "Reshape",
    "Resize",
    "Sigmoid",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
"""Operators that keep values in 8 bits, with a kernel of their own or because they only move values."""

COMBINING: Final = ("Add", "Concat", "Mul")
"""Carriers of several values, none of them constant: a residual or a gate qualifies, the decoding of a box does not."""


def region_of(model: Any, operators: Collection[str], excluded: Collection[str] = ()) -> list[str]:
    """Return the names of the nodes to quantize, in the graph's order; nodes need names (see nodes.name_all).

    A layer is included if it multiplies by a stored weight, so that attention's products of activations stay float. A
    carrier is included if all its inputs come from included convolutions and everything between it and an included
    layer is included: values stay in 8 bits from layer to layer, and the postprocessing of the last layer's output
    (boxes, probabilities, an enlarged mask) is computed in float, as are attention and activations of transformers.
    """
    ranks = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    allowed = [
        node for node in model.graph.node if node.op_type in operators and node.name not in excluded
    ]
    layers = {node.name for node in allowed if _is_layer(node, ranks)}
    behind: set[str] = set()
    for node in allowed:  # in topological order
        is_carried = node.op_type in CARRIERS and behind.issuperset(_values(node))
        if is_carried or (node.name in layers and node.op_type == "Conv"):
            behind.update(node.output)
    taken = set(layers)
    wanted = {node.input[0] for node in allowed if node.name in layers}
    for node in reversed(allowed):
        is_carried = node.op_type in CARRIERS and behind.issuperset(node.output)
        if is_carried and wanted.intersection(node.output):
            taken.add(node.name)
            wanted.update(_values(node))
    return [node.name for node in allowed if node.name in taken]


def _is_layer(node: Any, ranks: Mapping[str, int]) -> bool:
    """Return True if ONNX Runtime can run it in 8 bits: it has a stored weight, for MatMul a single matrix (for
    several, per-channel scales are rejected: "b zero point is not valid").
    """
    if node.op_type not in LAYERS or len(node.input) < 2 or node.input[1] not in ranks:
        return False
    return node.op_type != "MatMul" or ranks[node.input[1]] == 2


def _values(node: Any) -> list[str]:
    """Return the data inputs; the others are parameters: a shape, bounds, paddings."""
    return list(node.input) if node.op_type in COMBINING else list(node.input[:1])


# Calibration: the real samples that determine the ranges of activations.

Feeds = Mapping[str, "NDArray[Any]"]
"""Input of the graph -> array: one sample, or several if the graph's batch is dynamic."""


class Calibration:
    """Passes feeds to ONNX Runtime one by one (implements CalibrationDataReader) and counts them.

    Raises QuantizationError when there is no feed, when one lacks an input of the graph, and when one holds a value
    that is not finite: a single NaN would make every range NaN.
    """

    def __init__(self, feeds: Iterable[Feeds], inputs: Iterable[str], name: str) -> None:
        self.inputs = list(inputs)
        self.name = name
        self.num_feeds = 0
        self.num_samples = 0
        self._rest: Iterator[Feeds] = iter(feeds)
        self._left: int | None = None

    def __len__(self) -> int:
        """Return the number of feeds, at least one: without any, the first request fails with a reason."""
        feeds = list(self._rest)
        self._rest = iter(feeds)
        return max(1, len(feeds))

    def set_range(self, start_index: int, end_index: int) -> None:
        """Give the feeds from one to before the other, which follow those that were given."""
        self._left = end_index - start_index

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """Return the next feed, or None at the end."""
        if self._left is not None:
            if not self._left:
                return None
            self._left -= 1
        feed = next(self._rest, None)
        if feed is None:
            if not self.num_feeds:
                raise QuantizationError(
                    f"{self.name}: the calibration set is empty; expected at least one real sample of the training"
                    " split; next: look at `calibration_samples` of the model's Quantization and at the data"
                )
            return None
        if missing := [name for name in self.inputs if name not in feed]:
            raise QuantizationError(
                f"{self.name}: calibration feed {self.num_feeds} lacks the inputs {missing}; it has {sorted(feed)}"
            )
        chosen = {name: feed[name] for name in self.inputs}
        for name, array in chosen.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise QuantizationError(
                    f"{self.name}: calibration feed {self.num_feeds} has values in {name!r} that are not finite;"
                    " expected real samples"
                )
        self.num_feeds += 1
        self.num_samples += len(next(iter(chosen.values()))) if chosen else 0
        return chosen


MIN_MAX: Final = "min-max"


def _percentile(share: float) -> tuple[str, dict[str, Any]]:
    """Return the method that leaves out the rarest values on both sides, of which `share` per cent are kept.

    By default ONNX Runtime makes these ranges symmetric, which wastes half of the codes behind a Relu, and keeps the
    outputs of all feeds in memory at once; here a feed at a time.
    """
    return "Percentile", {
        "CalibPercentile": share,
        "CalibTensorRangeSymmetric": False,
        "CalibStridedMinMax": 1,
    }


RANGES: Final = {
    MIN_MAX: ("MinMax", {}),
    "percentile 99.99": _percentile(99.99),
    "percentile 99.9": _percentile(99.9),
}
"""How the range of an activation follows from the values seen -> (member of onnxruntime.quantization.CalibrationMethod,
its options). Not Entropy: as `quantize_static` calls it, its 128 bins leave one candidate, the whole range
(findings/onnxruntime-entropy-calibration.sh).
"""

TRANSPOSED: Final = "ConvTranspose"

OPERATORS: Final = (*LAYERS, TRANSPOSED, *CARRIERS, TABLE)
"""The default operators if the record names none; Gather stands for embedding tables."""


def quantize_static_graph(
    graph: Path,
    output: Path,
    feeds: Iterable[Feeds],
    settings: Quantization,
    *,
    types: EightBitTypes | None = None,
    keeps_eight_bits: bool = False,
    threads: int = 1,
    ranges: str = MIN_MAX,
) -> QuantizationReport:
    """Write the quantized graph; return what was done to it.

    `ranges`: how those of activations follow from the values seen, a row of RANGES. Weights get a scale per channel.
    `types`: by default those of this CPU (never of seven bits with `keeps_eight_bits`), or the fastest if its flags do
    not determine them.
    Raises QuantizationError when there is nothing to calibrate on, when the graph has other inputs, when a value is not
    finite, and when an exclusion matches no node. A graph with nothing quantized is not an error here: see
    `suite.quantization.report.check`.
    """
    if types is None:
        types = types_here()
    if types is not None and types.reduce_range and keeps_eight_bits:
        types = U8U8
    measured: TypeTrial | None = None
    if types is None:
        feeds = list(feeds)
        types, measured = measure_types(
            graph, feeds, settings, quantize=quantize_static_graph, threads=threads
        )
    with tempfile.TemporaryDirectory(prefix="quantize-") as folder:
        begin = time.perf_counter()
        prepared = prepare(graph, Path(folder), settings.excluded)
        operators = settings.operators or OPERATORS
        rewritten = _rewritten(prepared) if TRANSPOSED in operators else []
        region = region_of(prepared.model, operators, prepared.excluded)
        if not region:
            raise QuantizationError(
                f"{graph.name}: no operator is left to quantize: of {', '.join(operators)} the graph has none with"
                f" stored weights beside the {len(prepared.excluded)} excluded nodes;"
                " next: look at `operators` and `excluded` of the model's Quantization"
            )
        middle = time.perf_counter()
        reader = Calibration(feeds, prepared.inputs, graph.name)
        _quantize(prepared, output, reader, region, types, ranges)
        tables = tables_in(output, output, prepared) if TABLE in operators else []
        end = time.perf_counter()
    report = QuantizationReport(
        method="static",
        types=types,
        measured_types=measured,
        prepared=prepared.preparation,
        excluded=tuple(prepared.excluded),
        embeddings=tuple(tables),
        rewritten=tuple(rewritten),
        calibration=CalibrationSize(num_feeds=reader.num_feeds, num_samples=reader.num_samples),
        seconds={"prepare": middle - begin, QUANTIZE: end - middle},
    )
    return completed(report, graph, output)


def _rewritten(prepared: Prepared) -> list[str]:
    """Return the names of the transposed convolutions rewritten as plain ones, in the model and in its file."""
    import onnx

    names = rewrite_transposed(prepared.model, prepared.excluded)
    if names:
        onnx.save(prepared.model, prepared.path)
    return names


def _quantize(
    prepared: Prepared,
    output: Path,
    reader: Calibration,
    region: list[str],
    types: EightBitTypes,
    ranges: str,
) -> None:
    from onnxruntime.quantization import (
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    method, options = RANGES[ranges]
    operators = {node.op_type for node in prepared.model.graph.node if node.name in set(region)}
    quantize_static(
        prepared.path,
        output,
        reader,
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType[types.activation],
        weight_type=QuantType[types.weight],
        reduce_range=types.reduce_range,
        op_types_to_quantize=sorted(operators),
        nodes_to_quantize=region,
        calibrate_method=CalibrationMethod[method],
        # A layer's output stays float if a float kernel reads it: ONNX Runtime has kernels with float output for
        # these two, and the last of them gives the model's output.
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"], **options},
    )
