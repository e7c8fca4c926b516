"""Operators of ONNX Runtime in a count of instructions, whose wheels have no symbols."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bench.gate.valgrind import find_valgrind
from bench.instruments.callgrind_profile import parse_profile
from bench.instruments.kernel_names import LIBRARY, kernel_names, short_name

ort = pytest.importorskip("onnxruntime")
HERE = [path for path in Path(ort.__file__).parent.rglob("*.so") if LIBRARY in path.name]


def test_the_kernels_of_the_installed_wheel_are_named_by_their_type_information():
    names = set(kernel_names(str(HERE[0])).values())
    assert {"Concat", "Reshape", "Transpose", "Softmax<float>", "MatMul<float>"} <= names
    assert len(names) > 300


def test_a_name_is_the_class_without_its_namespaces():
    assert short_name("N11onnxruntime7SoftmaxIfEE") == "Softmax<float>"
    nested = "N11onnxruntime17ElementWiseKernelINS_8functors4ReluIfEEEE"
    assert short_name(nested) == "ElementWiseKernel<Relu<float> >"


@pytest.mark.parametrize("what", ["no file", "a text", "cut off"])
def test_a_library_that_says_nothing_has_no_names(tmp_path, what):
    path = tmp_path / f"{LIBRARY}.so"
    if what != "no file":
        path.write_bytes(b"text" if what == "a text" else HERE[0].read_bytes()[:4096])
    assert kernel_names(str(path)) == {}


def test_a_call_of_a_kernel_is_its_operators_work_and_an_unknown_address_is_nobodys():
    library = str(HERE[0])
    address = next(place for place, name in kernel_names(library).items() if name == "Concat")
    lines = f"""
        ob=(1) {library}
        fn=(1) 0x0000000000000001
        0 5
        cfn=(2) {address:#018x}
        calls=3 0
        0 60
        cob=(2) /lib/libc.so.6
        cfn=(3) {address:#018x}
        calls=1 0
        0 7
        cfn=(4) 0x0000000000000003
        calls=1 0
        0 8
        totals: 80
    """
    found = parse_profile(textwrap.dedent(lines).strip().splitlines())
    assert dict(found.operators) == {"Concat": 60}


COUNTED = """
    import json
    import numpy as np
    import onnxruntime as ort
    from onnx import TensorProto, helper
    from bench.instruments.callgrind import CallgrindCounter

    def operators(kinds):
        names = [f"t{n}" for n in range(len(kinds) + 1)]
        nodes = [helper.make_node(k, [a], [b]) for k, a, b in zip(kinds, names, names[1:])]
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 64])
            for name in (names[0], names[-1])
        ]
        graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
        model = helper.make_model(
            graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)]
        )
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        session = ort.InferenceSession(model.SerializeToString(), options)
        feeds = {names[0]: np.ones((4, 64), np.float32)}
        for _ in range(3):
            session.run(None, feeds)
        counter.start()
        session.run(None, feeds)
        return counter.stop().operators

    counter = CallgrindCounter()
    print(json.dumps([operators(["Tanh", "Softmax"]), operators(["Tanh", "Softmax", "Softsign"])]))
"""


def test_an_operator_that_a_graph_has_more_is_counted_under_its_name(tmp_path):
    valgrind = find_valgrind()
    done = subprocess.run(
        [*valgrind.prefix(tmp_path), sys.executable, "-c", textwrap.dedent(COUNTED)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env={**os.environ, **valgrind.variables(tmp_path), "PYTHONHASHSEED": "0"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    base, head = json.loads(done.stdout)
    added = {name for name in head if name not in base}
    assert any("Softsign" in name for name in added)
    assert len(added) == 1
    assert any("Softmax" in name for name in base)
