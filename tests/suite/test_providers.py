"""ONNX Runtime's execution providers: asked for, read back, and which nodes another one ran."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

ort = pytest.importorskip("onnxruntime")

from suite.axes import BACKENDS  # noqa: E402
from suite.backends import onnxruntime as backend  # noqa: E402
from suite.backends.providers import (  # noqa: E402
    PASSES,
    assigned_nodes,
    fallen_back,
    profiled_nodes,
)
from suite.worker.errors import Unavailable  # noqa: E402

pytestmark = pytest.mark.heavy
CPU = "CPUExecutionProvider"
ROWS = [row for row in BACKENDS.values() if row.provider]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph of two nodes that no optimization joins."""
    from onnx import TensorProto, helper, save

    shape = (8, 8)
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "x"], ["m"], name="product"),
            helper.make_node("Softmax", ["m"], ["y"], name="shares"),
        ],
        "two",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    path = tmp_path_factory.mktemp("graph") / "two.onnx"
    save(helper.make_model(body, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_provider_that_is_not_there_is_told_with_how_to_get_it(row, graph, monkeypatch):
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CPU])
    with pytest.raises(Unavailable) as told:
        backend.open_session(graph, "cpu", 1, row.provider)
    assert str(told.value) == (
        f"this ONNX Runtime has no {row.provider} (it has {CPU}); next: {backend.INSTALL[row.provider]}"
    )


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_provider_that_gives_way_to_another_is_no_measurement(row, graph, monkeypatch):
    opened = SimpleNamespace(get_providers=lambda: [CPU])
    monkeypatch.setattr(ort, "get_available_providers", lambda: [row.provider, CPU])
    monkeypatch.setattr(ort, "InferenceSession", lambda *_, **__: opened)
    with pytest.raises(Unavailable, match=f"asked for {row.provider} and took {CPU}"):
        backend.open_session(graph, "cpu", 1, row.provider)


def test_the_session_says_which_provider_has_how_many_nodes(graph):
    assert assigned_nodes(backend.open_session(graph, "cpu", 1)) == {CPU: 2}
    assert assigned_nodes(object()) == {}


def test_nodes_that_fell_back_are_named_with_their_share_of_the_time(graph):
    import numpy as np

    feeds = {"x": np.ones((8, 8), dtype=np.float32)}
    events = profiled_nodes(graph, [CPU], backend.options_for(1), feeds)
    assert fallen_back(events, CPU) == ()
    nodes = fallen_back(events, "XnnpackExecutionProvider")
    assert {(n.name, n.operator, n.provider) for n in nodes} == {
        ("product", "MatMul", CPU),
        ("shares", "Softmax", CPU),
    }
    assert sum(node.share for node in nodes) == pytest.approx(1.0)
    assert PASSES > 1


def test_the_longest_comes_first():
    def event(name: str, provider: str, micros: float) -> dict[str, object]:
        told = {"op_name": "Op", "provider": provider}
        return {"cat": "Node", "name": f"{name}_kernel_time", "dur": micros, "args": told}

    events = [event("a", CPU, 1), event("b", CPU, 3), event("c", "Xnnpack", 4), {"cat": "Session"}]
    assert [(n.name, n.share) for n in fallen_back(events, "Xnnpack")] == [
        ("b", 3 / 8),
        ("a", 1 / 8),
    ]
