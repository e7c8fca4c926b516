"""Exact numbers, quality, causes, and what a gate looks like as JSON, Markdown and on a terminal."""

import io
import itertools
import json
import math
import re
import shlex
from dataclasses import replace

import pytest
from recorded import record_with
from rich.console import Console

from bench.gate.block import Block
from bench.gate.cause import (
    Repeat,
    bisect_command,
    gate_command,
    kept_options,
    likely_files,
    operator_rows,
)
from bench.gate.document import to_json
from bench.gate.errors import GateError
from bench.gate.exact import (
    compare_quality,
    compare_repeats,
    compare_values,
    median_values,
    metric_values,
)
from bench.gate.files import write_files
from bench.gate.html import to_html, to_x
from bench.gate.markdown import to_markdown
from bench.gate.outcome import Gate, Side
from bench.gate.plugin import failure_reason
from bench.gate.row import Cause, Row
from bench.gate.source_tree import SourceTree
from bench.gate.terminal import render
from bench.gate.thresholds import Limits
from bench.gate.verdict import Verdict, summarize_effects
from bench.gate.work import Count, judge_work
from suite.catalog import builtin_specs
from suite.cell import Cell
from suite.import_root import TREE
from suite.outcome import Outcome
from suite.record import Measurement, Record
from suite.worker.job_options import Origin

CELL = Cell(model="mlp", size="tiny")


def record(step="memory", facts=None, **metrics):
    found = Record(
        run_id="r",
        cell=CELL,
        step=step,
        outcome=Outcome.PASSED,
        measurements=tuple(
            Measurement(metric=name, unit="B", samples=tuple(values))
            for name, values in metrics.items()
        ),
    )
    return record_with(found, facts or {})


def verdict_of(metric, base, head, **shares):
    limits = Limits(shares={**Limits().shares, **shares})
    rows = compare_values({metric: ("B", base)}, {metric: ("B", head)}, limits)
    return rows[0].verdict


@pytest.mark.parametrize(
    ("metric", "base", "head", "verdict"),
    [
        ("parameters", 1000, 1001, Verdict.REGRESSED),
        ("parameters", 1000, 1000, Verdict.NO_REGRESSION),
        ("parameters", 1000, 999, Verdict.IMPROVED),
        ("macs", 0, 5, Verdict.REGRESSED),
        ("peak_tensor_bytes", 1_000_000, 1_009_000, Verdict.NO_REGRESSION),
        ("peak_tensor_bytes", 1_000_000, 1_011_000, Verdict.REGRESSED),
        ("peak_rss_delta", 10_000, 3_000_000, Verdict.NO_REGRESSION),
        ("peak_rss_delta", 10_000_000, 210_000_000, Verdict.REGRESSED),
        ("leak", 0, 1_000_000, Verdict.REGRESSED),
        ("leak", -4_000, 20_000, Verdict.NO_REGRESSION),
    ],
)
def test_a_fact_that_grew_is_a_regression_and_pages_of_the_allocator_are_none(
    metric, base, head, verdict
):
    assert verdict_of(metric, base, head) is verdict


def test_a_threshold_lets_a_fact_grow():
    assert verdict_of("parameters", 1000, 1030, parameters=0.05) is Verdict.NO_REGRESSION


def test_a_leak_is_the_slope_of_the_live_bytes():
    found = metric_values([record(live_bytes=[i * 1e6 for i in range(20)], peak_rss_delta=[5.0])])
    assert found["leak"] == ("B/iteration", pytest.approx(1e6))
    assert found["peak_rss_delta"] == ("B", 5.0)


def test_the_middle_of_three_fresh_processes_counts_where_all_had_the_metric():
    repeats = [
        {"a": ("B", v), **extra} for v, extra in ((9.0, {"b": ("B", 1.0)}), (1.0, {}), (2.0, {}))
    ]
    assert median_values(repeats) == {"a": ("B", 2.0)}


def peaks(*megabytes):
    return [{"peak_rss_delta": ("B", 1e6 * number)} for number in megabytes]


@pytest.mark.parametrize(
    "base, head, verdict",
    [
        ((50, 51, 50, 52, 50), (60, 61, 60, 62, 60), Verdict.REGRESSED),
        ((60, 61, 60, 62, 60), (50, 51, 50, 52, 50), Verdict.IMPROVED),
        # An allocator with two paths: the middles differ by a fifth, and both programs are the same one.
        ((50, 60, 50, 60, 50), (60, 50, 60, 60, 50), Verdict.INCONCLUSIVE),
        ((50, 51, 50, 52, 50), (52, 51, 50, 52, 51), Verdict.NO_REGRESSION),
        ((50, 51, 50), (60, 61, 60), Verdict.INCONCLUSIVE),
    ],
)
def test_memory_moved_only_where_fresh_processes_of_both_arms_do_not_overlap(base, head, verdict):
    (found,) = compare_repeats(peaks(*base), peaks(*head), Limits())
    assert found.verdict is verdict
    assert (verdict is Verdict.INCONCLUSIVE) == found.note.endswith("cannot be told apart")


SPECS = {spec.name: spec for spec in builtin_specs()}


def quality(trained):
    return {"k": record("train", {"metric": {"untrained": 10.0, "trained": trained}})}


def test_a_faster_model_that_got_worse_than_its_record_allows_is_a_regression():
    allowed = SPECS["mlp"].sizes["tiny"].pruning.max_drop
    worse = compare_quality(quality(90.0), quality(90.0 - allowed - 1), SPECS)["k"]
    same = compare_quality(quality(90.0), quality(90.0 - allowed + 1), SPECS)["k"]
    assert (worse.verdict, same.verdict) == (Verdict.REGRESSED, Verdict.NO_REGRESSION)
    assert "may be lost" in worse.note


@pytest.mark.parametrize(
    "base, head, verdict",
    [
        (90.0, math.nan, Verdict.REGRESSED),
        (math.nan, 90.0, Verdict.INCONCLUSIVE),
        (math.nan, math.nan, Verdict.INCONCLUSIVE),
    ],
)
def test_a_quality_that_is_no_number_is_never_fine(base, head, verdict):
    assert compare_quality(quality(base), quality(head), SPECS)["k"].verdict is verdict


def test_quality_that_one_arm_does_not_have_is_not_compared():
    assert compare_quality({}, quality(90.0), SPECS) == {}


def test_operators_with_more_calls_come_first_then_those_with_more_time():
    base = {"mm": [1.0, 2.0], "relu": [0.1, 1.0], "same": [1.0, 1.0]}
    head = {"mm": [1.5, 2.0], "relu": [0.12, 2.0], "same": [1.0, 1.0], "new": [0.01, 1.0]}
    names = [row["operator"] for row in operator_rows(base, head)]
    assert names[:3] == ["relu", "new", "mm"]
    assert names[-1] == "same"


def test_the_bisect_line_skips_commits_that_cannot_be_judged():
    place = SourceTree(label="main", tree=TREE, sha="1234567890abcdef")
    line = bisect_command(Row(cell=CELL, limits=Limits()), place, place, Repeat(plan="standard"))
    assert line.startswith("git bisect start HEAD 1234567890ab && git bisect run sh -c ")
    assert "--models mlp --size tiny --backend eager" in line
    assert "code=125" in line


def test_a_commit_that_time_cannot_judge_is_skipped_unless_it_was_the_work_that_grew():
    place = SourceTree(label="main", tree=TREE, sha="1234567890abcdef")
    counted = Repeat(plan="quick", witness="instructions")
    slower = Row(cell=CELL, limits=Limits(), step="training", verdict=Verdict.REGRESSED)
    assert "--strict; code=" in bisect_command(slower, place, place, counted)
    counts = [Count(counts=(share,)) for share in (1.0, 1.0, 1.1, 1.1)]
    grown = Row(cell=CELL, limits=Limits())
    grown.work = judge_work(counts[:2], counts[2:], limit=0.01, operator_limit=0.05)
    assert grown.has_more_work
    assert "--strict" not in bisect_command(grown, place, place, counted)


def test_the_command_for_a_row_alone_gives_the_options_again_that_decide_its_state(tmp_path):
    (tmp_path / "samples").mkdir()
    typed = "pytest bench --against main --seed=3 --data samples --weights pretrained --plan quick"
    repeat = Repeat(plan="quick", options=kept_options(typed, tmp_path))
    words = words_of(CELL, repeat)
    assert (words["--seed"], words["--weights"]) == ("3", "pretrained")
    assert (TREE / words["--data"]).resolve() == tmp_path / "samples"


def words_of(cell, repeat, place=None):
    """The command that compares the cell again, as a dictionary of its options."""
    place = place or SourceTree(label="main", tree=TREE, sha="1234567890abcdef")
    words = shlex.split(gate_command(Row(cell=cell, limits=Limits()), place, place, repeat))
    return dict(itertools.pairwise(words))


def test_the_command_for_a_row_alone_repeats_its_state_threads_and_interpreter():
    repeat = Repeat(plan="quick", threads=3, python="/opt/other/bin/python")
    words = words_of(replace(CELL, variant="pruned"), repeat)
    assert words["--variant"] == "pruned"
    assert words["--threads"] == "3"
    assert words["--against-python"] == "/opt/other/bin/python"
    assert "--variant" not in words_of(CELL, repeat)


def test_the_command_for_a_row_alone_names_a_model_as_the_user_did(tmp_path):
    file = tmp_path / "mine" / "zoo" / "net.py"
    (tmp_path / "mine" / ".git").mkdir(parents=True)
    texts = {
        f"python:{file}:build": "zoo/net.py:build",
        f"onnx:{file.with_suffix('.onnx')}": "zoo/net.onnx",
        "timm:resnet18": "timm:resnet18",
    }
    for text, shown in texts.items():
        repeat = Repeat(plan="quick", origins={"net.build": Origin(text=text)})
        assert words_of(replace(CELL, model="net.build"), repeat)["--models"] == shown


def test_there_is_nothing_to_bisect_in_uncommitted_changes_or_folders():
    row = Row(cell=CELL, limits=Limits())
    uncommitted = SourceTree(label="HEAD", tree=TREE, sha="12", uncommitted=("a.py",))
    assert bisect_command(row, uncommitted, uncommitted, Repeat(plan="quick")) == ""
    folder = SourceTree(label="x", tree=TREE)
    assert bisect_command(row, folder, folder, Repeat(plan="quick")) == ""


def test_the_bisect_line_runs_this_tool_from_the_top_of_another_repository(tmp_path):
    (tmp_path / "mine" / ".git").mkdir(parents=True)
    (tmp_path / "checkout" / ".git").mkdir(parents=True)
    base = SourceTree(
        label="main", tree=TREE, sha="12345", models_from=tmp_path / "checkout" / "zoo" / "nets.py"
    )
    head = SourceTree(label="h", tree=TREE, models_from=tmp_path / "mine" / "zoo" / "nets.py")
    line = bisect_command(Row(cell=CELL, limits=Limits()), base, head, Repeat(plan="quick"))
    script = shlex.split(line)[shlex.split(line).index("-c") + 1]
    words = shlex.split(script)
    place = tmp_path / "mine"
    assert (place / words[3]).resolve() == TREE / "bench"
    assert words[words.index("--models-from") + 1].rstrip(";") == "zoo/nets.py"


def test_only_files_that_a_model_can_depend_on_are_suspected():
    assert likely_files(["docs/a.md", "bench/b.py", "nets/c.py", "tests/d.py"]) == ["nets/c.py"]
    assert likely_files(["README.md"]) == ["README.md"]


def blocks(effects):
    return [
        Block(
            effect=e,
            base=1e-3,
            head=1e-3 * math.exp(e),
            num_pairs=12,
            num_void=1,
            are_voids_kept=False,
            begins="base",
            drift=0.0,
        )
        for e in effects
    ]


def row(model, effects, verdict, **fields):
    found = Row(
        cell=Cell(model=model, size="tiny"),
        limits=Limits(),
        parity="passed",
        screen=blocks(effects),
        finding=summarize_effects(effects, least=Limits().least) if effects else None,
        verdict=verdict,
        detectable=0.04,
    )
    for name, value in fields.items():
        setattr(found, name, value)
    return found


@pytest.fixture
def gate():
    slow = [0.10 + i / 1000 for i in range(10)]
    same = [i / 1000 for i in range(-5, 5)]
    cause = Cause(
        operators=(
            {
                "operator": "aten::sort",
                "base_seconds": 0.0,
                "head_seconds": 9e-5,
                "base_calls": 0.0,
                "head_calls": 1.0,
            },
        ),
        files=("nets/cnn.py",),
        bisect="git bisect start HEAD 12",
        again="pytest bench --against 1a2b3c4 --models slow",
    )
    grown = compare_values({"parameters": ("1", 1000.0)}, {"parameters": ("1", 1030.0)}, Limits())
    rows = [
        row("same", same, Verdict.NO_REGRESSION),
        row("slow", slow, Verdict.REGRESSED, cause=cause, exact=grown, confirm=blocks(slow)),
        row("unclear", same, Verdict.INCONCLUSIVE, detectable=math.inf),
        row("other", [], None, parity="failed", parity_note="outputs differ by 3"),
        row("gone", [], None, lost="base ran it, head says unsupported: no | rule @you"),
        row("new", [], None, skipped="new: base does not have it"),
    ]
    return Gate(
        gate_id="g1",
        base=Side(label="main (1a2b3c4 <b>Faster</b>)", sha="1a2b3c4"),
        head=Side(label="working tree"),
        rows=rows,
        control=blocks(same),
        plan="standard",
        command="pytest bench",
        started_at="2026-01-01T00:00:00+00:00",
        seconds=61.0,
        fingerprint="f",
        notes=("head has uncommitted changes",),
    )


def test_a_comment_begins_with_what_got_worse_how_surely_the_file_and_the_command(gate):
    before_the_table = to_markdown(gate).split("| cell |")[0]
    (slow,) = [t for t in before_the_table.split("- **") if t.startswith("slow")]
    assert re.match(
        r"slow, tiny: Eager on cpu, batch 1\*\* — [0-9.]+% slower, at least [0-9.]+% with 95%", slow
    )
    assert "parameters 1,000 → 1,030" in slow.lower()
    assert "likely: " in slow
    assert "again: `pytest bench --against 1a2b3c4 --models slow`" in slow
    assert "same, tiny" not in before_the_table


def test_the_json_says_how_the_build_ends_and_why(gate):
    document = json.loads(to_json(gate))
    assert document["exit_code"] == int(gate.exit) == 2
    assert document["outcome"] == "broken"
    rows = {r["model"]: r for r in document["rows"]}
    assert rows["slow"]["latency"]["estimate"] == pytest.approx(math.expm1(0.1045), rel=1e-6)
    assert rows["slow"]["exact"][0]["share"] == pytest.approx(0.03)
    assert rows["slow"]["cause"]["operators"][0]["operator"] == "aten::sort"
    assert rows["unclear"]["detectable"] is None
    assert rows["other"]["verdict"] is None
    assert rows["other"]["parity"]["verdict"] == "failed"


def test_the_terminal_has_news_on_top_with_cause_and_next_step(gate):
    out = io.StringIO()
    render(gate, Console(file=out, width=160))
    text = out.getvalue()
    assert text.index("other-tiny") < text.index("slow-tiny") < text.index("same-tiny")
    for part in (
        "REGRESSED",
        "+11%",
        "aten::sort: 0 s → 90.0 µs, 0 → 1 calls",
        "git bisect start",
        "parameters 1,000",
    ):
        assert part in text, part


def test_the_markdown_is_ready_for_a_pull_request_and_holds_no_markup_of_others(gate):
    text = to_markdown(gate)
    assert text.startswith("## ❌ Gate:")
    assert "<b>Faster" not in text
    assert "@you" not in text
    assert "no \\| rule" in text
    assert "<details><summary>2 rows without news</summary>" in text
    assert "```sh\ngit bisect start" in text


def test_the_pages_own_classes_are_none_of_the_common_style():
    """One that is takes over its height and colour: causes were cut off in a box of its own."""
    own, common = (
        {*re.findall(r"\.([a-z][\w-]*)", re.sub(r"\{[^}]*\}", "{}", (TREE / file).read_text()))}
        for file in ("bench/gate/templates/gate.css", "bench/output/templates/style.css")
    )
    assert "cause" in own
    assert not own & common


def test_the_page_stands_alone_and_draws_every_timed_row(gate):
    page = to_html(gate)
    assert page.count('class="span"') == 3
    assert "<b>Faster" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "git bisect start HEAD 12" in page
    assert 'aria-label="+11%' in page


@pytest.mark.parametrize(
    ("value", "where"), [(0.0, 120.0), (-0.2, 0.0), (0.9, 240.0), (0.1, 180.0)]
)
def test_what_lies_outside_of_the_axis_is_drawn_at_its_end(value, where):
    assert to_x(value, 0.2) == where


def test_files_are_written_whole_and_the_jobs_summary_gets_the_table(gate, tmp_path, monkeypatch):
    folder = tmp_path / "gates" / "g1"
    folder.mkdir(parents=True)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    write_files(gate, folder)
    assert json.loads((folder / "verdict.json").read_text())["gate_id"] == "g1"
    assert (folder.parent / "latest.txt").read_text() == "g1\n"
    assert (tmp_path / "summary.md").read_text() == (folder / "verdict.md").read_text()
    assert sorted(p.name for p in folder.iterdir()) == [
        "verdict.html",
        "verdict.json",
        "verdict.md",
    ]


def test_a_folder_that_cannot_be_written_is_named(gate, tmp_path):
    with pytest.raises(GateError, match="cannot be written"):
        write_files(gate, tmp_path / "nowhere")


def test_a_test_fails_for_what_its_row_says(gate):
    reasons = {r.cell.model: failure_reason(r, is_strict=False) for r in gate.rows}
    assert reasons["same"] == reasons["unclear"] == reasons["new"] == ""
    assert "slower by +11%" in reasons["slow"]
    assert "parameters 1,000 → 1,030 (+3%)" in reasons["slow"]
    assert "outputs differ" in reasons["other"]
    assert "inconclusive" in failure_reason(gate.rows[2], is_strict=True)


def test_rows_that_were_not_compared_are_counted_and_say_why(gate):
    assert "1 not compared" in gate.sentence
    for text in (to_markdown(gate), shown(gate), to_html(gate)):
        assert "not compared, new: base does not have it: new-tiny" in text


def test_a_comment_tells_no_slowdown_where_the_machine_was_too_uneven(gate):
    moved = replace(gate, control=blocks([0.08 + i / 1000 for i in range(10)]))
    before_the_table = to_markdown(moved).split("| cell |")[0]
    assert "slower, at least" not in before_the_table
    assert "parameters 1,000" in before_the_table.lower()


def test_a_fact_that_cannot_be_told_is_news_and_counted_under_strict(gate):
    fact = replace(gate.rows[1].exact[0], verdict=Verdict.INCONCLUSIVE)
    calm = row("same", [i / 1000 for i in range(-5, 5)], Verdict.NO_REGRESSION, exact=[fact])
    unsure = replace(gate, rows=[calm], is_strict=True)
    assert int(unsure.exit) == 4
    assert "1 unsure in work or a fact" in unsure.sentence
    assert "parameters 1,000" in to_markdown(unsure).split("<details>")[0].lower()


def test_a_quality_that_is_not_a_number_is_null_in_the_json(gate):
    fact = replace(gate.rows[1].exact[0], head=math.nan)
    document = json.loads(to_json(replace(gate, rows=[row("a", [], None, exact=[fact])])))
    assert document["rows"][0]["exact"][0]["head"] is None


def shown(gate):
    """What a terminal shows."""
    console = Console(file=io.StringIO(), width=200)
    render(gate, console)
    return console.file.getvalue()
