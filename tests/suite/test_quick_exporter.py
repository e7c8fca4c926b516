"""Work of PyTorch's exporter that is done once: what it gives stays what the libraries give."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from torch._export import utils
from torch.onnx._internal.exporter._registration import ONNXRegistry

from suite.stages.export.quick_exporter import OPSET, kept_operators, kept_translations


@pytest.fixture(scope="module")
def plain():
    return ONNXRegistry.from_torchlib(opset_version=OPSET)


def listed(registry):
    return {
        target: [(row.onnx_function, row.is_custom, row.is_complex) for row in rows]
        for target, rows in registry.functions.items()
    }


def test_the_kept_translations_are_those_of_the_library(plain):
    with kept_translations():
        kept = ONNXRegistry().from_torchlib(opset_version=OPSET)
    assert listed(kept) == listed(plain)
    assert kept.opset_version == plain.opset_version == OPSET


def test_a_translation_of_one_export_does_not_reach_the_next(plain):
    with kept_translations():
        first = ONNXRegistry.from_torchlib(opset_version=OPSET)
        target = next(iter(first.functions))
        first.functions[target].clear()
        first.functions["mylib::soft_clip"] = []
        second = ONNXRegistry.from_torchlib(opset_version=OPSET)
    assert listed(second) == listed(plain)


def test_the_source_of_translations_is_read_once(monkeypatch):
    from onnxscript._internal import ast_utils

    seen = []
    read = ast_utils.get_src_and_ast
    monkeypatch.setattr(ast_utils, "get_src_and_ast", lambda f: seen.append(f) or read(f))
    with kept_translations():
        ONNXRegistry.from_torchlib(opset_version=OPSET)
        seen.clear()
        ONNXRegistry.from_torchlib(opset_version=OPSET)
    assert seen == []


def test_operators_are_looked_up_again_only_when_there_are_new_ones(monkeypatch):
    looked = []
    monkeypatch.setattr(utils, "_materialize_cpp_cia_ops", lambda: looked.append(1))
    monkeypatch.setattr("suite.stages.export.quick_exporter._materialized", set())
    with kept_operators():
        utils._materialize_cpp_cia_ops()
        utils._materialize_cpp_cia_ops()
        assert looked == [1]
        monkeypatch.setattr("suite.stages.export.quick_exporter._materialized", {"other::op"})
        utils._materialize_cpp_cia_ops()
    assert looked == [1, 1]
