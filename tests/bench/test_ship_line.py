"""The end of a run says what to ship of what was measured, and the command that would know better."""

from dataclasses import replace

from report_runs import write_run

from bench.report.terminal import render_terminal
from bench.summary.build import build_report
from bench.summary.model import Row, Speedup
from bench.summary.ship import ship_lines
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


def test_a_model_is_shipped_on_its_fastest_backend_with_the_command_that_would_know_better(
    tmp_path,
):
    assert ship_lines(report_of(tmp_path, row("mlp"))) == [
        "mlp: of what was measured, ship ONNX Runtime: 2.00× (1.96–2.04×) as fast as eager.",
        "Over dtypes, threads, 8 bits and quality: python -m bench tune mlp --size tiny --max-drop 1",
    ]


def test_a_slower_backend_is_not_shipped_and_one_too_close_to_tell_is_not_called_faster(tmp_path):
    slow, same = row("a", ratio=0.5, verdict="slower"), row("b", ratio=1.0, verdict="same")
    first, second, _ = ship_lines(report_of(tmp_path, slow, same))
    assert first == "a: of what was measured, ship Eager: nothing measured is faster."
    assert second == "b: of what was measured, no lane is surely faster than another."


def test_many_models_are_counted(tmp_path):
    rows = [
        row(f"m{n}", verdict="slower" if n == 0 else "few" if n == 1 else "faster")
        for n in range(6)
    ]
    assert ship_lines(report_of(tmp_path, *rows))[0] == (
        "Of what was measured, ship ONNX Runtime for 4 models, Eager for 1 model; 1 model open."
    )


def test_a_model_of_the_users_own_is_named_so_that_the_command_finds_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = report_of(tmp_path, row("net"), origins={"net": f"onnx:{tmp_path}/net.onnx"})
    assert "bench tune net.onnx --size tiny" in ship_lines(named)[-1]
    own = report_of(tmp_path, row("net"), models_from=f"{tmp_path}/my_models.py")
    assert "bench tune net --models-from my_models.py --size tiny" in ship_lines(own)[-1]
    elsewhere = report_of(tmp_path, row("net"), models_from="/home/me/my nets.py")
    assert "--models-from '/home/me/my nets.py' --size tiny" in ship_lines(elsewhere)[-1]


def test_without_a_comparison_nothing_is_said(tmp_path):
    assert ship_lines(report_of(tmp_path, row("mlp", speedups=()))) == []
    assert ship_lines(report_of(tmp_path, row("mlp", variant="int8"))) == []


def test_the_terminal_ends_with_it(tmp_path, capsys):
    from rich.console import Console

    render_terminal(report_of(tmp_path, row("mlp")), Console(width=140), is_brief=True)
    lines = capsys.readouterr().out.strip().splitlines()
    assert "python -m bench tune mlp" in " ".join(lines[-5:])
