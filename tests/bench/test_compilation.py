"""torch.compile taken apart: cold, warm and cached, and the places where the graph breaks or is compiled again."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from test_session import passed

from bench.compilation import compilation_record
from bench.instruments.compilation import break_of, heard_breaks, recompilations, short
from bench.instruments.options import CompilationOptions
from bench.steps import STEPS, steps_of
from suite.axes import BACKENDS, COMPILED
from suite.cell import Cell
from suite.engine.run_config import RunConfig
from suite.engine.session import Session
from suite.results.measuring import GraphBreak
from suite.runs.store import RunFolder
from suite.worker.fake import FakeWorker
from suite.worker.job_options import JobOptions

CELL = Cell(model="net", size="tiny", backend=COMPILED)
MESSAGE = """Graph break in user code at {root}/torchvision/ops/boxes.py:41
Graph Break Reason: Unsupported Tensor.item() call
  Explanation: Dynamo does not support it.
"""


def test_only_cells_of_torch_compile_are_taken_apart():
    assert [
        name
        for name in BACKENDS
        if "compilation" in steps_of(Cell(model="net", size="tiny", backend=name))
    ] == [COMPILED]


def test_a_break_has_its_place_below_the_folder_it_was_imported_from(monkeypatch):
    monkeypatch.setattr(sys, "path", ["", "/somewhere", "/somewhere/site-packages"])
    told = break_of(MESSAGE.format(root="/somewhere/site-packages"))
    assert (told.place, told.reason) == (
        "torchvision/ops/boxes.py:41",
        "Unsupported Tensor.item() call",
    )
    assert told.detail == "Dynamo does not support it."
    assert not told.is_skipped
    assert break_of("Compiling function") is None
    assert short("/elsewhere/net.py") == "net.py"


def test_a_function_that_torch_gives_up_after_a_break_keeps_the_reason_of_the_break():
    told = break_of(
        """Graph break in user code at /x/net.py:12
Graph Break Reason: Failed to handle graph break gracefully. Skipping the function and falling back to eager. Graph:

Failed to trace builtin operator
  Explanation: Dynamo cannot trace `print` of <function f at 0x7fa0b17e9620> with ['str']
  Hint: Avoid it.

*** While handling this graph break, another graph break occurred: ***

graph break in loop
  Explanation: in a loop.
"""
    )
    assert told == GraphBreak(
        place="net.py:12",
        reason="Failed to trace builtin operator",
        detail="Dynamo cannot trace `print` of <function f> with ['str']",
        is_skipped=True,
    )


def metric(reason: str | None, frame: str = "0/0", **changes: object) -> SimpleNamespace:
    """What torch notes of one compilation."""
    known = {"co_filename": "/x/net.py", "co_firstlineno": 6, "co_name": "forward"}
    told = {"recompile_reason": reason, "compile_id": frame, "fail_reason": None}
    return SimpleNamespace(**{**known, **told, **changes})


def test_what_is_compiled_again_is_counted_with_the_guard_that_failed():
    size = "0/0: tensor 'y' size mismatch at index 0. expected 2, actual 5\nUser stack trace:"
    (found,), given_up = recompilations(
        [metric(None), metric(size), metric(size.replace("0/0", "0/1"))]
    )
    assert (found.place, found.count) == ("net.py:6 forward", 2)
    assert found.reason == "tensor 'y' size mismatch at index 0. expected 2, actual 5"
    assert given_up == ()


def test_a_function_at_the_limit_of_compiled_versions_is_named_though_torch_gives_no_place():
    limit = "Dynamo recompile limit exceeded\n  Explanation: too many times"
    again, given_up = recompilations(
        [
            metric(None, "2/0"),
            metric("2/0: self.n == 'a'", "2/1"),
            metric(None, "2/8", co_filename=None, fail_reason=limit),
            metric(None, "3/8", co_filename=None, fail_reason=limit),
        ]
    )
    assert [one.reason for one in again] == ["self.n == 'a'"]
    assert given_up == ("net.py:6 forward", "an unnamed function")


def test_two_processes_share_one_cache_and_nothing_of_it_stays(tmp_path):
    seen: list[CompilationOptions] = []

    def answer(job):
        seen.append(job.read(CompilationOptions))
        metrics = ("compile_cached",) if seen[-1].is_kept else ("compile_cold", "compile_warm")
        samples = [{"metric": name, "unit": "s", "samples": [1.0]} for name in metrics]
        return passed({"result": {"num_graphs": 1}, "measurements": samples})

    session = Session(
        request=RunConfig(
            specs={}, options=JobOptions(), deadline=9.0, cold_replicates=1, cache=""
        ),
        folder=RunFolder.create(tmp_path),
        worker=FakeWorker(answer=answer),
        steps=STEPS,
    )
    record = compilation_record(session, CELL)
    assert [m.metric for m in record.measurements] == [
        "compile_cold", "compile_warm", "compile_cached",
    ]  # fmt: skip
    assert [one.is_kept for one in seen] == [False, True]
    assert seen[0].cache == seen[1].cache


@pytest.mark.heavy
def test_a_break_of_a_real_graph_is_heard_with_its_place():
    torch = pytest.importorskip("torch")

    def broken(x):
        y = x + 1
        torch._dynamo.graph_break()
        return y * 2

    torch._dynamo.reset()
    with heard_breaks() as breaks:
        torch.compile(broken, backend="eager")(torch.ones(3))
    (found,) = dict.fromkeys(breaks)
    assert found.place.endswith(f"test_compilation.py:{broken.__code__.co_firstlineno + 2}")
    assert "graph_break" in found.reason
    torch._dynamo.reset()
