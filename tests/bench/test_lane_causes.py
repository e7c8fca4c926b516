"""Why a lane is slow, from the records of its steps: breaks, recompilations, fall-back, emulation, compile time."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from life_runs import write_folder
from test_report_lanes import cell_of, compilation, fidelity, latency, pairs, record, words_of
from test_report_lanes import report as report  # a fixture
from test_report_render import printed

from bench.lane_answers import lane_answers
from bench.report.html import to_html
from bench.report.lane_tables import cause_lines
from bench.report.markdown import to_markdown
from bench.summary.lane_causes import BREAKS, causes_of_lane, guard_of
from suite.outcome import Outcome
from suite.record import Failure
from suite.results.measuring import CompilationResult, GraphBreak, NodeShare, Recompilation

EAGER, LANE = cell_of("eager"), cell_of("compiled")
FACTOR = {"slower": 1.25, "same": 1.0, "slightly": 0.9, "twice": 0.5}
"""Seconds of the lane over eager's."""


def broken(place, reason, detail="", *, is_skipped=False):
    return GraphBreak(place=place, reason=reason, detail=detail, is_skipped=is_skipped)


def again(reason, count=1, place="net.py:9 forward"):
    return Recompilation(place=place, reason=reason, count=count)


def taken_apart(*breaks, graphs=1, recompilations=(), given_up=(), cold=12.5):
    """A record of the step compilation."""
    own = compilation(LANE, breaks, tuple(recompilations))
    result = replace(own.result, num_graphs=graphs, given_up=given_up)
    return replace(
        own,
        result=result,
        measurements=tuple(
            replace(m, samples=(cold,)) if m.metric == "compile_cold" else m
            for m in own.measurements
        ),
    )


@pytest.fixture
def named(report):
    """A function that returns the causes of a compiled lane with these records, its speed by a row of FACTOR."""

    def make(*records, speed="slower"):
        factor = FACTOR[speed]
        made = report(
            latency(EAGER), latency(LANE, factor), pairs(LANE, EAGER, factor=factor), *records
        )
        (row,) = made.rows
        return causes_of_lane(row, row.lane("compiled"))

    return make


PLANTED = {
    "branch": (
        taken_apart(broken("net.py:12", "Data-dependent branching"), graphs=2),
        "graph break: data-dependent branch",
    ),
    "item": (
        taken_apart(broken("net.py:7", "Unsupported Tensor.item() call with x=False"), graphs=2),
        "graph break: value read out of a tensor",
    ),
    "tolist": (
        taken_apart(broken("net.py:7", "Tensor.tolist() with non-integer tensor"), graphs=2),
        "graph break: value read out of a tensor",
    ),
    "nonzero": (
        taken_apart(
            broken("net.py:7", "Dynamic shape operator", "`aten.nonzero`'s output shape depends"),
            graphs=2,
        ),
        "graph break: shape that depends on data",
    ),
    "print": (
        taken_apart(
            broken(
                "net.py:7", "Failed to trace builtin operator", "does not know builtin `print` with"
            ),
            graphs=2,
        ),
        "graph break: Python side effect",
    ),
    "clock": (
        taken_apart(broken("net.py:7", "Call to a time function"), graphs=2),
        "graph break: Python side effect",
    ),
    "disabled": (
        taken_apart(
            broken("net.py:7", "Skip inlining `torch.compiler.disable()`d function"), graphs=2
        ),
        "graph break: function kept from the compiler",
    ),
    "any other": (
        taken_apart(broken("net.py:7", "Unsupported method call"), graphs=2),
        "graph break",
    ),
    "growing": (
        taken_apart(
            graphs=3,
            recompilations=[
                again("self.seen is None            # self.seen = y  # net.py:10 in forward"),
                again("tensor 'self.seen' size mismatch at index 0. expected 4, actual 8"),
            ],
        ),
        "dynamic shapes",
    ),
    "counting": (
        taken_apart(graphs=3, recompilations=[again("self.n == 0      # self.n += 1", 2)]),
        "recompilation: Python state",
    ),
    "another mode": (
        taken_apart(
            graphs=2, recompilations=[again("tensor 'self.seen' dispatch key set mismatch.")]
        ),
        "recompilation: mode of autograd",
    ),
    "nothing compiled": (
        taken_apart(
            broken("net.py:7", "Failed to trace", "builtin `print`", is_skipped=True), graphs=0
        ),
        "fall-back to eager",
    ),
    "given up": (
        taken_apart(
            broken("net.py:7", "Failed to trace", "builtin `print`"),
            graphs=9,
            recompilations=[again(f"self.n == {n!r}") for n in "abcdefg"],
            given_up=("net.py:9 forward",),
        ),
        "fall-back to eager",
    ),
    "a part": (
        taken_apart(broken("net.py:7", "Data-dependent branching", is_skipped=True), graphs=4),
        "fall-back to eager",
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_cause_is_named_first_with_its_place_and_a_cure(named, case):
    of_the_step, cause = PLANTED[case]
    first, *_ = named(of_the_step)
    assert first.cause == cause
    assert "net.py:" in first.sentence
    assert first.cure


@pytest.mark.parametrize("speed", ["slower", "twice"])
def test_a_model_compiled_in_one_piece_names_none(named, speed):
    assert named(taken_apart(), speed=speed) == ()


def test_a_lane_whose_compilation_is_unknown_names_none(named):
    assert named() == ()


def test_graphs_that_no_break_and_no_recompilation_explain_are_said_to_be_breaks(named):
    (found,) = named(taken_apart(graphs=3, recompilations=[]))
    assert found.cause == "graph break"
    assert "at places that torch did not tell" in found.sentence


def test_a_line_of_the_model_is_named_before_one_of_pythons_own_library(named):
    (found,) = named(
        taken_apart(
            broken("logging/__init__.py:2087", "Unresolved", "LoggingLoggerVariable"),
            broken("net.py:7", "logging.Logger method not supported", "calls `logger.info`"),
            graphs=2,
        )
    )
    assert "at net.py:7," in found.sentence
    assert "logger.info" in found.sentence
    assert found.sentence.endswith("and at 1 place more")


def test_a_guard_is_told_without_the_line_of_source_that_torch_appends():
    assert guard_of(again("self.n == 0                # self.n += 1  # x/net.py:49 in f")) == (
        "self.n == 0"
    )


def test_every_kind_of_break_is_planted():
    planted = {cause.removeprefix("graph break: ") for _, cause in PLANTED.values()}
    assert {row.name for row in BREAKS} <= planted


def test_breaks_of_one_kind_are_one_cause_and_the_kind_with_most_places_comes_first(named):
    branch = [broken(f"net.py:{n}", "Data-dependent branching") for n in (12, 15)]
    found = named(
        taken_apart(broken("net.py:7", "Unsupported Tensor.item() call"), *branch, graphs=4)
    )
    assert [one.cause for one in found] == [
        "graph break: data-dependent branch",
        "graph break: value read out of a tensor",
    ]
    assert "net.py:12" in found[0].sentence
    assert "at 1 place more" in found[0].sentence


def test_a_break_comes_before_what_is_compiled_again_after_it(named):
    found = named(
        taken_apart(
            broken("net.py:7", "Unsupported Tensor.item() call"),
            graphs=3,
            recompilations=[again("___stack0 == 2", place="net.py:7 torch_dynamo_resume_in_f")],
        )
    )
    assert [one.cause for one in found] == [
        "graph break: value read out of a tensor",
        "recompilation: Python state",
    ]


def test_a_gain_that_takes_long_to_pay_for_the_compilation_is_told_with_the_number_of_calls(named):
    (found,) = named(taken_apart(cold=40.0), speed="slightly")
    assert found.cause == "compile time"
    assert found.sentence.startswith("1.11×")
    assert (
        "takes 40.0 s to compile (3.50 s from a kept cache): pays after 400,000 calls"
        in found.sentence
    )
    assert "6 min" in found.sentence


def test_twice_the_speed_pays_soon_and_no_gain_never(named):
    assert named(taken_apart(cold=40.0), speed="twice") == ()
    (found,) = named(taken_apart(cold=40.0), speed="same")
    assert found.sentence.endswith("it never pays")
    assert found.cure == "ship eager"


def test_an_emulated_dtype_is_a_cause_unless_it_is_faster_all_the_same(report):
    lack = "this CPU has no instructions for bfloat16"
    narrow = cell_of("compiled", "bfloat16")

    def causes(factor):
        made = report(
            latency(EAGER),
            latency(narrow, factor, emulated=lack),
            pairs(narrow, EAGER, factor=factor),
        )
        (row,) = (row for row in made.rows if row.dtype == "bfloat16")
        return causes_of_lane(row, row.lane("compiled"))

    (found,) = causes(3.0)
    assert found.cause == "half precision emulated"
    assert lack in found.sentence
    assert "0.33×" in found.sentence
    assert causes(0.5) == ()


def test_nodes_on_another_provider_are_a_cause_from_a_share_that_matters(report):
    lane = cell_of("ort_xnnpack")

    def causes(share):
        nodes = (
            NodeShare(name="c1", operator="Conv", provider="CPUExecutionProvider", share=share),
        )
        (row,) = report(latency(EAGER), latency(lane), fidelity(lane, fallen_back=nodes)).rows
        return causes_of_lane(row, row.lane("ort_xnnpack"))

    (found,) = causes(0.4)
    assert found.cause == "provider fall-back"
    assert "1 node ran on CPU, 40% of the time: Conv c1 alone 40%" in found.sentence
    assert causes(0.1) == ()


def test_the_page_the_terminal_and_markdown_tell_the_cause_of_the_slow_lane(report):
    made = report(
        latency(EAGER),
        latency(LANE, 1.25),
        pairs(LANE, EAGER, factor=1.25),
        taken_apart(broken("net.py:12", "Data-dependent branching"), graphs=2),
    )
    (line,) = cause_lines(made)
    (row,) = made.rows
    assert line.causes == causes_of_lane(row, row.lane("compiled"))
    page = words_of(to_html(made), "causes")
    for words in ("data-dependent branch", "net.py:12", "Cure: compute both sides"):
        assert words in page
    text = " ".join(printed(made, 200).split())
    assert "why slow: net, compiled: graph break: data-dependent branch: every pass" in text
    assert "Cure: compute both sides" in text
    assert "net.py:12" in to_markdown(made)


def test_a_slow_compiled_lane_that_was_not_taken_apart_says_how_to(report):
    made = report(latency(EAGER), latency(LANE, 1.25), pairs(LANE, EAGER, factor=1.25))
    command = "pytest bench --models net --size tiny --backend compiled -k compilation"
    assert command in words_of(to_html(made), "causes")
    assert command in " ".join(printed(made, 300).split())
    fast = report(latency(EAGER), latency(LANE, 0.5), pairs(LANE, EAGER, factor=0.5))
    assert cause_lines(fast) == ()


def test_a_step_that_failed_is_named_with_what_it_said(report):
    failure = Failure(kind="RuntimeError", message="no compiler\nat all")
    step = replace(
        record(LANE, "compilation", CompilationResult(), outcome=Outcome.FAILED), failure=failure
    )
    made = report(latency(EAGER), latency(LANE, 1.25), pairs(LANE, EAGER, factor=1.25), step)
    (line,) = cause_lines(made)
    assert line.missing.startswith("its step compilation failed (no compiler); next: pytest bench")


BRANCH = broken("net.py:12", "Data-dependent branching")


@pytest.fixture(scope="module")
def named_in_modules():
    """Case -> causes that a record of torch.compile on its module gives, in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("slow_modules.py"))],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.heavy
def test_what_is_planted_in_modules_is_named_first_after_a_real_compilation(named_in_modules):
    planted = {name: cause for name, (cause, *_) in named_in_modules.items() if cause}
    missed = {n: c for n, c in planted.items() if named_in_modules[n][1][:1] != [c]}
    assert len(planted) == 20
    assert len(missed) <= 1, missed


@pytest.mark.heavy
def test_no_cause_is_named_in_healthy_modules_after_a_real_compilation(named_in_modules):
    healthy = {name: found for name, (cause, found) in named_in_modules.items() if not cause}
    assert len(healthy) == 11
    assert {name: found for name, found in healthy.items() if found} == {}


def write_runs(runs, **records):
    """Folders of these names, the newest last, each with its records; returned newest first."""
    for name, own in records.items():
        planned = [{"cell": one.cell.as_dict(), "step": one.step} for one in own]
        write_folder(runs / f"20261130-{name.removeprefix('at_')}-aaaa", list(own), planned)
    return sorted(runs.iterdir(), reverse=True)


MEASURED = (latency(EAGER), latency(LANE, 1.25), pairs(LANE, EAGER, factor=1.25))


def test_a_run_of_the_step_alone_tells_of_the_lane_that_another_run_measured(tmp_path):
    apart = (taken_apart(BRANCH, graphs=2),)
    folders = write_runs(tmp_path, at_060000=MEASURED, at_070000=apart)
    eager, found = lane_answers(folders, "net", "", "original", "")
    assert (eager.backend, eager.causes) == ("eager", ())
    assert (found.run, found.taken_apart_in) == (folders[1].name, folders[0].name)
    assert found.verdict.startswith("0.80×")
    assert [one.cause for one in found.causes] == ["graph break: data-dependent branch"]
    assert found.missing == ""


def why(*arguments, runs):
    return subprocess.run(
        [sys.executable, "-m", "bench", "why", *arguments, "--runs-dir", str(runs)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_command_names_the_cause_of_a_lane_without_a_graph(tmp_path):
    write_runs(tmp_path, at_060000=(*MEASURED, taken_apart(BRANCH, graphs=2)))
    done = why("net", runs=tmp_path)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "no graph of net in a run" in text
    assert "1. graph break: data-dependent branch" in text
    assert "cure: compute both sides" in text
    as_data = json.loads(
        why("net", "--backend", "compiled", "--format", "json", runs=tmp_path).stdout
    )
    assert as_data["lanes"][0]["causes"][0]["cause"] == "graph break: data-dependent branch"


def test_the_command_says_how_a_lane_is_taken_apart_that_was_not(tmp_path):
    write_runs(tmp_path, at_060000=MEASURED)
    done = why("net", "--backend", "compiled", runs=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "next: pytest bench --models net --size tiny --backend compiled -k compilation" in (
        " ".join(done.stdout.split())
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("net", "--backend", "openvino"),
            "Next: pytest bench --models net --backend eager,openvino",
        ),
        (("net", "--backend", "compild"), "--backend compild; expected one of eager, compiled"),
        (("net.onnx", "--backend", "compiled"), "--backend goes with a model of a run"),
    ],
)
def test_a_lane_that_is_not_there_is_one_sentence(tmp_path, arguments, words):
    write_runs(tmp_path, at_060000=MEASURED)
    done = why(*arguments, runs=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
