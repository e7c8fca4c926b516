"""`python -m bench graphs`: what it prints, writes and ends with."""

import gc
import io
import json

import pytest
from graph_files import EVIL, graph, net, node, save, value
from onnx import helper
from rich.console import Console

from bench.__main__ import main
from bench.graph_diff import command
from bench.graph_diff.compare import compare
from bench.graph_diff.document import to_document, to_json
from bench.graph_diff.html import to_html
from bench.graph_diff.pictures import COLOURS, marks
from bench.graph_diff.terminal import render
from bench.netron import studio


@pytest.fixture
def files(tmp_path):
    return [str(net(tmp_path / "a.onnx")), str(net(tmp_path / "b.onnx", seed=1, bias=False))]


def test_the_terminal_tells_what_differs(files, capsys):
    assert main(["graphs", *files]) == 0
    text = capsys.readouterr().out
    assert "0 nodes added, 0 removed, 1 changed, 4 the same, 2 of 2 shared tensors differ" in text
    assert "input 2: conv.bias → –" in text
    assert "conv.weight" in text
    assert "Tensors removed (1): conv.bias" in text
    assert "55.3 kMAC" in text


def test_json_is_one_document_with_its_schema(files, capsys):
    assert main(["graphs", *files, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    assert document["kind"] == "vitals graphs"
    assert document["is_empty"] is False
    assert document["before"]["path"] == files[0]
    assert {t["name"] for t in document["tensors"]} == {"conv.weight", "fc.weight"}
    assert set(document) == {
        "schema", "kind", "is_empty", "before", "after", "general", "added", "removed", "changed",
        "num_same", "num_renamed", "operators", "tensors", "tensors_added", "tensors_removed",
        "quantization_parameters", "are_weights_compared",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["terminal", "json", "html"])
def test_out_names_the_file(files, tmp_path, capsys, kind):
    out = tmp_path / "out.txt"
    assert main(["graphs", *files, "--format", kind, "--out", str(out)]) == 0
    assert "conv.weight" in out.read_text(encoding="utf-8")
    assert "conv.weight" not in capsys.readouterr().out


def test_cycles_are_searched_for_rarely_during_a_comparison_alone(files, tmp_path, monkeypatch):
    before, during = gc.get_threshold(), []
    read = command.read
    monkeypatch.setattr(
        command, "read", lambda *a, **k: during.append(gc.get_threshold()[0]) or read(*a, **k)
    )
    assert main(["graphs", *files]) == 0
    assert main(["graphs", files[0], str(tmp_path / "missing.onnx")]) == 2
    assert set(during) == {command.NEW_OBJECTS}
    assert gc.get_threshold() == before


def test_exit_code_is_that_of_diff_only_when_asked(files, capsys):
    assert main(["graphs", files[0], files[0], "--exit-code"]) == 0
    assert "The graphs and weights are the same: 5 nodes" in capsys.readouterr().out
    assert main(["graphs", *files, "--exit-code"]) == 1
    assert main(["graphs", *files]) == 0


def test_weights_alone_are_no_difference_of_the_graphs(tmp_path, capsys):
    files = [str(net(tmp_path / f"{seed}.onnx", seed=seed)) for seed in (0, 1)]
    assert main(["graphs", *files, "--exit-code", "--no-weights"]) == 0
    assert "The graphs are the same" in capsys.readouterr().out
    assert main(["graphs", *files, "--exit-code"]) == 1


def test_axes_are_sized_for_the_macs(files, capsys):
    main(["graphs", *files, "--axes", "batch=4", "--format", "json"])
    assert json.loads(capsys.readouterr().out)["before"]["macs"] == 4 * (8 * 256 * 27 + 40)
    main(["graphs", *files, "--axes", "other=4"])
    assert "not counted; 2 nodes open: say --axes batch=SIZE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{a}", "nowhere.onnx"], "nowhere.onnx"),
        (["{broken}", "{a}"], "broken.onnx"),
        (["{a}", "{a}", "--axes", "batch"], "expected NAME=SIZE"),
        (["{a}", "{a}", "--format", "json", "--out", "{a}/x"], "cannot be written"),
    ],
)
def test_an_error_is_one_line_and_ends_with_two(files, tmp_path, capsys, arguments, says):
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    names = {"a": files[0], "broken": str(tmp_path / "broken.onnx")}
    assert main(["graphs", *(a.format(**names) for a in arguments)]) == 2
    output = capsys.readouterr()
    assert output.err.count("\n") == 1
    assert output.err.startswith("python -m bench graphs: ")
    assert says in output.err


def test_without_a_browser_the_page_is_whole_and_says_how_to_get_one(
    files, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "page.html"
    assert main(["graphs", *files, "--pictures", "--out", str(out)]) == 2
    assert "apt-get install --no-install-recommends chromium" in capsys.readouterr().err
    page = out.read_text(encoding="utf-8")
    assert "No pictures" in page
    assert "apt-get install" in page
    assert "conv.weight" in page


def evil_pair(tmp_path):
    """Two files whose every name is hostile."""
    paths = []
    for side, operator in (("a", "Relu"), ("b", "Abs")):
        nodes, before = [], EVIL[0]
        for number, name in enumerate(EVIL):
            nodes.append(
                helper.make_node(operator, [before], [f"{name}{number}"], name=f"{side}{name}")
            )
            before = f"{name}{number}"
        nodes.append(
            helper.make_node(EVIL[0], [before], [side], name=side, domain=EVIL[2], note=EVIL[1])
        )
        paths.append(
            save(
                tmp_path / f"{side}.onnx",
                nodes,
                inputs=[value(EVIL[0], [EVIL[1], 3])],
                outputs=[value(side, [EVIL[4], 3])],
                opsets=[helper.make_opsetid("", 20), helper.make_opsetid(EVIL[2], 1)],
                producer_name=EVIL[0] + side,
                name=EVIL[0],
            )
        )
    return paths


def test_hostile_names_are_shown_and_not_run(tmp_path, capsys):
    paths = [str(p) for p in evil_pair(tmp_path)]
    assert main(["graphs", *paths]) == 0
    text = capsys.readouterr().out
    assert "[bold red]markup[/bold red]" in text
    assert "\x01" not in text
    assert main(["graphs", *paths, "--format", "html", "--out", str(tmp_path / "p.html")]) == 0
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "<script>window" not in page
    assert "<img" not in page
    assert "&lt;script&gt;window.pwned=1" in page
    assert page.count("<script") == 1
    assert "{{ 7 * 7 }}" in page
    capsys.readouterr()
    assert main(["graphs", *paths, "--format", "json"]) == 0
    json.loads(capsys.readouterr().out)


def test_a_page_has_one_script_that_its_policy_names(files):
    page = to_html(compare(graph(node("a", "Relu", ["x"], ["y"])), graph()))
    assert "default-src 'none'" in page
    assert "script-src 'sha256-" in page
    assert "http://" not in page
    assert "https://" not in page


def test_long_lists_are_cut_in_the_terminal_and_say_so():
    many = graph(*[node(f"n{n}", "Relu", ["x"], [f"v{n}"]) for n in range(100)])
    file = io.StringIO()
    render(compare(graph(), many), Console(file=file, width=120))
    assert "… and 70 more; --format json has all" in file.getvalue()
    assert len(to_document(compare(graph(), many))["added"]) == 100


def test_numbers_that_json_cannot_say_become_null():
    assert "NaN" not in to_json(compare(graph(), graph(num_bytes=float("nan"))))


def test_differences_are_marked_on_both_pictures():
    before = graph(node("a", "Relu", ["x"], ["v"]), node("gone", "Abs", ["v"], ["y"]))
    after = graph(
        node("a", "Gelu", ["x"], ["v"]),
        node("new", "Sigmoid", ["v"], ["w"]),
        node("new2", "Tanh", ["w"], ["y"]),
    )
    colours, notes = marks(compare(before, after))
    assert colours[0]["a"] == colours[1]["a"] == COLOURS["changed"]
    assert notes[1]["a"] == "operator: Relu → Gelu"
    assert COLOURS["added"] in colours[1].values()
    assert COLOURS["added"] not in colours[0].values()


def test_a_difference_inside_a_branch_marks_the_node_around_it():
    inner = node("if/then/x", "Relu", ["x"], ["v"], outer="if")
    before = graph(node("if", "If", ["x"], ["y"]))
    after = graph(node("if", "If", ["x"], ["y"]), inner)
    colours, notes = marks(compare(before, after))
    assert colours[1] == {"if": COLOURS["changed"]}
    assert notes[1] == {"if": "inside: added"}


def test_the_deadline_of_pictures_can_be_given(files, capsys, monkeypatch):
    class Slow:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def take(self, model, *, deadline, **_):
            raise studio.PictureTimedOut(f"{model}: no picture within {deadline:g} s")

    monkeypatch.setattr("bench.graph_diff.pictures.Studio", Slow)
    assert main(["graphs", *files, "--pictures", "--deadline", "3", "--format", "json"]) == 2
    assert "no picture within 3 s" in capsys.readouterr().err
