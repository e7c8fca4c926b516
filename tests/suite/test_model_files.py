"""Files as models: ONNX graphs with their open axes and ranges, programs of torch.export, arrays beside them."""

import json
import re

import pytest

from suite.catalog import CatalogError, builtin_specs
from suite.cell import Cell
from suite.data.sources import sources_in
from suite.options import Asked, chosen_models
from suite.origins import onnx_file, pt2_file
from suite.origins.reference import parse
from suite.spec_codec import from_dict, to_dict
from suite.worker.job_options import JobOptions, Origin
from suite.worker.protocol import CellJob

pytestmark = pytest.mark.heavy


@pytest.fixture
def graph(tmp_path):
    """Embeds tokens from a table of 7 rows and multiplies by a matrix: input_ids [n, length], mask [n, length]."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(0)
    weights = {"table": rng.normal(size=(7, 32)), "matrix": rng.normal(size=(32, 16))}
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["ids"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "matrix"], ["made"]),
        helper.make_node("Cast", ["mask"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["floats", "last"], ["column"]),
        helper.make_node("Mul", ["made", "column"], ["logits"]),
    ]
    tensors = [numpy_helper.from_array(v.astype("float32"), k) for k, v in weights.items()]
    tensors.append(numpy_helper.from_array(np.array([2]), "last"))
    made = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT32, ["n", "length"]),
            helper.make_tensor_value_info("mask", TensorProto.INT64, ["n", "length"]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", "length", 16])],
        tensors,
    )
    path = tmp_path / "tokens.onnx"
    save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def whole(module, path):
    return module.completed(
        str(path), from_dict(json.loads(json.dumps(to_dict(module.describe(str(path))))))
    )


def test_open_axes_and_outputs_are_those_of_the_file_and_the_shared_first_one_is_the_batch(graph):
    spec = whole(onnx_file, graph)
    assert spec.name == "tokens.onnx"
    assert spec.outputs == ("logits",)
    assert spec.export.dynamic == {n: {0: "batch", 1: "length"} for n in ("input_ids", "mask")}


def test_random_tokens_stay_within_their_table_and_masks_are_ones(graph):
    found = onnx_file.inputs_for(str(graph), axes={"length": 300})
    assert found["input_ids"].shape == (1, 300)
    assert int(found["input_ids"].min()) >= 0
    assert 3 < int(found["input_ids"].max()) < 7
    assert bool((found["mask"] == 1).all())
    assert str(found["input_ids"].dtype) == "torch.int32"


def test_an_axis_that_the_file_does_not_have_is_told(graph):
    with pytest.raises(CatalogError, match="--axes lenght: .* it has length, n"):
        onnx_file.inputs_for(str(graph), axes={"lenght": 3})


def test_arrays_beside_the_file_are_its_inputs(graph):
    import numpy as np

    ids = np.array([[1, 2, 3]], dtype="int32")
    np.savez(graph.with_suffix(".npz"), input_ids=ids, mask=np.ones((1, 3), dtype="int64"))
    assert onnx_file.inputs_for(str(graph))["input_ids"].tolist() == [[1, 2, 3]]
    np.savez(graph.with_suffix(".npz"), input_ids=ids)
    with pytest.raises(CatalogError, match="lacks the input `mask`"):
        onnx_file.inputs_for(str(graph))


@pytest.mark.parametrize(("dtype", "shape"), [("int64", (1, 3)), ("int32", (3,))])
def test_arrays_that_the_graph_does_not_take_are_told_with_what_it_takes(graph, dtype, shape):
    import numpy as np

    ids, mask = np.ones(shape, dtype=dtype), np.ones((1, 3), dtype="int64")
    np.savez(graph.with_suffix(".npz"), input_ids=ids, mask=mask)
    told = f"tokens.npz: `input_ids` is {dtype} {list(shape)}; the graph takes int32 [n, length]"
    with pytest.raises(CatalogError, match=re.escape(told)):
        onnx_file.inputs_for(str(graph))


def job(spec, text, folder, variant="original"):
    return CellJob(
        runner="",
        cell=Cell(model=spec.name, size="base", backend="onnxruntime", variant=variant),
        options=JobOptions(
            origins={spec.name: Origin(text=text, spec=json.loads(json.dumps(to_dict(spec))))},
            sources=sources_in(None),
            threads=1,
            output=str(folder / "out" / "graph.onnx"),
            parent_graph=str(folder / "out" / "graph.onnx"),
            states_dir=str(folder / "states"),
        ),
    )


def silent(kind, /, **data):
    """Drop the event."""


def test_a_graph_is_linked_run_at_every_extent_and_quantized(graph, tmp_path):
    from suite.stages.export.run import run as export
    from suite.stages.quantize.run import run as quantize

    spec, text = whole(onnx_file, graph), f"onnx:{graph}"
    placed = export(job(spec, text, tmp_path), silent).result
    assert all(claim.holds for claim in placed.claims)
    assert "batch 2" in placed.claims[0].evidence
    assert placed.onnx.exporter == "file"
    found = quantize(job(spec, text, tmp_path, "built_int8"), silent).result
    assert found.fidelity.relative_error < 0.05
    assert found.fidelity.argmax_agreement > 0.5
    assert found.report.num_quantized == 1


def test_another_content_of_the_file_gives_another_key(graph, tmp_path):
    from suite.states.store import state_key

    spec = whole(onnx_file, graph)
    asked = job(spec, f"onnx:{graph}", tmp_path, "built_int8")
    before = state_key(asked, spec, "built_int8")
    assert before == state_key(asked, spec, "built_int8")
    graph.write_bytes(graph.read_bytes() + b"\x00")
    assert state_key(asked, spec, "built_int8") != before


def test_a_saved_program_runs_on_its_own_inputs_by_name(tmp_path):
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.out = torch.nn.Linear(4, 3)

        def forward(self, x, scale):
            return self.out(x) * scale

    path = tmp_path / "net.pt2"
    dynamic = {"x": {0: torch.export.Dim.AUTO}, "scale": {0: torch.export.Dim.AUTO}}
    given = (torch.randn(4, 4), torch.randn(4, 1))
    torch.export.save(torch.export.export(Net(), given, dynamic_shapes=dynamic), path)
    spec = whole(pt2_file, path)
    assert spec.export.dynamic == {"x": {0: "batch"}, "scale": {0: "batch"}}
    assert torch.equal(spec.inputs()["x"], given[0])
    assert spec.build().eval()(**spec.inputs()).shape == (4, 3)


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        (onnx_file, "bad.onnx", "no ONNX file"),
        (pt2_file, "bad.pt2", "expected what torch.export.save wrote"),
    ],
)
def test_a_file_that_is_something_else_is_told(tmp_path, module, name, message):
    path = tmp_path / name
    path.write_text("something else")
    with pytest.raises(CatalogError, match=message):
        module.describe(str(path))


def test_files_are_references_by_their_ending(graph, tmp_path):
    assert parse(str(graph)).text == f"onnx:{graph}"
    with pytest.raises(CatalogError, match=r"there is no file .*nowhere\.pt2"):
        parse(str(tmp_path / "nowhere.pt2"))


def test_axes_without_an_onnx_file_are_refused():
    with pytest.raises(CatalogError, match="none of the chosen models is an ONNX file"):
        chosen_models(Asked(models=["mlp"], axes="batch=2"), builtin_specs())
