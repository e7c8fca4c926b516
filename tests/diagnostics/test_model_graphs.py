"""Facts about what is found inside ONNX files, and about the names of other formats."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

from diagnostics.finding import Finding, Level
from diagnostics.model import operators
from diagnostics.model.cli import main
from diagnostics.model.content import other_protobuf
from diagnostics.model.inspection import inspect
from diagnostics.model.onnx_rules import refuses_hub_links

RUNTIME = "1.32.0"


def value(name: str, kind: int = T.FLOAT, *shape: Any) -> Any:
    return h.make_tensor_value_info(name, kind, shape or None)


def weight(name: str, *shape: int, kind: str = "float32") -> Any:
    return numpy_helper.from_array(np.zeros(shape, kind), name)


def model(
    nodes: list[Any],
    inputs: list[Any],
    outputs: list[Any],
    stored: list[Any] | None = None,
    opset: int = 21,
    **more: Any,
) -> Any:
    graph = h.make_graph(nodes, "g", inputs, outputs, stored or [], value_info=more.get("values"))
    opsets = [h.make_opsetid("", opset), *(h.make_opsetid(*d) for d in more.get("domains", ()))]
    return h.make_model(graph, opset_imports=opsets, ir_version=10)


def saved(folder: Path, made: Any) -> Path:
    path = folder / "m.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def errors(found: list[Finding]) -> list[str]:
    return [item.code for item in found if item.level is Level.ERROR]


def node(operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    return h.make_node(operator, inputs, outputs, name=attributes.pop("name", ""), **attributes)


X, Y = value("x"), value("y")
X3 = value("x", T.FLOAT, "n", 3, 8, 8)

FAULTY: list[tuple[str, Callable[[], Any]]] = [
    ("onnx-type-not-allowed", lambda: model(
        [node("Range", ["a", "x", "b"], ["y"])], [value("x", T.FLOAT16)], [value("y", T.FLOAT16)],
        [weight("a", kind="float16"), weight("b", kind="float16")])),
    ("onnx-resize-both", lambda: model(
        [node("Resize", ["x", "", "s", "z"], ["y"])], [X], [Y],
        [weight("s", 4), weight("z", 4, kind="int64")])),
    ("onnx-type-not-allowed", lambda: model(
        [node("Resize", ["x", "", "s"], ["y"])], [X], [Y], [weight("s", 4, kind="float16")])),
    ("onnx-types-differ", lambda: model(
        [node("Cast", ["x"], ["h"], to=T.FLOAT16), node("Add", ["x", "h"], ["y"])], [X], [Y])),
    ("onnx-type-stated-wrong", lambda: model(
        [node("Cast", ["x"], ["h"], to=T.FLOAT16), node("Cast", ["h"], ["y"], to=T.FLOAT)],
        [X], [Y], values=[value("h", T.FLOAT)])),
    ("onnx-type-stated-wrong", lambda: model([node("Relu", ["x"], ["y"])], [X],
                                             [value("y", T.FLOAT16)])),
    ("onnx-defined-twice", lambda: model(
        [node("Relu", ["x"], ["y"]), node("Abs", ["x"], ["y"])], [X], [Y])),
    ("onnx-defined-twice", lambda: model([node("Relu", ["x"], ["w"])], [X], [value("w")],
                                         [weight("w", 2)])),
    ("onnx-input-undefined", lambda: model([node("Relu", ["gone"], ["y"])], [X], [Y])),
    ("onnx-output-undefined", lambda: model([node("Relu", ["x"], ["z"])], [X], [Y])),
    ("onnx-unknown-op", lambda: model([node("Swish", ["x"], ["y"])], [X], [Y], opset=18)),
    ("onnx-unknown-op", lambda: model([node("NoSuchOp", ["x"], ["y"])], [X], [Y])),
    ("onnx-unknown-op", lambda: model([node("Upsample", ["x", "s"], ["y"])], [X], [Y],
                                      [weight("s", 4)], opset=13)),
    ("onnx-attribute-unknown", lambda: model([node("Relu", ["x"], ["y"], alpha=0.1)], [X], [Y])),
    ("onnx-attribute-missing", lambda: model([node("Concat", ["x"], ["y"])], [X], [Y])),
    ("onnx-attribute-unknown", lambda: model(
        [node("ReduceSum", ["x"], ["y"], axes=[1])], [X], [Y])),
    ("onnx-arity", lambda: model([node("Add", ["x"], ["y"])], [X], [Y])),
    ("onnx-length-wrong", lambda: model([node("Conv", ["x", "w", "b"], ["y"])], [X3], [Y],
                                        [weight("w", 6, 3, 3, 3), weight("b", 9)])),
    ("onnx-length-wrong", lambda: model([node("ConvTranspose", ["x", "w", "b"], ["y"])], [X3], [Y],
                                        [weight("w", 3, 6, 3, 3), weight("b", 3)])),
    ("onnx-length-wrong", lambda: model([node("Conv", ["x", "w"], ["y"])], [X3], [Y],
                                        [weight("w", 6, 4, 3, 3)])),
    ("onnx-length-wrong", lambda: model([node("Gemm", ["x", "w", "b"], ["y"], transB=1)], [X], [Y],
                                        [weight("w", 6, 4), weight("b", 4)])),
    ("onnx-length-wrong", lambda: model(
        [node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"])], [X3], [Y],
        [weight("s", 3), weight("b", 3), weight("m", 4), weight("v", 3)])),
    ("ort-same-dilation", lambda: model(
        [node("Conv", ["x", "w"], ["y"], auto_pad="SAME_LOWER", dilations=[1, 2])], [X3], [Y],
        [weight("w", 6, 3, 3, 3)])),
    ("ort-no-kernel", lambda: model([node("Swish", ["x"], ["y"])], [X], [Y], opset=25)),
    ("ort-no-kernel", lambda: model([node("Bernoulli", ["x"], ["y"])], [X], [Y], opset=22)),
    ("ort-no-kernel", lambda: model([node("GlobalLpPool", ["x"], ["y"])], [X3], [Y], opset=22)),
    ("ort-no-kernel", lambda: model(
        [node("LSTM", ["x", "w", "r"], ["y"], hidden_size=4, layout=1)],
        [value("x", T.FLOAT, 1, 2, 3)], [Y], [weight("w", 1, 16, 3), weight("r", 1, 16, 4)])),
    ("ort-no-kernel", lambda: model([node("Erf", ["x"], ["y"])], [value("x", T.DOUBLE)],
                                    [value("y", T.DOUBLE)])),
]  # fmt: skip


@pytest.mark.parametrize(("code", "make"), FAULTY)
def test_faults_in_a_graph_are_named_with_a_cure(
    tmp_path: Path, code: str, make: Callable[[], Any]
) -> None:
    found = inspect(saved(tmp_path, make()), runtime=RUNTIME)
    assert errors(found)
    assert errors(found)[0] == code
    assert all(fault.fixes for fault in found)


def test_a_misspelt_operator_is_not_to_be_exported_for_another_opset(tmp_path: Path) -> None:
    (found,) = inspect(saved(tmp_path, model([node("Softmaxx", ["x"], ["y"])], [X], [Y])))
    assert "did you mean Softmax" in found.cause
    assert "opset" not in found.fixes[0].shell


@pytest.mark.parametrize(
    ("attribute", "cure"),
    [("axes", "correct its name (did you mean axis?), or "), ("zoom", "remove it, or ")],
)
def test_an_attribute_of_no_operator_is_misspelt_or_too_many(
    tmp_path: Path, attribute: str, cure: str
) -> None:
    made = model([node("Softmax", ["x"], ["y"], **{attribute: 1})], [X], [Y])
    (found,) = inspect(saved(tmp_path, made), runtime=RUNTIME)
    assert found.fixes[0].shell.startswith(cure)


def test_of_four_weights_of_a_norm_the_one_that_differs_is_named(tmp_path: Path) -> None:
    weights = [weight("s", 5), weight("b", 3), weight("m", 3), weight("v", 3)]
    made = model([node("BatchNormalization", ["x", *"sbmv"], ["y"])], [X3], [Y], weights)
    (found,) = inspect(saved(tmp_path, made), runtime=RUNTIME)
    assert "has 3 channels, but s has 5 values" in found.summary


@pytest.mark.parametrize(("code", "make"), FAULTY)
def test_the_runtime_itself_refuses_what_is_called_wrong(
    tmp_path: Path, code: str, make: Callable[[], Any]
) -> None:
    """At the load, or at the first run, where some lengths and a doubtful Resize come to light."""
    if onnxruntime.__version__ not in operators.asked_releases():
        pytest.skip(f"the table has no row for ONNX Runtime {onnxruntime.__version__}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    made = make()
    try:
        session = onnxruntime.InferenceSession(made.SerializeToString(), options)
    except Exception:
        return
    assert code in ("onnx-length-wrong", "onnx-resize-both", "ort-same-dilation")
    feed = {"x": np.zeros([2 if isinstance(d, str) or d is None else d
                           for d in session.get_inputs()[0].shape] or (2, 4), np.float32)}  # fmt: skip
    with pytest.raises(Exception):
        session.run(None, feed)


@pytest.mark.parametrize("operator", ["AveragePool", "LpPool", "MaxPool"])
def test_a_pool_that_the_runtime_pads_too_little_is_named(tmp_path: Path, operator: str) -> None:
    """The runtime computes it, and gives less than the file states."""
    sizes = (1, 3, 8, 8)
    x, y = value("x", T.FLOAT, *sizes), value("y", T.FLOAT, *sizes)
    for kernel, dilations, expected in (
        ([3, 3], [2, 2], ["ort-same-dilation"]),
        ([3, 3], [1, 1], []),
        ([1, 3], [2, 1], []),
    ):
        window = {"kernel_shape": kernel, "auto_pad": "SAME_UPPER"}
        made = model(
            [node(operator, ["x"], ["y"], dilations=dilations, **window)], [x], [y], opset=22
        )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(made.SerializeToString(), options)
        (got,) = session.run(None, {"x": np.zeros(sizes, np.float32)})
        assert (got.shape != sizes) == bool(expected)
        assert errors(inspect(saved(tmp_path, made), runtime=RUNTIME)) == expected


def test_nested_and_local_graphs_are_judged(tmp_path: Path) -> None:
    branch = h.make_graph(
        [node("Cast", ["x"], ["h"], to=T.FLOAT16), node("Add", ["x", "h"], ["t"])],
        "b", [], [value("t")],
    )  # fmt: skip
    made = model(
        [node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)],
        [value("c", T.BOOL), X],
        [Y],
    )
    assert set(errors(inspect(saved(tmp_path, made), runtime=RUNTIME))) == {"onnx-types-differ"}


def test_a_float16_graph_with_casts_is_fine(tmp_path: Path) -> None:
    made = model(
        [node("Cast", ["x"], ["h"], to=T.FLOAT16), node("MatMul", ["h", "w"], ["z"]),
         node("QuantizeLinear", ["z", "s"], ["q"]), node("DequantizeLinear", ["q", "s"], ["d"]),
         node("Cast", ["d"], ["y"], to=T.FLOAT)],
        [value("x", T.FLOAT, 2, 4)], [value("y", T.FLOAT, 2, 3)],
        [weight("w", 4, 3, kind="float16"), weight("s", kind="float16")],
        values=[value("h", T.FLOAT16), value("q", T.UINT8)],
    )  # fmt: skip
    found = inspect(saved(tmp_path, made), runtime=RUNTIME)
    assert [item.code for item in found] == ["model-ok"]
    assert "the types of all nodes" in found[0].evidence[1].value


def healthy_files() -> list[Path]:
    data = Path(onnx.__file__).parent / "backend" / "test" / "data"
    found = [*data.glob("pytorch-*/**/model.onnx"), *data.glob("simple/test_sequence*/model.onnx")]
    found += (Path(onnxruntime.__file__).parent / "datasets").glob("*.onnx")
    return [*found, *(Path(__file__).parents[1] / "bench" / "files").glob("*.onnx")]


def test_files_of_public_wheels_that_the_runtime_loads_have_no_error() -> None:
    if onnxruntime.__version__ not in operators.asked_releases():
        pytest.skip(f"the table has no row for ONNX Runtime {onnxruntime.__version__}")
    found = {
        path: errors(inspect(path, runtime=onnxruntime.__version__)) for path in healthy_files()
    }
    assert sum(not codes for codes in found.values()) > 30
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    for path in (path for path, codes in found.items() if codes):
        # Files of opset 6, older than the first kernels.
        with pytest.raises(Exception, match="NOT_IMPLEMENTED"):
            onnxruntime.InferenceSession(str(path), options)


def test_every_operator_case_of_onnx_that_the_runtime_loads_has_no_error(tmp_path: Path) -> None:
    """The judge is the runtime: about 100 of onnx's own cases, taken evenly from all of them."""
    from onnx.backend.test.case.node import collect_testcases

    if onnxruntime.__version__ not in operators.asked_releases():
        pytest.skip(f"the table has no row for ONNX Runtime {onnxruntime.__version__}")
    with np.errstate(all="ignore"):
        cases = [case for case in collect_testcases(None) if case.model is not None]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    wrong = []
    for case in cases[:: max(1, len(cases) // 100)]:
        found = errors(inspect(saved(tmp_path, case.model), runtime=onnxruntime.__version__))
        try:
            onnxruntime.InferenceSession(case.model.SerializeToString(), options)
        except Exception:
            continue
        wrong += [(case.name, found)] if found else []
    assert wrong == []


def test_kernels_are_looked_up_for_the_release_or_its_neighbours() -> None:
    asked = operators.asked_releases()
    assert operators.witnesses(None) == asked[-1:]
    assert operators.witnesses("1.32.7") == ("1.32.0",)
    assert operators.witnesses("1.28.0") == ("1.27.0", "1.30.0")
    assert operators.witnesses("1.2.0") == ()
    assert operators.refusal(("1.32.0",), "", "Swish", 25, {}) is not None
    assert operators.refusal(("1.32.0",), "", "Swish", 24, {"T": "tensor(float)"}) is None
    assert operators.refusal(("1.32.0",), "", "SwiGLU", 28, {}) is not None
    assert operators.refusal((), "", "Swish", 25, {}) is None


def test_a_kernel_that_no_named_version_lacks_is_a_warning(tmp_path: Path) -> None:
    made = model([node("Swish", ["x"], ["y"])], [X], [Y], opset=25)
    found = inspect(saved(tmp_path, made), runtime=None)
    assert [(item.code, item.level) for item in found] == [("ort-no-kernel", Level.WARN)]
    assert "up to opset 24" in found[0].cause


@pytest.mark.parametrize(
    ("runtime", "codes"),
    [
        ("1.23.2", []),
        ("1.24.1", ["external-data-outside"]),
        ("1.24.4", []),
        ("1.32.0", []),
        (None, []),
    ],
)
def test_weights_behind_the_links_of_the_hub_cache(
    tmp_path: Path, runtime: str | None, codes: list[str]
) -> None:
    made = model([node("Add", ["x", "w"], ["y"])], [X], [Y], [weight("w", 4)], opset=17)
    tensor = made.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "m.onnx_data", length=16)
    tensor.ClearField("raw_data")
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    (blobs / "one").write_bytes(made.SerializeToString())
    (blobs / "two").write_bytes(b"\0" * 16)
    (snapshot / "m.onnx").symlink_to("../../blobs/one")
    (snapshot / "m.onnx_data").symlink_to("../../blobs/two")
    assert errors(inspect(snapshot / "m.onnx", runtime=runtime)) == codes
    assert refuses_hub_links("1.24.0")
    assert not refuses_hub_links("1.24.2")


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in names:
            made.writestr(name, b"1")
    return buffer.getvalue()


ONNX_JSON = json.dumps({"irVersion": "8", "opsetImport": [{"version": "17"}], "graph": {}}).encode()
ONNX_TEXT = b'ir_version: 8\ngraph {\n  node { op_type: "Relu" input: "x" output: "y" }\n}\n'
COREML = b"\x08\x04\x12\x02\x0a\x00\xa2\x1f\x02\x0a\x00"
SAVED_MODEL = b"\x08\x01\x12\x08\x0a\x02\x0a\x00\x12\x02\x0a\x00"

FORMATS = [
    ("m.tflite", b"\x1c\0\0\0TFL3" + b"\0" * 40, "TensorFlow Lite"),
    ("m.gguf", b"GGUF\x03\0\0\0" + b"\0" * 40, "GGUF"),
    ("m.ort", b"\x1c\0\0\0ORTM" + b"\0" * 40, "ONNX Runtime model"),
    ("m.engine", b"ftrt" + b"\1" * 40, "TensorRT engine"),
    ("m.plan", b"ftrt" + b"\1" * 40, "TensorRT engine"),
    ("yolo.engine", b'\x0b\0\0\0{"task": 1}ftrt\1\1', "TensorRT engine"),
    ("m.pte", b"\x1c\0\0\0ET12" + b"\0" * 40, "ExecuTorch"),
    ("m.json", ONNX_JSON, "ONNX model as JSON"),
    ("m.onnxjson", ONNX_JSON, "ONNX model as JSON"),
    ("config.json", b'{"model_type": "bert"}', "JSON text"),
    ("m.textproto", ONNX_TEXT, "text format"),
    ("m.prototxt", ONNX_TEXT, "text format"),
    ("net.prototxt", b'name: "LeNet"\nlayer {\n name: "data"\n}\n', "Caffe"),
    ("m.mlmodel", COREML, "Core ML"),
    ("saved_model.pb", SAVED_MODEL, "SavedModel"),
    ("m.xml", b'<?xml version="1.0"?>\n<net name="a" version="11">', "OpenVINO"),
    ("m.pt", archive("m/data.pkl", "m/constants.pkl", "m/code/a.py"), "TorchScript"),
    ("m.pt2", archive("m/archive_format", "m/models/model.json"), "exported program"),
    ("m.mar", archive("MAR-INF/MANIFEST.json", "model.pt"), "TorchServe"),
    ("m.keras", archive("config.json", "model.weights.h5"), "Keras"),
    ("m.npz", archive("a.npy"), "NumPy"),
    ("m.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 20, "HDF5"),
    ("m.onnx_data", b"\x12\x34" * 30, "raw data"),
    ("tflite-without-suffix", b"\x1c\0\0\0TFL3" + b"\0" * 40, "TensorFlow Lite"),
]


@pytest.mark.parametrize(("name", "data", "words"), FORMATS)
def test_other_formats_are_named_and_are_no_error(
    tmp_path: Path, name: str, data: bytes, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(data)
    found = inspect(tmp_path / name)
    assert [item.level for item in found] == [Level.INFO], found
    assert words in found[0].summary
    assert any(item.source == "checked" for item in found[0].evidence)
    assert main([str(tmp_path / name), "--runtime", RUNTIME]) == 0
    assert "download" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "data"),
    [("m.onnx", ONNX_JSON), ("m.onnx", ONNX_TEXT), ("m.onnx", COREML), ("m.pt", b"GGUF\3\0\0\0")],
)
def test_another_format_under_a_false_name_is_an_error(
    tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    assert errors(inspect(tmp_path / name)) == ["model-other-format"]


def test_folders_of_other_formats_are_named(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(SAVED_MODEL)
    found = inspect(tmp_path)
    assert (found[0].level, "SavedModel" in found[0].summary) == (Level.INFO, True)


def test_onnx_in_its_other_serializations_as_onnx_writes_them(tmp_path: Path) -> None:
    made = model([node("Relu", ["x"], ["y"])], [X], [Y], [weight("w", 2)])
    for name, form in (("m.json", "json"), ("m.onnxjson", "json"), ("m.textproto", "textproto")):
        onnx.save(made, tmp_path / name, format=form)
        found = inspect(tmp_path / name)
        assert (found[0].code, found[0].level) == ("model-format", Level.INFO), name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('graph { input { name: "x" type { elem_type: 1 } } }', "level tensor_type is missing"),
        ('graph { node { op_type: "Relu" inputs: "x" } }', "NodeProto has no field inputs"),
        ('graph { node { op_type: "Relu" }', "ends before"),
        ("graph { node: 3 }", "GraphProto.node is a message"),
        ("graph { name { a: 1 } }", "is a plain value"),
        ("graph { dim { dim_value: 1 } }", "GraphProto has no field dim"),
        ("graph { ~ }", "cannot be read"),
    ],
)
def test_what_is_wrong_in_a_text_is_told_with_its_line(
    tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "m.prototxt").write_text(f"ir_version: 8\n{text}\n")
    found = inspect(tmp_path / "m.prototxt")
    assert errors(found) == ["onnx-text-broken"]
    assert words in found[0].summary
    assert "line 2" in found[0].summary or "ends" in words


def test_an_onnx_file_is_no_other_protobuf(tmp_path: Path) -> None:
    made = model([node("Relu", ["x"], ["y"])], [X], [Y])
    assert other_protobuf(made.SerializeToString()) == ""
    assert other_protobuf(COREML) == "coreml"
    assert other_protobuf(b"") == ""


def test_the_installed_runtime_is_asked_and_its_words_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = model([node("Relu", ["x"], ["y"])], [X], [Y], opset=17)
    assert main([str(saved(tmp_path, good))]) == 0
    assert f"ONNX Runtime {onnxruntime.__version__}: loads it" in capsys.readouterr().out
    # Nothing here multiplies shapes; the runtime does when it loads.
    bad = model(
        [node("MatMul", ["a", "b"], ["y"])], [], [Y], [weight("a", 2, 3), weight("b", 4, 5)]
    )
    assert main([str(saved(tmp_path, bad))]) == 1
    assert "refuses the file" in capsys.readouterr().out


def test_another_version_is_looked_up_and_not_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = model([node("Relu", ["x"], ["y"])], [X], [Y], opset=17)
    assert main([str(saved(tmp_path, good)), "--runtime", "1.2.0"]) == 0
    output = capsys.readouterr().out
    assert "loads it" not in output
    assert "CPU kernels: this ONNX Runtime is not in the table" in output
