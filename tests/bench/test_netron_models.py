"""What Netron is given: its page, a program, blocks in the place of too many nodes, our numbers."""

import json
import zipfile

import onnx
import pytest
from graph_files import EVIL, chain, graph, net, node
from hypothesis import given
from hypothesis import strategies as st

from bench.graph_diff.compare import compare
from bench.graph_diff.difference import tensor_errors
from bench.graph_diff.weights import compare_files
from bench.netron.attachment import attachment, write_attachment
from bench.netron.blocks import MOST_BLOCKS, block_names, blocks_of, steps_of_graph
from bench.netron.errors import NotDrawn, PictureError
from bench.netron.program import program_of, steps_of_program
from bench.netron.site import netron_files, netron_folder, page_for
from bench.netron.studio import shortened
from bench.onnx_graph.distribution import histograms_of
from bench.onnx_graph.read import read
from bench.onnx_graph.record import Value
from bench.onnx_graph.skeleton import skeleton_of


def test_netrons_page_is_edited_to_open_the_file_and_call_nobody():
    folder = netron_folder()
    page = page_for(folder, file="1/model.onnx", identifier="model.onnx")
    text = page.body.decode()
    assert '<meta name="version" content="0.0.0">' in text
    assert '<meta name="file" content="1/model.onnx">' in text
    assert 'name="date"' not in text
    assert ("Set-Cookie", "consent=1; Path=/; SameSite=Strict") in page.headers


def test_only_files_of_netron_that_a_page_needs_are_served():
    files = netron_files(netron_folder())
    assert {"index.js", "view.js", "onnx.js", "grapher.css", "onnx-metadata.json"} <= set(files)
    assert not any(name.endswith(".py") or "/" in name for name in files)


def test_another_netron_is_said_and_not_served_unedited(tmp_path):
    (tmp_path / "index.html").write_text("<html>")
    with pytest.raises(PictureError, match="netron>=9"):
        page_for(tmp_path, file="x", identifier="x")


def program(path, num_nodes=3, **changes):
    """As torch.export.save writes it."""
    nodes = [
        {
            "target": "torch.ops.aten.linear.default",
            "inputs": [
                {"name": "a", "arg": {"as_tensor": {"name": f"v{n}" if n else "x"}}, "kind": 1}
            ],
            "outputs": [{"as_tensor": {"name": f"v{n + 1}"}}],
            "metadata": {
                "nn_module_stack": f"L__self__,,M;L__self__l{n % 2},layers.{n % 2},torch.nn.Linear"
            },
        }
        for n in range(num_nodes)
    ]
    inner = {
        "inputs": [{"as_tensor": {"name": "x"}}],
        "outputs": [{"as_tensor": {"name": f"v{num_nodes}"}}],
    }
    document = {"graph_module": {"graph": {**inner, "nodes": nodes}}, **changes}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/models/model.json", json.dumps(document))
        archive.writestr("m/data/weights/weight_0", b"x" * 100_000)
        archive.writestr("m/data/weights/model_weights_config.json", "{}")
    return path


def test_a_program_goes_without_its_weights(tmp_path):
    data, num_nodes = program_of(program(tmp_path / "m.pt2"))
    assert num_nodes == 3
    assert len(data) < 5000


def test_the_modules_of_a_program_are_read(tmp_path):
    found = steps_of_program(program(tmp_path / "m.pt2"))
    assert [s.scope for s in found.steps] == ["layers.0", "layers.1", "layers.0"]
    assert (found.steps[0].operator, found.steps[0].inputs) == ("linear", ("x",))
    assert found.outputs == ("v3",)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04broken"])
def test_what_is_no_program_is_named_with_a_next_step(tmp_path, content):
    path = tmp_path / "broken.pt2"
    path.write_bytes(content)
    with pytest.raises(NotDrawn, match=r"broken\.pt2.*expected a program.*Next: "):
        program_of(path)


def test_a_zip_that_is_another_is_named(tmp_path):
    path = tmp_path / "other.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/version", "1")
    with pytest.raises(NotDrawn, match=r"it has no models/model\.json"):
        program_of(path)
    for document in ({}, {"graph_module": []}, {"graph_module": {"graph": {"nodes": None}}}, []):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("m/models/model.json", json.dumps(document))
        with pytest.raises(NotDrawn):
            program_of(path)


def test_blocks_are_modules_with_their_operators(tmp_path):
    path = chain(tmp_path / "long.onnx", 600, scopes=[f"layer{n}.conv" for n in range(4)])
    model = onnx.load_model_from_string(blocks_of(steps_of_graph(path, skeleton_of(path))))
    assert [n.op_type for n in model.graph.node] == [f"layer{n}/conv" for n in range(4)]
    told = {a.name: a.i for a in model.graph.node[0].attribute}
    assert told == {"(nodes)": 150, "Relu": 150}
    assert model.graph.node[1].input == ["layer0/conv"]
    assert model.graph.node[0].input == ["x"]


@given(
    st.lists(st.sampled_from(["", "a", "a.b", "a.c", "d.e.f", "d.e.g"]), min_size=1, max_size=200)
)
def test_there_are_never_too_many_blocks_and_every_node_is_in_one(scopes):
    names = block_names(scopes)
    assert len(names) == len(scopes)
    assert all(names)
    assert len(set(names)) <= MOST_BLOCKS


def test_nodes_in_a_row_make_a_block_where_no_module_is_known():
    names = block_names([""] * 6000)
    assert len(set(names)) == MOST_BLOCKS
    assert names[0] == "nodes 1 to 100"
    assert names[-1] == "nodes 5,901 to 6,000"


def test_modules_are_cut_off_where_there_are_too_many():
    names = block_names([f"layer{n % 5}.block{n % 100}" for n in range(1000)])
    assert set(names) == {f"layer{n}" for n in range(5)}


@pytest.mark.parametrize("name", EVIL)
def test_long_names_of_inputs_are_cut_and_stay_unique(name):
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("Add", [name, f"{name}!"], ["y"])],
            "g",
            [onnx.helper.make_tensor_value_info(n, 1, [name, 3]) for n in (name, f"{name}!")],
            [onnx.helper.make_tensor_value_info("y", 1, [3])],
        )
    )
    cut = shortened(model).graph
    names = [v.name for v in cut.input]
    assert list(cut.node[0].input) == names
    assert len(set(names)) == 2
    assert all(len(n) <= 70 for n in names)
    assert len(cut.input[0].type.tensor_type.shape.dim[0].dim_param) <= 70


def test_our_numbers_are_netrons_attachment(tmp_path):
    path = net(tmp_path / "net.onnx")
    graph = read(path)
    document = attachment(
        graph,
        latency={"conv": 3e-3, "fc": 1e-3},
        histograms=histograms_of(path),
        errors={"conv": 31.25, "c": 40.0, "conv.weight": 42.0, "unknown": 1.0},
        facts={"latency p50": "4 ms"},
    )
    assert document["signature"] == "netron:attachment"
    assert document["metadata"] == [
        {"kind": "model", "target": "", "name": "latency p50", "value": "4 ms"}
    ]
    rows = {(r["kind"], r["target"], r["name"]): r["value"] for r in document["metrics"]}
    assert rows["node", "conv", "MACs"] == "55,296 (100%)"
    assert rows["node", "conv", "latency"] == "3.00 ms (75%)"
    assert rows["node", "conv", "quantization SNR"] == "31.2 dB"
    assert rows["value", "c", "quantization SNR"] == "40.0 dB"
    assert rows["tensor", "conv.weight", "quantization SNR"] == "42.0 dB"
    assert "█" in rows["tensor", "conv.weight", "histogram"]
    assert rows["graph", "graph", "MACs"] == graph.macs
    assert not any(target == "unknown" for _, target, _ in rows)


def test_names_are_keyed_by_their_first_line_as_netron_does():
    one = graph(node("two\nlines", "Conv", ["x"], ["y"], macs=5))
    rows = attachment(one)["metrics"]
    assert {"kind": "node", "target": "two", "name": "MACs", "value": "5 (100%)"} in rows


def test_an_attachment_is_written_as_json_and_only_so(tmp_path):
    document = attachment(graph(node(EVIL[4], "Conv", ["x"], ["y"], macs=5)))
    write_attachment(tmp_path / "a.json", document)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == document
    with pytest.raises(ValueError, match=r"ends in \.json"):
        write_attachment(tmp_path / "a.txt", document)


def test_open_shapes_are_told_and_not_shown_as_nothing():
    rows = attachment(graph(node("a", "Conv", ["x"], ["y"], macs=None)))["metrics"]
    assert {"kind": "node", "target": "a", "name": "MACs", "value": "open shapes"} in rows
    assert {"kind": "graph", "target": "g", "name": "nodes with open shapes", "value": 1} in rows


def test_errors_of_tensors_come_from_a_comparison(tmp_path):
    before, after = (read(net(tmp_path / f"{seed}.onnx", seed=seed)) for seed in (0, 1))
    assert tensor_errors(compare_files(before, after)) == {}
    assert tensor_errors(compare(before, after)) == {}
    assert Value(name="x").shape is None
