"""Worker side. Static quantization of a graph: ranges from real samples, and conversions around the 8-bit part."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from suite.axes import QUANTIZE
from suite.lifecycle import Quantization
from suite.quantization.calibration import Calibration, Feeds
from suite.quantization.count import TABLE
from suite.quantization.embeddings import tables_in
from suite.quantization.errors import QuantizationError
from suite.quantization.prepare import Prepared, prepare
from suite.quantization.quantized_region import CARRIERS, LAYERS, region_of
from suite.quantization.report import completed
from suite.quantization.transposed import rewrite_transposed
from suite.quantization.types import U8U8, measure_types, types_here
from suite.results.quantize import CalibrationSize, EightBitTypes, QuantizationReport, TypeTrial

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
) -> QuantizationReport:
    """Write the quantized graph; return what was done to it.

    Ranges are the smallest and the largest value seen (MinMax). Weights get a scale per channel. `types`: by default
    those of this CPU (never of seven bits with `keeps_eight_bits`), or the fastest if its flags do not determine them.
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
        _quantize(prepared, output, reader, region, types)
        tables = tables_in(output, prepared) if TABLE in operators else []
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
    prepared: Prepared, output: Path, reader: Calibration, region: list[str], types: EightBitTypes
) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

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
        # A layer's output stays float if a float kernel reads it: ONNX Runtime has kernels with float output for
        # these two, and the last of them gives the model's output.
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"]},
    )
