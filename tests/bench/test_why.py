"""Why a graph is slow: causes that were planted are named first, healthy graphs have none."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from slow_graphs import CASES, HEALTHY

from bench.graph_analysis.causes import CAUSES, causes_of, products
from bench.graph_analysis.evidence import Array, Evidence, ProfiledNode
from bench.graph_analysis.profiled import nodes_of

CPU = "CPUExecutionProvider"


def node(operator, seconds, *inputs, name="", provider=CPU, out=(1, 64, 28, 28), dtype="float"):
    return ProfiledNode(
        name=name or operator.lower(),
        operator=operator,
        seconds=seconds,
        provider=provider,
        inputs=tuple(Array(dtype=dtype, shape=shape) for shape in inputs),
        outputs=(Array(dtype=dtype, shape=out),),
    )


def names(*nodes, **fields):
    evidence = Evidence(nodes=nodes, provider=CPU, threads=2, peak=50e9, **fields)
    return [finding.cause for finding in causes_of(evidence)]


@pytest.fixture(scope="module")
def named():
    """Case -> causes that ONNX Runtime's profile of its graph gives, in a process of its own."""
    script = Path(__file__).with_name("slow_graphs.py")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_of_twenty_planted_causes_eighteen_or_more_are_named_first(named):
    planted = [name for name, case in CASES.items() if case.cause != HEALTHY]
    missed = [name for name in planted if named[name][:1] != [CASES[name].cause]]
    assert len(planted) >= 20
    assert len(missed) <= len(planted) - 18, {name: named[name] for name in missed}


def test_no_cause_is_named_in_ten_healthy_graphs(named):
    healthy = [name for name, case in CASES.items() if case.cause == HEALTHY]
    assert len(healthy) == 10
    assert {name: named[name] for name in healthy if named[name]} == {}


def test_every_cause_is_one_that_a_graph_or_a_record_here_has():
    in_records = {"provider fall-back", "half precision emulated", "thread barriers"}
    assert {row.name for row in CAUSES} == {c.cause for c in CASES.values() if c.cause} | in_records


CONV = ((1, 64, 28, 28), (64, 64, 3, 3))


def test_a_convolution_at_the_rate_of_a_matrix_product_is_no_cause():
    assert names(node("Conv", 0.0006, *CONV)) == []


def test_the_same_convolution_in_groups_is_one_only_where_it_is_slow():
    grouped = ((1, 64, 28, 28), (64, 4, 3, 3))  # 1.8 million multiply-accumulates
    assert names(node("Conv", 0.0006, *grouped)) == ["grouped convolution"]
    assert names(node("Conv", 0.00004, *grouped)) == []


def test_one_filter_per_channel_has_a_kernel_of_its_own():
    assert names(node("Conv", 0.0006, (1, 64, 28, 28), (64, 1, 3, 3))) == []


def test_what_ran_on_another_provider_is_named_with_it():
    found = causes_of(
        Evidence(
            nodes=(
                node("MatMul", 1.0, provider="CUDAExecutionProvider"),
                node("NonMaxSuppression", 1.0),
                node("MemcpyToHost", 0.5, provider="CUDAExecutionProvider"),
            ),
            provider="CUDAExecutionProvider",
        )
    )
    assert found[0].cause == "provider fall-back"
    assert found[0].share == pytest.approx(0.6)
    assert CPU in found[0].sentence


def test_casts_that_the_runtime_inserted_mean_that_half_precision_is_emulated():
    casts = [
        node("Cast", 0.2, (64, 64), name=f"InsertedPrecisionFreeCast_{n}", dtype="float16")
        for n in range(2)
    ]
    assert names(node("MatMul", 0.6, (64, 64), (64, 64)), *casts) == ["half precision emulated"]


def test_one_thread_that_is_faster_than_all_is_a_cause_and_disturbed_turns_tell_nothing():
    many, one = (
        (0.02, 0.021, 0.02, 0.0205, 0.02, 0.021),
        (0.012, 0.0125, 0.012, 0.012, 0.0121, 0.012),
    )
    work = node("Conv", 0.0006, *CONV)
    assert names(work, many=many, one=one) == ["thread barriers"]
    assert names(work, many=many, one=one, starved=tuple(range(6))) == []
    assert names(work, many=one, one=many) == []


def test_nodes_inside_of_a_loop_are_part_of_its_time():
    def event(name, operator, start, length):
        args = {"op_name": operator, "provider": CPU}
        return {
            "cat": "Node",
            "name": f"{name}_kernel_time",
            "ts": start,
            "dur": length,
            "args": args,
        }

    run = [
        event("inner", "MatMul", 10, 40),
        event("inner", "MatMul", 55, 40),
        event("l", "Loop", 0, 100),
    ]
    again = [{**e, "ts": e["ts"] + 1000} for e in run]
    nodes = {found.operator: found for found in nodes_of([*run, *again], 2)}
    assert nodes["MatMul"].is_inner
    assert nodes["MatMul"].seconds == pytest.approx(80e-6)
    assert Evidence(nodes=tuple(nodes.values())).seconds == pytest.approx(100e-6)


def test_a_healthy_graph_spends_its_time_in_products():
    evidence = Evidence(nodes=(node("Conv", 0.9, *CONV), node("Relu", 0.1)), provider=CPU)
    assert products(evidence) == pytest.approx(0.9)


def run_command(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "bench", "why", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=cwd,
    )


def test_a_file_is_told_with_its_cause_its_evidence_and_the_cure(tmp_path):
    import onnx

    onnx.save(CASES["elementwise chain"].model, tmp_path / "net.onnx")
    done = run_command(str(tmp_path / "net.onnx"), "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^1\. elementwise chain, \d+% of a run", done.stdout, re.MULTILINE)
    assert "cure: use the module that has a fused kernel" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.onnx"], "missing.onnx: no such file; expected an ONNX file or a model of a run"),
        (["resnet18", "--runs-dir", "nowhere"], "Next: pytest bench --models resnet18"),
        (["resnet18", "--axes", "batch=2"], "--axes goes with a file"),
        (["resnet18", "--threads", "-1"], "--threads -1; expected 1 or more"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, words):
    done = run_command(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_file_that_is_no_graph_is_one_sentence_with_the_doctor_as_next_step(tmp_path):
    (tmp_path / "bad.onnx").write_text("no graph")
    done = run_command(str(tmp_path / "bad.onnx"))
    assert done.returncode == 2
    assert "it does not run in ONNX Runtime" in done.stderr
    assert "next: python -m diagnostics model" in done.stderr


def test_the_report_tells_of_each_graph_what_slows_it_down(tmp_path):
    import onnx
    from report_runs import MODELS, write_run

    from bench.graph_analysis.folder import Anatomies, folder_of, load_anatomies
    from bench.graph_analysis.make import take_files_apart
    from bench.report.html import to_html
    from bench.summary.build import build_report
    from suite.runs.load import load_run

    onnx.save(CASES["windows cut out"].model, tmp_path / "net.onnx")
    take_files_apart({"net": tmp_path / "net.onnx"}, folder_of(tmp_path))
    (found,) = load_anatomies(tmp_path).by_stem.values()
    assert found.causes[0].cause == "layout copies"
    write_run(tmp_path / "run", models=MODELS[:1])
    of_the_row = replace(found, model=MODELS[0][0], size="base", variant="original")
    page = to_html(
        build_report(load_run(tmp_path / "run")), anatomies=Anatomies(by_stem={"net": of_the_row})
    )
    assert "What slows" in page
    assert "Copies of whole tensors into another layout" in page
    assert "move permutes out of forward" in page
