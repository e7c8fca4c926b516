"""The memory instrument finds what was put there: a known peak, a known leak, known tensors."""

from __future__ import annotations

import itertools
import mmap
import sys

import pytest
from scripted import Machine

from bench.instruments import memory
from bench.instruments.memory import summarize_changes
from bench.plan import PLANS, Plan
from bench.stats import theil_sen
from suite import process_memory
from suite.backends.runnable import Runnable
from suite.cell import Cell
from suite.results.measuring import RunResult
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob

MB = 1_000_000
PLAN = Plan.from_dict({**PLANS["standard"].as_dict(), "memory_seconds": 60.0})
linux_only = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="peak RSS is read from Linux's /proc"
)


def silent(kind, /, **data):
    return None


def runnable(call, module=None):
    return Runnable(
        call=call,
        outputs=list,
        synchronize=lambda: None,
        setup=RunResult(num_samples=1, num_tokens=None),
        module=module,
    )


def test_a_peak_is_the_highest_level_of_what_was_handed_out():
    found = summarize_changes([100, 50, -100, 200, -50])
    assert (found.peak, found.kept, found.total, found.num_allocations) == (250, 200, 350, 3)
    assert summarize_changes([]).peak == 0
    assert summarize_changes([-10, 5]).peak == 0


@linux_only
def test_an_injected_200_mb_are_reported_within_two_percent():
    def call():
        block = bytearray(200 * MB)
        return len(block)

    peak, base = process_memory.peak_rss_delta(call, call, 2)
    assert peak == pytest.approx(200 * MB, rel=0.02)
    assert base > 0


@linux_only
def test_an_earlier_higher_peak_is_not_reported():
    high = bytearray(300 * MB)
    del high
    peak, _ = process_memory.peak_rss_delta(lambda: None, lambda: len(bytearray(50 * MB)), 1)
    assert peak == pytest.approx(50 * MB, rel=0.05)


@linux_only
def test_what_the_first_pass_keeps_for_itself_counts():
    arena = []
    peak, _ = process_memory.peak_rss_delta(
        lambda: arena.append(bytearray(80 * MB)), lambda: None, 3
    )
    assert peak == pytest.approx(80 * MB, rel=0.05)


@linux_only
def test_pages_of_files_do_not_count(tmp_path):
    file = tmp_path / "library.so"
    file.write_bytes(b"\1" * (100 * MB))
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as code:
        peak, _ = process_memory.peak_rss_delta(lambda: code[:: mmap.PAGESIZE], lambda: None, 1)
    assert peak < 5 * MB


@linux_only
def test_a_leak_of_one_megabyte_per_iteration_is_found():
    kept = []

    def leak():
        # Pages of its own: the heap of a process that ran other tests may have megabytes to give away.
        kept.append(mmap.mmap(-1, MB))
        kept[-1].write(b"\1" * MB)

    found, absent = memory.measure(runnable(leak), PLAN, silent)
    (live,) = (m for m in found if m.metric == "live_bytes")
    assert len(live.samples) == PLAN.leak_iterations
    assert theil_sen(live.samples) == pytest.approx(MB, rel=0.05)
    assert "leak" not in absent


@linux_only
def test_work_that_keeps_nothing_has_no_leak():
    found, _ = memory.measure(runnable(lambda: len(bytearray(MB))), PLAN, silent)
    (live,) = (m for m in found if m.metric == "live_bytes")
    assert abs(theil_sen(live.samples)) < 0.02 * MB


def test_what_the_kernel_does_not_tell_is_absent_with_its_reason(monkeypatch, tmp_path):
    monkeypatch.setattr(process_memory, "STATUS", tmp_path / "status")
    monkeypatch.setattr(process_memory, "CLEAR_REFS", tmp_path / "away" / "clear_refs")
    found, absent = memory.measure(runnable(lambda: None), PLAN, silent)
    assert found == []
    assert absent["peak_rss_delta"].startswith("not available here because")
    assert absent["leak"].startswith("not available here because")
    assert "ONNX Runtime" in absent["peak_tensor_bytes"]


def test_a_status_without_the_field_says_which(monkeypatch, tmp_path):
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmRSS:\t    100 kB\n")
    monkeypatch.setattr(process_memory, "STATUS", status)
    assert process_memory.status_bytes("VmRSS") == 102_400
    with pytest.raises(process_memory.NotHereError, match="VmHWM"):
        process_memory.status_bytes("VmHWM")


def test_the_leak_pass_keeps_to_the_plan_s_time():
    machine = Machine()
    rising = itertools.count()
    levels = memory.live_levels(
        machine.call([0.1]), lambda: next(rising), PLANS["standard"], clock=machine.clock
    )
    assert 9 <= len(levels) <= 15


@pytest.mark.parametrize(("last", "expected"), [(7, memory.SETTLED), (8, PLAN.leak_iterations)])
def test_levels_that_are_equal_to_the_byte_need_no_more_calls(last, expected):
    machine = Machine()
    levels = iter([7] * (memory.SETTLED - 1) + [last] + [9] * PLAN.leak_iterations)
    found = memory.live_levels(
        machine.call([1e-3]), lambda: next(levels), PLAN, clock=machine.clock
    )
    assert len(found) == expected


def test_a_call_too_slow_for_a_slope_is_not_repeated_for_nothing():
    machine = Machine()
    began = machine.now
    assert (
        memory.live_levels(machine.call([2.0]), lambda: 7, PLANS["standard"], clock=machine.clock)
        == []
    )
    assert machine.now - began <= 2_100_000_000


def test_a_run_says_what_it_measured_and_what_is_absent(monkeypatch):
    monkeypatch.setattr(memory, "runnable_for", lambda job, emit: runnable(lambda: None))
    heard = []
    result = memory.run(
        CellJob(
            runner="",
            cell=Cell(model="m", size="tiny"),
            options=JobOptions.from_dict({"plan": PLAN.as_dict()}),
        ),
        lambda kind, **data: heard.append(data["name"]),
    )
    assert heard == ["settle", "first_forward", "peak_rss", "peak_tensors", "leak"]
    assert result.result.absent.keys() >= {"peak_tensor_bytes"}
    assert all(m.unit == "B" for m in result.measurements)


@pytest.mark.heavy
def test_tensor_bytes_are_exact_and_the_same_every_time():
    import torch

    from bench.instruments.memory import count_tensor_bytes

    def call():
        first = torch.ones(1000, 1000)  # 4 MB
        second = torch.ones(500, 1000)  # 2 MB
        del first
        third = torch.ones(250, 1000)  # 1 MB
        return second, third

    found = [count_tensor_bytes(call) for _ in range(3)]
    assert found[0].peak == 6 * MB
    assert found[0].total == 7 * MB
    assert found[0].kept == 0
    assert found[0] == found[1] == found[2]


@pytest.mark.heavy
def test_a_real_forward_has_the_same_peak_tensor_bytes_twice():
    import torch
    from torch import nn

    from bench.instruments.memory import count_tensor_bytes

    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3)).eval()
    images = torch.ones(2, 3, 32, 32)

    def call():
        with torch.inference_mode():
            model(images)

    call()
    first, second = count_tensor_bytes(call), count_tensor_bytes(call)
    assert first == second
    activations = 2 * 8 * 32 * 32 * 4
    assert first.peak >= 2 * activations  # the convolution's output and its ReLU live together


@pytest.mark.heavy
def test_an_injected_tensor_of_200_mb_shows_in_both_readings():
    import torch
    from torch import nn

    class Greedy(nn.Module):
        def forward(self):
            return torch.ones(50 * MB).sum()

    model = Greedy()
    found, _ = memory.measure(runnable(model, module=model), PLANS["quick"], silent)
    taken = {m.metric: m.samples[0] for m in found}
    assert taken["peak_tensor_bytes"] == pytest.approx(200 * MB, rel=1e-6)
    if "peak_rss_delta" in taken:
        assert taken["peak_rss_delta"] == pytest.approx(200 * MB, rel=0.02)
