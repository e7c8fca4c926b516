"""The end of a run says what to ship of what was measured, and the command that would know better."""

import re
from dataclasses import replace
from html import unescape

from report_runs import write_run
from rich.console import Console

from bench.report.html import to_html
from bench.report.terminal import render_terminal
from bench.summary.build import build_report
from bench.summary.elements import Parity
from bench.summary.lane_facts import Likeness
from bench.summary.model import Lane, Row, Speedup
from bench.summary.ship import answers_of, next_steps, ship_lines
from suite.runs.load import load_run


def row(model, *, ratio=2.0, verdict="faster", **rest):
    speedup = Speedup(
        backend="onnxruntime",
        over="eager",
        ratio=ratio,
        low=ratio * 0.98,
        high=ratio * 1.02,
        verdict=verdict,
    )
    return Row(**{
        "id": f"{model}-tiny-cpu-float32-b1", "model": model, "size": "tiny", "device": "cpu", "dtype": "float32",
        "batch": 1, "lanes": (), "speedups": (speedup,), **rest,
    })  # fmt: skip


def report_of(tmp_path, *rows, **options):
    write_run(tmp_path)
    report = build_report(load_run(tmp_path))
    return replace(report, rows=rows, options=options)


def likeness(**changes):
    return Likeness(**{
        "outcome": "passed", "kind": "float32", "judge": "float64", "relative_error": 1e-7, "times_eager": 1.0,
        "agreement": 1.0, "holds": True, "evidence": "", **changes,
    })  # fmt: skip


def lane(backend, **changes):
    return Lane(backend=backend, cell=f"a-tiny-{backend}-cpu-float32-b1", steps=(), **changes)


def test_a_model_is_shipped_on_its_fastest_backend_and_its_quality_is_said_to_be_unknown(tmp_path):
    report = report_of(tmp_path, row("mlp", parity=Parity(verdict="passed")))
    assert ship_lines(report) == [
        "mlp: ship ONNX Runtime: 2.00× (1.96–2.04×) as fast; quality not known: its weights are random; sure of speed,"
        " answers as exact as eager's."
    ]
    assert next_steps(report) == (
        ("States to ship were not made, or not measured", "pytest suite --models mlp --size tiny"),
        (
            "Over dtypes, threads, 8 bits and quality",
            "python -m bench tune mlp --size tiny --max-drop 1",
        ),
    )


def test_a_slower_backend_is_not_shipped_and_one_too_close_to_tell_is_not_called_faster(tmp_path):
    slow, same = row("a", ratio=0.5, verdict="slower"), row("b", ratio=1.0, verdict="same")
    first, second = ship_lines(report_of(tmp_path, slow, same))
    assert first.startswith("a: ship Eager: 1.00× as fast;")
    assert first.endswith("nothing measured is faster.")
    assert second == "b: no lane is surely faster than eager."


def test_a_lane_with_wrong_answers_is_not_shipped_however_fast_it_is(tmp_path):
    fast = Speedup(backend="openvino", over="eager", ratio=9.0, low=8.9, high=9.1, verdict="faster")
    lanes = (lane("eager"), lane("onnxruntime"), lane("openvino", likeness=likeness(holds=False)))
    one = row("a", lanes=lanes)
    (answer,) = answers_of(report_of(tmp_path, replace(one, speedups=(*one.speedups, fast))))
    assert answer.what == "ONNX Runtime"
    assert "OpenVINO left out: wrong answers" in answer.sure
    (alone,) = answers_of(report_of(tmp_path, row("a", parity=Parity(verdict="failed"))))
    assert alone.what != "ONNX Runtime"


def test_a_lane_that_may_be_as_fast_makes_the_choice_unsure(tmp_path):
    near = Speedup(
        backend="openvino", over="eager", ratio=2.01, low=1.97, high=2.05, verdict="faster"
    )
    one = row("a", lanes=(lane("eager"), lane("openvino", likeness=likeness())))
    (answer,) = answers_of(report_of(tmp_path, replace(one, speedups=(*one.speedups, near))))
    assert answer.what == "OpenVINO"
    assert answer.sure == "not sure: 1 other may be as fast, answers as exact as eager's"


def test_many_models_are_counted(tmp_path):
    rows = [
        row(f"m{n}", verdict="slower" if n == 0 else "few" if n == 1 else "faster")
        for n in range(6)
    ]
    assert ship_lines(report_of(tmp_path, *rows))[0] == (
        "Of what was measured, ship ONNX Runtime for 4 models, Eager for 1 model; 1 model open;"
        " quality not known: the weights are random."
    )


def test_a_model_of_the_users_own_is_named_so_that_the_command_finds_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = report_of(tmp_path, row("net"), origins={"net": f"onnx:{tmp_path}/my nets/net.onnx"})
    assert [command for _, command in next_steps(named)] == [
        "pytest bench --models 'my nets/net.onnx' --variant original,int8 --size tiny",
        "python -m bench tune 'my nets/net.onnx' --size tiny --max-drop 1",
    ]
    own = report_of(tmp_path, row("net"), models_from=f"{tmp_path}/my_models.py")
    assert "bench tune net --models-from my_models.py --size tiny" in next_steps(own)[-1][1]
    elsewhere = report_of(tmp_path, row("net"), models_from="/home/me/my nets.py")
    assert "--models-from '/home/me/my nets.py' --size tiny" in next_steps(elsewhere)[-1][1]


def test_without_a_comparison_nothing_is_said(tmp_path):
    for one in (row("mlp", speedups=()), row("mlp", variant="int8")):
        report = report_of(tmp_path, one)
        assert ship_lines(report) == []
        assert next_steps(report) == ()


def test_the_terminal_ends_with_it_and_the_page_begins_with_the_same(tmp_path, capsys):
    report = report_of(tmp_path, row("mlp"), row("cnn", verdict="few"))
    render_terminal(report, Console(width=300), is_brief=True)
    lines = capsys.readouterr().out.strip().splitlines()
    end = " ".join(lines[-8:])
    page = to_html(report)
    top = re.sub(r"<[^>]*>", "", page[: page.index('class="jump"')]).replace("\u00a0", " ")
    for answer in answers_of(report):
        for told in filter(None, (answer.what, answer.fast, answer.lost, answer.sure)):
            assert told in end
            assert told in unescape(top)
    for told, command in next_steps(report):
        assert f"{told}: {command}" in end
        assert f"{told}: {command}" in top
    assert "bench tune mlp" in end


def test_where_more_turns_would_tell_the_same_run_with_more_of_them_is_named(tmp_path):
    report = replace(report_of(tmp_path, row("a", verdict="few")), command="pytest bench -k 'a b'")
    told = "With more turns, on a machine that does nothing else"
    assert dict(next_steps(report))[told] == "pytest bench -k 'a b' --plan rigorous"
    quick = replace(report, command="pytest bench --plan quick --size tiny")
    assert dict(next_steps(quick))[told] == "pytest bench --size tiny --plan rigorous"
    assert told not in dict(next_steps(replace(report, rows=(row("a", verdict="same"),))))


def test_the_page_names_the_command_that_draws_it_again_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = report_of(tmp_path, row("a"))
    for place, told in (
        (".vitals/runs/x", report.folder),
        ("elsewhere/my runs/x", "'elsewhere/my runs/x'"),
    ):
        page = to_html(replace(report, location=str(tmp_path / place)))
        assert f"<code>python -m bench report {told}</code>" in unescape(page)
