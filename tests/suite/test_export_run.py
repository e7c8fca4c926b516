"""The export stage with real exports of small nets, each in a worker of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.cell import Cell
from suite.data.sources import sources_in
from suite.outcome import Outcome
from suite.results.export import CacheUse, ExportResult, GraphValue
from suite.results.step_output import decode_output
from suite.worker.client import Launcher
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob

NETS = Path(__file__).with_name("export_nets.py")
SOURCES = {kind: source.as_dict() for kind, source in sources_in(None).items()}


@pytest.fixture(scope="module")
def launcher():
    launcher = Launcher(preload=["suite.stages.export.preload"])
    yield launcher
    launcher.close()


@pytest.fixture
def export(launcher, tmp_path):
    def one(model, *, output="net.onnx", cache_dir="", nets=NETS):
        return launcher.run(
            CellJob(
                runner="suite.stages.export.run:run",
                cell=Cell(model=model, size="tiny", backend="onnxruntime"),
                options=JobOptions.from_dict(
                    {
                        "models_from": str(nets),
                        "sources": SOURCES,
                        "seed": 0,
                        "threads": 1,
                        "weights": "random",
                        "run_dir": str(tmp_path),
                        "output": str(tmp_path / "onnx" / output),
                        "cache_dir": str(cache_dir),
                    }
                ),
                deadline=300.0,
                log=str(tmp_path / "log"),
            )
        )

    return one


def result_of(answer):
    """The result as the engine reads it."""
    return decode_output(ExportResult, answer.result).result


def test_the_preload_leaves_the_launcher_single_threaded(launcher):
    ready = launcher.wait_until_ready()
    assert not ready["failed"]
    assert ready["num_threads"] in (1, None)


def test_a_net_becomes_a_checked_graph_that_agrees_with_it(export, tmp_path):
    answer = export("linear")
    assert answer.outcome is Outcome.PASSED, answer.failure
    assert list(answer.phases) == ["build", "input", "export", "check", "session", "parity"]
    facts = result_of(answer)
    assert facts.parity.verdict == "passed"
    assert [(s.axis, s.extent) for s in facts.parity.shapes] == [
        ("example", None),
        ("input", None),
        ("batch", 2),
        ("batch", 5),
        ("batch", 16),
    ]
    assert facts.recipe.name == "dynamo"
    assert facts.onnx.inputs[0].shape == ("batch", 1, 28, 28)
    assert facts.onnx.outputs == (GraphValue(name="logits", dtype="float", shape=("batch", 5)),)
    assert facts.onnx.initializer_bytes >= 4 * 5 * (28 * 28 + 1)
    assert facts.onnx.num_nodes == sum(facts.onnx.operators.values())
    (artifact,) = answer.result["artifacts"]
    assert artifact["path"] == "onnx/net.onnx"
    assert artifact["num_bytes"] == (tmp_path / artifact["path"]).stat().st_size
    rows = {row["metric"]: row["samples"] for row in answer.result["measurements"]}
    assert rows == {
        "onnx_bytes": [artifact["num_bytes"]],
        "onnx_nodes": [facts.onnx.num_nodes],
    }


def test_two_exports_of_the_same_net_are_the_same_bytes_without_a_path_of_this_machine(
    export, tmp_path
):
    export("two_outputs", output="a.onnx")
    export("two_outputs", output="b.onnx")
    graph = (tmp_path / "onnx" / "a.onnx").read_bytes()
    assert graph == (tmp_path / "onnx" / "b.onnx").read_bytes()
    for folder in (NETS.parents[2], Path.home(), tmp_path):
        assert f"{folder}/".encode() not in graph
    assert b"layer.weight" in graph


def test_nested_outputs_get_the_names_of_the_record(export):
    facts = result_of(export("two_outputs"))
    assert [o.name for o in facts.onnx.outputs] == ["logits", "probability", "odds"]
    assert facts.parity.verdict == "passed"


def test_two_inputs_that_are_answered_alike_are_followed_by_a_third(export):
    parity = result_of(export("saturated")).parity
    assert parity.verdict == "passed"
    assert all(shape.spread > 10 for shape in parity.shapes)


def test_a_net_that_ignores_its_input_is_vacuous_not_passed(export):
    parity = result_of(export("constant")).parity
    assert parity.verdict == "vacuous"
    assert "logits" in parity.reason


def test_a_graph_that_computes_something_else_fails_with_its_numbers(export):
    answer = export("remembers")
    assert answer.outcome is Outcome.PASSED
    parity = result_of(answer).parity
    assert parity.verdict == "failed"
    assert parity.shapes[0].max_abs > 1e-3
    assert "tolerances" in parity.reason


def test_a_graph_that_strays_gives_way_to_the_next_recipes(export, tmp_path):
    facts = result_of(export("remembers_dynamo"))
    assert facts.parity.verdict == "passed"
    assert [(a.recipe, a.step) for a in facts.attempts] == [
        ("dynamo", "parity"),
        ("legacy", ""),
    ]
    assert "tolerances" in facts.attempts[0].error
    assert [p.name for p in (tmp_path / "onnx").iterdir()] == ["net.onnx"]


def test_a_dynamic_axis_that_does_not_hold_is_caught_at_its_second_extent(export):
    parity = result_of(export("unrolled")).parity
    assert parity.verdict == "failed"
    assert parity.reason.startswith("rows = 14:")
    verdicts = {s.axis: s.verdict for s in parity.shapes}
    assert verdicts["example"] == verdicts["batch"] == "passed"


def test_recipes_that_fail_are_recorded_and_the_legacy_exporter_comes_last(export):
    facts = result_of(export("only_legacy"))
    assert [(a.recipe, a.step) for a in facts.attempts] == [
        ("dynamo", "export"),
        ("legacy", ""),
    ]
    assert all(bool(a.error) == bool(a.step) for a in facts.attempts)
    assert facts.recipe.name == facts.onnx.exporter == "legacy"
    assert facts.onnx.opset == 18
    assert facts.parity.verdict == "passed"


def test_when_nothing_works_the_error_lists_every_attempt(export, tmp_path):
    answer = export("unexportable")
    assert answer.outcome is Outcome.FAILED
    assert answer.failure.kind == "ExportError"
    for recipe in ("dynamo", "legacy"):
        assert f"  {recipe} (export" in answer.failure.message
    assert not (tmp_path / "onnx" / "net.onnx").exists()


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("misnamed", "returns 3 tensors, but its record names 1"),
        ("unknown_recipe", "recipe 'magic' is unknown; expected one of dynamo"),
        ("unknown_input", "names the inputs ['images']; its batch has"),
    ],
)
def test_a_wrong_record_is_named(export, model, says):
    answer = export(model)
    assert answer.outcome is Outcome.FAILED
    assert says in answer.failure.message


def test_the_second_export_comes_from_the_cache_and_a_damaged_one_is_made_again(export, tmp_path):
    cache = tmp_path / "cache"
    first = export("linear", output="a.onnx", cache_dir=cache)
    assert result_of(first).cache.hit is False
    second = export("linear", output="b.onnx", cache_dir=cache)
    assert list(second.phases) == ["cache"]
    assert result_of(second).cache.hit is True
    assert result_of(second).parity == result_of(first).parity
    assert second.result["measurements"] == first.result["measurements"]
    a, b = (tmp_path / "onnx" / name for name in ("a.onnx", "b.onnx"))
    assert a.read_bytes() == b.read_bytes()
    (kept,) = cache.glob("*.onnx")
    kept.unlink()
    kept.write_bytes(b"damaged")
    third = export("linear", output="c.onnx", cache_dir=cache)
    assert result_of(third).cache.hit is False
    assert (tmp_path / "onnx" / "c.onnx").read_bytes() == a.read_bytes()


def test_the_cache_keeps_the_data_set_of_the_inputs(export, tmp_path):
    first, second = (export("linear", cache_dir=tmp_path / "cache") for _ in range(2))
    assert result_of(second).cache.hit is True
    assert first.result["data"]["name"] == "digits"
    assert second.result["data"] == first.result["data"]


def test_a_failed_parity_is_not_kept(export, tmp_path):
    cache = tmp_path / "cache"
    facts = result_of(export("remembers", cache_dir=cache))
    assert facts.cache == CacheUse(hit=False, key=facts.cache.key, kept=False)
    assert not list(cache.glob("*"))


def test_an_export_over_a_link_into_the_cache_leaves_the_cache_alone(export, tmp_path):
    cache = tmp_path / "cache"
    export("linear", cache_dir=cache)
    (kept,) = cache.glob("*.onnx")
    before = kept.read_bytes()
    export("two_outputs", cache_dir=cache)
    assert kept.read_bytes() == before


@pytest.mark.parametrize(
    ("model", "cause"),
    [
        ("branches_on_value", "branches on the value of a tensor (export_nets.py:"),
        ("own_operator", "operator vitals_test::squash has no translation"),
        ("complex_solve", "complex numbers"),
        ("counts_calls", "forward changes the buffers `pace`, `count`"),
        ("steps_an_attribute", "forward changes the attribute `steps`"),
        ("draws_noise", "forward draws random numbers"),
    ],
)
def test_an_export_that_fails_says_cause_and_cure_in_its_first_line(export, model, cause):
    answer = export(model)
    assert answer.outcome is Outcome.FAILED
    assert answer.failure.kind == "ExportError"
    first = answer.failure.message.splitlines()[0]
    assert cause in first
    assert "Cure: " in first
    assert not first.endswith(":")
    assert "\x1b" not in answer.failure.message


@pytest.mark.parametrize("model", ["takes_a_dict", "annotated_dict"])
def test_a_forward_that_takes_a_dict_is_to_be_wrapped(export, model):
    answer = export(model)
    assert answer.failure.kind == "ForwardError"
    assert "forward takes a dict (`batch`)" in answer.failure.message
    assert "wrap it" in answer.failure.message


def test_a_translation_of_the_record_makes_a_custom_operator_exportable(export):
    facts = result_of(export("own_operator_translated"))
    assert facts.parity.verdict == "passed"
    assert facts.recipe.name == "dynamo"


def test_a_translation_of_an_unknown_operator_is_the_records_mistake(export):
    answer = export("unknown_translation")
    assert answer.failure.kind == "ValueError"
    assert "'nowhere::squash', which is not registered" in answer.failure.message


@pytest.mark.parametrize(
    ("model", "extents"),
    [
        ("branches_on_extent", {4, 5, 16}),
        ("branches_on_many_rows", {21}),
        ("branches_on_parity", {5}),
    ],
)
def test_a_branch_on_an_open_axis_is_found_on_its_other_side(export, model, extents):
    parity = result_of(export(model)).parity
    assert parity.verdict == "failed"
    wrong = {s.extent for s in parity.shapes if s.verdict == "failed" and s.extent}
    assert wrong == extents
    if model != "branches_on_parity":
        assert "forward branches on the extent of batch: the exported program holds up to" in (
            parity.reason
        )


def test_a_number_that_depends_on_the_input_is_no_constant_of_the_graph(export):
    facts = result_of(export("reads_number"))
    legacy, dynamo = facts.attempts
    assert (legacy.recipe, legacy.step) == ("legacy", "export")
    assert "reads a tensor's value in Python (export_nets.py:" in legacy.error
    assert (dynamo.recipe, facts.parity.verdict) == ("dynamo", "passed")


def test_a_branch_that_only_refuses_inputs_does_not_spoil_a_traced_graph(export):
    facts = result_of(export("checks_value"))
    assert (facts.recipe.name, facts.parity.verdict) == ("legacy", "passed")


def test_a_dictionary_is_put_in_the_records_order_by_its_keys(export):
    facts = result_of(export("named_otherwise"))
    assert [o.name for o in facts.onnx.outputs] == ["logits", "score"]
    assert facts.onnx.outputs[0].shape == ("batch", 5)
    assert facts.parity.verdict == "passed"


def test_a_dictionary_of_which_some_keys_have_another_place_is_refused(export):
    answer = export("half_named")
    assert "returns `logits` as output 1, and its record names it output 0" in (
        answer.failure.message
    )


def test_a_buffer_that_changes_without_changing_the_answer_is_no_fault(export):
    assert result_of(export("keeps_a_count")).parity.verdict == "passed"


def test_a_right_graph_passes_where_the_runtime_alone_is_inexact(export):
    parity = result_of(export("spectrum")).parity
    assert parity.verdict == "passed"
    rows = [shape for shape in parity.shapes if shape.times_eager > 10]
    assert all("the graph is right: computed in float64" in row.reason for row in rows)


def test_the_judge_is_a_float64_run_and_the_record_says_so(export):
    shapes = result_of(export("linear")).parity.shapes
    assert [shape.judge for shape in shapes] == ["float64", *["eager"] * (len(shapes) - 1)]
    assert 0 < shapes[0].eager_error < 1e-6
    assert {shape.eager_error for shape in shapes[1:]} == {None}
    assert 0 < shapes[0].graph_error < 1e-6
    assert all(0 < shape.graph_error < 1e-5 for shape in shapes)
