"""Worker side. Preparation for ONNX Runtime's quantizer: infer shapes, fold constants, name every node."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from suite.quantization.apart import LARGE, set_apart
from suite.quantization.count import WEIGHTED, bytes_of
from suite.quantization.errors import QuantizationError
from suite.quantization.nodes import name_all, named, scope_note
from suite.results.quantize import Preparation

LOGGER: Final = "onnxruntime.quantization.shape_inference"
"""The logger on which `quant_pre_process` reports that its optimizer failed; it then keeps the original graph."""

FOLDED: Final = 0.1
"""Share of the graph's bytes that folded constants may add; beyond it, only shapes are inferred."""


SYMBOLIC_SECONDS: Final = 120.0
"""Time limit in seconds of symbolic shape inference, which is then skipped: sympy may never finish on a detector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A graph that is ready to be quantized."""

    path: Path
    model: Any
    """The graph as a ModelProto."""
    inputs: list[str]
    """The inputs that a feed must hold."""
    excluded: list[str]
    """Nodes that the record keeps in float."""
    preparation: Preparation
    """How shapes were inferred, and whether the graph was optimized."""


def prepare(graph: Path, folder: Path, exclusions: Collection[str] = ()) -> Prepared:
    """Prepare the graph, in `folder`.

    Raises QuantizationError when ONNX Runtime cannot optimize it, and when an exclusion matches no node.
    """
    import onnx
    from onnxruntime.quantization import quant_pre_process

    path = folder / "prepared.onnx"
    original = onnx.load(graph, load_external_data=False)
    symbolic_failure, is_optimized = "", True
    with _Errors() as errors:
        try:
            with time_limit(SYMBOLIC_SECONDS):
                quant_pre_process(graph, path, auto_merge=True)
        except Exception as error:  # a bare Exception, or sympy's: shapes that it cannot infer
            symbolic_failure = f"{type(error).__name__}: {str(error)[:200]}"
            quant_pre_process(graph, path, auto_merge=True, skip_symbolic_shape=True)
    if errors.messages:
        raise QuantizationError(
            f"{graph.name}: ONNX Runtime could not optimize the graph before quantizing it:"
            f" {errors.messages[-1].strip().splitlines()[-1]}; next: open a session on the graph, the export has to"
            " work first"
        )
    if folded_bytes(original, onnx.load(path)) > FOLDED * graph.stat().st_size:
        is_optimized = False
        quant_pre_process(
            graph,
            path,
            auto_merge=True,
            skip_optimization=True,
            skip_symbolic_shape=bool(symbolic_failure),
        )
    model = onnx.load(path)
    _finish(original, model)
    onnx.save(model, path)
    return _prepared(path, model, exclusions, symbolic_failure, is_optimized)


def prepare_apart(graph: Path, folder: Path, exclusions: Collection[str] = ()) -> Prepared:
    """Prepare the graph as `prepare` does, with its weights in files of `folder` all the time.

    `quant_pre_process` holds several copies of a graph at once; here the shapes are inferred on the nodes alone, and
    the optimizer reads weights from one file and writes them to another. The model has no large weights: read them with
    `folder` as their base. Raises QuantizationError when ONNX Runtime cannot optimize it, and when an exclusion matches
    no node.
    """
    import onnx
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    small = set_apart(graph, folder)
    if small == graph:
        return prepare(graph, folder, exclusions)  # its weights lie in a file of their own already
    original = onnx.load(small, load_external_data=False)
    inferred, symbolic_failure = _with_shapes(original)
    onnx.save(inferred, folder / "inferred.onnx")
    try:
        optimized = _optimized(folder)
    except Exception as error:  # what the optimizer raises is not documented
        raise QuantizationError(
            f"{graph.name}: ONNX Runtime could not optimize the graph before quantizing it: {str(error).strip()[:300]};"
            " next: open a session on the graph, the export has to work first"
        ) from error
    is_optimized = True
    if folded_bytes(original, onnx.load(optimized, load_external_data=False)) > FOLDED * (
        graph.stat().st_size
    ):
        is_optimized, optimized = False, folder / "inferred.onnx"
    path = folder / "prepared.onnx"
    onnx.shape_inference.infer_shapes_path(str(optimized), str(path))
    model = onnx.load(path, load_external_data=False)
    add_pre_process_metadata(model)
    _finish(original, model)
    onnx.save(model, path)
    return _prepared(path, model, exclusions, symbolic_failure, is_optimized)


def _with_shapes(model: Any) -> tuple[Any, str]:
    """Return the model with the shapes that can be inferred symbolically, and why not; it is unchanged then."""
    from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

    try:
        with time_limit(SYMBOLIC_SECONDS):
            return SymbolicShapeInference.infer_shapes(model, 2**31 - 1, True, False, 0), ""
    except Exception as error:  # a bare Exception, or sympy's: shapes that it cannot infer
        return model, f"{type(error).__name__}: {str(error)[:200]}"


def _optimized(folder: Path) -> Path:
    """Let ONNX Runtime fold and fuse `inferred.onnx`; return the path of the result, its weights beside it."""
    import onnxruntime

    path = folder / "optimized.onnx"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    for key, value in (
        ("session.optimized_model_external_initializers_file_name", "optimized.data"),
        ("session.optimized_model_external_initializers_min_size_in_bytes", str(LARGE)),
        ("session.disable_prepacking", "1"),  # a second layout of every weight, and it runs nothing
    ):
        options.add_session_config_entry(key, value)
    onnxruntime.InferenceSession(
        folder / "inferred.onnx", options, providers=["CPUExecutionProvider"]
    )
    return path


def _finish(original: Any, model: Any) -> None:
    """Name every node, and restore what the tools have dropped or changed, in place."""
    name_all(model)
    restore_scopes(original, model)
    restore_outputs(original, model)
    forget_shapes(model, {tensor.name for tensor in model.graph.initializer})


def _prepared(
    path: Path, model: Any, exclusions: Collection[str], symbolic_failure: str, is_optimized: bool
) -> Prepared:
    stored = {tensor.name for tensor in model.graph.initializer}
    return Prepared(
        path=path,
        model=model,
        inputs=[value.name for value in model.graph.input if value.name not in stored],
        excluded=named(model, exclusions),
        preparation=Preparation(
            symbolic_shapes=not symbolic_failure,
            symbolic_failure=symbolic_failure,
            optimized=is_optimized,
        ),
    )


def forget_shapes(model: Any, names: Collection[str]) -> None:
    """Drop the recorded shapes of these tensors, in place: a stored weight has its own, and ONNX Runtime 1.30
    transposes a Gemm's weight without updating its record, on which shape inference then fails.
    """
    kept = [value for value in model.graph.value_info if value.name not in names]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)


def restore_outputs(original: Any, model: Any) -> None:
    """Set the model's outputs to the shapes that the original declares, in place.

    ONNX Runtime 1.30 infers six dimensions for a Resize that has four, and a checker then rejects the graph.
    """
    declared = {value.name: value for value in original.graph.output}
    for value in model.graph.output:
        if value.name in declared:
            value.CopyFrom(declared[value.name])


def restore_scopes(original: Any, model: Any) -> None:
    """Restore the nodes' module metadata where ONNX Runtime's optimizer or quantizer dropped it.

    A node is matched by its name, or, if it was made from others, by its output.
    """
    noted = [(node, scope_note(node)) for node in original.graph.node]
    by_output = {output: note for node, note in noted if note for output in node.output}
    by_name = {node.name: note for node, note in noted if note and node.name}
    for node in model.graph.node:
        note = by_name.get(node.name) or by_output.get(node.output[0] if node.output else "")
        if note and not node.metadata_props:
            node.metadata_props.append(note)


def folded_bytes(original: Any, model: Any) -> int:
    """Return the bytes of constants that the optimizer folded, apart from weights of layers (often transposed): a
    detector's empty picture of 300x300 is larger than its tiny backbone.
    """
    known = {tensor.name for tensor in original.graph.initializer}
    weights = {name for node in model.graph.node if node.op_type in WEIGHTED for name in node.input}
    return sum(
        bytes_of(tensor)
        for tensor in model.graph.initializer
        if tensor.name not in known and tensor.name not in weights
    )


class _Errors(logging.Handler):
    """Collects the errors that are logged inside its context."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())

    def __enter__(self) -> _Errors:
        logging.getLogger(LOGGER).addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger(LOGGER).removeHandler(self)


# A time limit for code without one.


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError inside the block when it takes longer, and again every second while the block continues.

    Does nothing on platforms without a timer signal (Windows) and outside the main thread.
    """
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def raises(*_: Any) -> None:
        raise TimeoutError(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, raises)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
