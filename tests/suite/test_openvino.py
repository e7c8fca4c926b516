"""OpenVINO computes in what it was asked for, with the threads it was asked for, or says that it cannot."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from bench.pairs import references
from bench.steps import steps_of
from suite.axes import BACKENDS, EAGER, OPENVINO
from suite.cell import Cell
from suite.engine.outcome_rules import gap_of
from suite.engine.preconditions import declared
from suite.engine.run_config import RunConfig
from suite.engine.steps import maker_cell, needs
from suite.spec import ModelSpec, Size
from suite.worker.errors import Unavailable, missing_extra
from suite.worker.job_options import JobOptions

CELL = Cell(model="net", size="tiny", backend=OPENVINO, dtype="bfloat16")


def test_a_missing_openvino_is_told_with_the_command_that_brings_it():
    assert missing_extra("openvino.properties") == (
        "openvino is not installed; next: pip install 'torch-vitals[openvino]'"
    )


def test_a_device_that_a_backend_does_not_know_is_a_gap_with_its_reason():
    spec = ModelSpec(
        name="net", family="x", task="image_classification", build=dict, sizes={"tiny": Size()},
        outputs=("y",),
    )  # fmt: skip
    request = RunConfig(
        specs={"net": spec}, options=JobOptions(), deadline=9.0, cold_replicates=1, cache=""
    )
    outcome, failure = declared(request, replace(CELL, device="cuda:1"), "latency")
    assert (outcome.value, failure.kind) == ("unsupported", "gap")
    assert failure.message == f"openvino: {BACKENDS[OPENVINO].devices_reason}"
    assert declared(request, CELL, "latency") is None
    assert gap_of(spec, CELL, "bench", "") is None


def test_weights_are_made_in_float32_whatever_a_graph_computes_in():
    trained = replace(CELL, variant="trained")
    assert needs(trained, "latency")[0][0] == Cell(model="net", size="tiny", variant="trained")
    module = replace(trained, backend=EAGER)
    assert maker_cell(module, "trained").dtype == "bfloat16"


def test_a_graph_is_compared_with_eager_float32_and_a_module_with_both():
    assert references(CELL) == (Cell(model="net", size="tiny"),)
    compiled = replace(CELL, backend="compiled")
    assert [(r.backend, r.dtype) for r in references(compiled)] == [
        ("eager", "bfloat16"),
        ("eager", "float32"),
    ]
    assert references(replace(CELL, backend=EAGER)) == (Cell(model="net", size="tiny"),)
    assert references(Cell(model="net", size="tiny")) == ()


def test_every_cell_but_the_reference_and_an_exported_graph_has_its_outputs_compared():
    assert "fidelity" in steps_of(CELL)
    assert "fidelity" in steps_of(replace(CELL, backend=EAGER))
    assert "fidelity" not in steps_of(Cell(model="net", size="tiny"))
    assert "fidelity" not in steps_of(Cell(model="net", size="tiny", backend="onnxruntime"))


def test_text_is_generated_only_where_there_is_a_mode_for_it():
    assert "generate" not in steps_of(CELL)
    from bench.instruments.generation_modes import MODES

    assert set(MODES) == {name for name, row in BACKENDS.items() if row.generates}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph with one product of matrices, its first extent open."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    weights = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    shape = ("batch", 64)
    body = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weights, "w")],
    )
    path = tmp_path_factory.mktemp("graph") / "product.onnx"
    save(helper.make_model(body, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.mark.heavy
@pytest.mark.parametrize("dtype", ("float32", "bfloat16", "float16"))
def test_a_graph_is_computed_in_the_precision_that_was_asked_for_or_not_at_all(graph, dtype):
    from suite.backends import openvino as backend

    computed: dict[str, int] = {}
    with suppress(
        RuntimeError
    ):  # Unavailable: another precision was taken; or none of the products is in it
        found = backend.precisions_of(backend.open_model(graph, dtype, 1))
        backend.must_compute_in(dtype, found, is_quantized=False)
        computed = found
    assert computed == {backend.HINTS[dtype]: 1} or dtype not in backend.capabilities()
    assert set(computed) <= {backend.HINTS[dtype], backend.HINTS["float32"]}


@pytest.mark.heavy
def test_the_precision_is_always_said_because_the_default_depends_on_the_cpu():
    from suite.backends.openvino import HINTS, settings_of

    assert {dtype: settings_of(dtype, 0)["INFERENCE_PRECISION_HINT"] for dtype in HINTS} == HINTS
    assert set(HINTS) == set(BACKENDS[OPENVINO].dtypes)


@pytest.mark.heavy
def test_threads_are_read_back(graph):
    from suite.backends.openvino import open_model

    assert open_model(graph, "float32", 1).get_property("INFERENCE_NUM_THREADS") == 1
    with pytest.raises(Unavailable, match=r"asked for 5000 threads and takes \d+.*--threads \d+"):
        open_model(graph, "float32", 5000)


@pytest.mark.heavy
def test_the_cause_of_a_regression_is_found_in_the_layers_of_the_opened_graph(graph, monkeypatch):
    import numpy as np

    from bench.instruments import profile
    from suite.backends.runnable import Runnable
    from suite.worker.protocol import CellJob

    subject = Runnable(
        call=lambda: None, outputs=list, synchronize=lambda: None,
        inputs={"x": np.ones((2, 64), dtype=np.float32)},
    )  # fmt: skip
    monkeypatch.setattr(profile, "runnable_for", lambda job, emit: subject)
    cell = replace(CELL, dtype="float32")
    job = CellJob(runner="", cell=cell, options=JobOptions(graph=str(graph), threads=1))
    operators = profile.run(job, lambda kind, /, **data: None).result.operators
    seconds, calls = operators["FullyConnected"]
    assert seconds >= 0
    assert calls == 1


@pytest.mark.heavy
@pytest.mark.parametrize(
    "dtype, counts, is_quantized, reason",
    [
        ("float32", {"f32": 3}, False, ""),
        ("bfloat16", {"bf16": 2, "f32": 1}, False, ""),
        ("float32", {"f32": 2, "u8": 9}, True, ""),
        ("bfloat16", {"bf16": 2, "i8": 9}, True, ""),
        ("float32", {}, False, ""),  # a graph without products
        (
            "float32",
            {"bf16": 1, "f32": 2},
            False,
            "asked for f32, and computes 1 in bf16, 2 in f32",
        ),
        ("bfloat16", {"f32": 3}, False, "accepted bf16, and computes no product in it"),
        ("float32", {"f32": 3}, True, "no product of the 8-bit graph is computed in 8 bits"),
    ],
)
def test_what_the_opened_graph_computes_in_is_held_against_what_was_asked(
    dtype, counts, is_quantized, reason
):
    from suite.backends.openvino import must_compute_in

    if not reason:
        must_compute_in(dtype, counts, is_quantized=is_quantized)
        return
    with pytest.raises(RuntimeError, match=reason):
        must_compute_in(dtype, counts, is_quantized=is_quantized)
