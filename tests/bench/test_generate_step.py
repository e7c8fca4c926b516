"""Generation: which points fit, what a request's clock sees, what is kept when memory ends, how it is reported."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from rich.console import Console
from scripted import Machine

from bench.charts.depth_curves import depth_plots
from bench.derived_metrics import derive
from bench.generation import CURVES, SHORT, Asked, asked_of, check_positions, options_for
from bench.history.rows import record_entry
from bench.instruments import generation_rounds
from bench.instruments.generation_points import points_of
from bench.instruments.generation_rounds import Reader, answered, decoded, measure
from bench.instruments.options import GenerateOptions
from bench.plan import PLANS
from bench.report.generation_words import sentence
from bench.report.html import to_html
from bench.report.markdown import to_markdown
from bench.report.terminal import render_terminal
from bench.summary.build import build_report
from bench.summary.generation_advice import generation_advice
from suite.catalog import CatalogError, builtin_specs
from suite.cell import Cell
from suite.claims import Claim
from suite.engine.outcome_rules import judged
from suite.generation.decoder import Decoder, State
from suite.measurement import Measurement, MeasurementFacts
from suite.outcome import Outcome
from suite.record import Record, record_from_dict
from suite.results.generate import (
    GenerateResult,
    GenerationMode,
    GenerationPoint,
    Parting,
    TokenAgreement,
)
from suite.runs.load import Run

CELL = Cell(model="lm", size="base")
PLAN = replace(PLANS["quick"], cap_seconds=1.0, min_rounds=3, target_interval=0.5)


def options(**given: Any) -> GenerateOptions:
    return replace(CURVES, **given)


# What is measured.


def test_points_go_as_far_as_the_positions() -> None:
    points = points_of(CURVES, 1024)
    assert points.depths == {0: (128, 512), 512: (128,)}
    assert points.left_out == {
        "depth 1024": "1024 + 128 + 64 tokens are more than its 1,024 positions",
        "depth 2048": "2048 + 128 + 64 tokens are more than its 1,024 positions",
    }
    assert points.longest == 512 + 128


def test_behind_an_encoder_prompt_and_decoded_tokens_have_positions_of_their_own() -> None:
    points = points_of(CURVES, 577, is_encoder_decoder=True)
    assert points.depths == {0: (128, 512), 512: (128,)}
    assert list(points.left_out) == ["depth 1024", "depth 2048"]


def test_a_model_with_few_positions_has_a_shorter_prompt_by_default_and_none_of_the_users() -> None:
    points = points_of(CURVES, 160)
    assert points.prompts == (80,)
    assert points.num_new == 64
    with pytest.raises(ValueError, match=r"prompt 128: 128 \+ 64 tokens are more than its 160"):
        points_of(options(prompts=(128,), has_own_prompts=True), 160)


def test_beside_other_steps_it_is_a_glance_and_alone_the_curves() -> None:
    assert options_for({}, is_alone=True) == CURVES
    assert options_for({}, is_alone=False) == SHORT
    asked = asked_of("16,8", "", None).as_dict()
    assert options_for(asked, is_alone=False) == options(prompts=(8, 16), has_own_prompts=True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("", "", 0), "--new 0: expected 2 or more"),
        (("0", "", None), "--prompt '0': expected whole numbers of 1 or more"),
        (("", "many", None), "--depth 'many': expected whole numbers of 0 or more"),
    ],
)
def test_a_number_that_cannot_be_is_one_sentence(given: Any, said: str) -> None:
    with pytest.raises(CatalogError) as error:
        asked_of(*given)
    assert said in str(error.value)


def test_a_prompt_longer_than_the_positions_is_refused_before_anything_is_measured() -> None:
    specs = {spec.name: spec for spec in builtin_specs()}
    check_positions(Asked(prompts=(2000,), num_new=48), [specs["llama"], specs["bert"]], ["base"])
    with pytest.raises(
        CatalogError, match="^--prompt 2000: gpt2 at base has positions for 1024 tokens"
    ):
        check_positions(Asked(prompts=(2000,)), [specs["llama"], specs["gpt2"]], ["base"])


# What the clock sees, on a machine that follows a script.


def scripted(machine: Machine, *, step: float = 0.01, dies_at: int = 10**9) -> Decoder:
    """A model of 4 tokens that takes `step` s per pass and 1 ms per token, with 8 bytes of cache per token."""

    def run(ids: Any, state: State) -> Any:
        machine.sleep(step + 0.001 * ids.shape[1])
        state.length += ids.shape[1]
        if state.length > dies_at:
            raise RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            )
        state.cache = [torch.zeros(ids.shape[0], state.length, 2)]
        return torch.tensor([[0.0, 1.0, 0.0, 0.5]]).repeat(ids.shape[0], 1)

    def read(ids: Any, mask: Any) -> Any:
        state = State(cache=None, length=0)
        return run(ids, state), state

    return Decoder(read=read, step=run, full=lambda prompt, tokens: None)


def reader_on(machine: Machine, free: int = 0, **given: Any) -> Reader:
    decoder = scripted(machine, **given)
    return Reader(
        open=lambda capacity: decoder,
        decoder=decoder,
        ids=torch.ones((2, 4000), dtype=torch.int64),
        synchronize=lambda: None,
        device="cpu",
        bytes_of=lambda tokens: 2 * 8 * tokens,
        free=lambda: free,
    )


def test_prefill_first_token_and_the_gaps_between_tokens_are_each_what_they_say() -> None:
    machine = Machine()
    reader = reader_on(machine)
    begun = answered(reader, reader.ids[:, :50], None, machine.clock)
    assert begun.prefill == pytest.approx(0.060)
    assert begun.ttft == pytest.approx(0.060)
    assert decoded(reader, begun, 3, machine.clock) == pytest.approx([0.011] * 3)
    assert begun.state.length == 53
    again = answered(reader, reader.ids[:, :20], begun.state, machine.clock)
    assert again.prefill == pytest.approx(0.030)
    assert (begun.state.length, again.state.length) == (53, 73)


def test_every_point_is_measured_and_only_the_first_prompt_decoded() -> None:
    machine = Machine()
    points = points_of(options(prompts=(8, 16), depths=(0, 32), num_new=5), 0)
    found = measure(reader_on(machine), points, PLAN, lambda *a, **k: None, clock=machine.clock)
    assert [(p.prompt, p.depth, p.num_decoded) for p in found.points] == [
        *((8, 0, 4), (16, 0, 0)),
        *((8, 32, 4), (16, 32, 0)),
    ]
    assert [p.cache_bytes for p in found.points] == [16 * n for n in (12, 16, 44, 48)]
    assert all(p.cache_bytes == p.formula_bytes for p in found.points)
    gaps = [m for m in found.measurements if m.metric == "itl"]
    assert [(m.facts.prompt, m.facts.depth) for m in gaps] == [(8, 0), (8, 32)]
    assert gaps[0].samples == pytest.approx([0.011] * len(gaps[0].samples))
    each = next(m for m in found.measurements if m.metric == "kv_bytes_per_token")
    assert each.samples == (8.0,)


def test_the_finished_depths_are_kept_when_memory_ends() -> None:
    machine = Machine()
    points = points_of(options(prompts=(8,), depths=(0, 100, 1000), num_new=4), 0)
    kept = measure(
        reader_on(machine, dies_at=500), points, PLAN, lambda *a, **k: None, clock=machine.clock
    )
    assert [p.depth for p in kept.points] == [0, 100]
    assert "out of memory: DefaultCPUAllocator" in kept.left_out["depth 1000"]
    with pytest.raises(RuntimeError, match="can't allocate"):
        measure(reader_on(machine, dies_at=3), points, PLAN, lambda *a, **k: None)


def test_a_cache_that_cannot_fit_is_not_tried() -> None:
    machine = Machine()
    points = points_of(options(prompts=(8,), depths=(0, 1000), num_new=4), 0)
    found = measure(
        reader_on(machine, free=20_000), points, PLAN, lambda *a, **k: None, clock=machine.clock
    )
    assert [p.depth for p in found.points] == [0]
    assert "takes 16.2 kB" in found.left_out["depth 1000"]
    assert "next: a smaller --depth or --batch" in found.left_out["depth 1000"]


def test_a_slow_prefill_is_taken_once_at_a_glance_and_within_the_stretch_otherwise() -> None:
    for is_short, expected in ((True, 1), (False, 3)):
        machine = Machine()
        begun, stopped = generation_rounds.take_prefills(
            lambda machine=machine: answered(
                reader_on(machine, step=0.6), torch.ones((1, 4)), None, machine.clock
            ),
            PLAN,
            is_short=is_short,
            clock=machine.clock,
        )
        assert len(begun) == expected
        assert stopped in ("time_cap", "interval")


def test_behind_an_encoder_a_depth_is_decoded_tokens_and_has_no_first_token() -> None:
    machine = Machine()
    reader = reader_on(machine)
    pair = replace(reader.decoder, is_encoder_decoder=True)
    reader = replace(reader, decoder=pair, open=lambda capacity: pair)
    points = points_of(options(prompts=(8,), depths=(0, 32), num_new=5), 0, is_encoder_decoder=True)
    found = measure(reader, points, PLAN, lambda *a, **k: None, clock=machine.clock)
    assert [(p.prompt, p.depth, p.num_decoded) for p in found.points] == [(8, 0, 4), (8, 32, 4)]
    depths = {m.metric: m.facts.depth for m in found.measurements}
    assert (depths["ttft"], depths["prefill"], depths["itl"]) == (0, 0, 32)
    assert found.points[1].cache_bytes == 16 * (8 + 32 + 4)


# What is told.


def record(**changes: Any) -> Record:
    """A record of two depths."""
    measurements = []
    for depth, scale in ((0, 1.0), (512, 1.25)):
        facts = MeasurementFacts(prompt=128, depth=depth, batch=1)
        for metric, middle in (("prefill", 0.4), ("ttft", 0.41), ("itl", 0.05)):
            samples = tuple(scale * middle * (1 + 0.01 * (n % 5)) for n in range(63))
            measurements.append(Measurement(metric=metric, unit="s", samples=samples, facts=facts))
        measurements.append(
            Measurement(metric="generation_peak", unit="B", samples=(9e6,), facts=facts)
        )
    measurements.append(Measurement(metric="kv_bytes_per_token", unit="B", samples=(46080.0,)))
    agreed = TokenAgreement(
        num_prompts=3,
        lengths=(48, 32, 16),
        num_tokens=64,
        num_equal=191,
        partings=(Parting(prompt=1, step=7, token=4, expected=5, margin=1e-6, is_near_tie=True),),
        error=3e-7,
        own_error=2.5e-7,
        limit=2e-6,
        judged_by="float64",
    )
    result = GenerateResult(
        plan="quick",
        num_new=64,
        positions=1024,
        cache="dynamic",
        points=tuple(
            GenerationPoint(prompt=128, depth=d, num_decoded=63, cache_bytes=46080 * (192 + d))
            for d in (0, 512)
        ),
        left_out={"depth 1024": "1024 + 128 + 64 tokens are more than its 1,024 positions"},
        agreement=agreed,
        claims=(Claim(name="the cache is right", holds=True, evidence="as told"),),
        num_samples=1,
    )
    made = Record(
        run_id="r",
        cell=CELL,
        step="generate",
        outcome=Outcome.PASSED,
        measurements=tuple(measurements),
        result=result,
    )
    return replace(made, **changes)


def test_rates_are_of_the_medians_with_their_intervals() -> None:
    prefill, decode = derive(record(), "prefill_rate"), derive(record(), "decode_rate")
    assert prefill is not None
    assert decode is not None
    assert prefill.value == pytest.approx(128 / 0.408)
    assert decode.value == pytest.approx(1 / 0.051)
    assert prefill.low < prefill.value < prefill.high
    assert derive(record(), "itl", 0.99) is None  # 63 tokens do not bound it


def test_a_record_comes_back_from_disk_and_a_wrong_cache_is_no_pass() -> None:
    assert record_from_dict(record().as_dict()) == record()
    assert judged(record(), None).outcome is Outcome.PASSED
    broken = replace(record().result, claims=(Claim(name="c", holds=False, evidence="error 0.1"),))
    failed = judged(record(result=broken), None)
    assert failed.outcome is Outcome.FAILED
    assert failed.failure.message == "does not hold: c: error 0.1"


def report_of(*records: Record, tmp_path: Any) -> Any:
    return build_report(Run(folder=tmp_path, records=records))


def test_every_form_of_the_report_has_depths_rates_and_tokens(tmp_path: Any) -> None:
    report = report_of(record(), tmp_path=tmp_path)
    points = report.rows[0].lanes[0].generation.points
    assert [p.depth for p in points] == [0, 512]
    assert points[1].decode_rate.value == pytest.approx(1 / 0.051 / 1.25)
    text = io.StringIO()
    render_terminal(report, Console(file=text, width=200))
    for said in (text.getvalue(), to_markdown(report), to_html(report).replace("\u00a0", " ")):
        assert "512" in said
        assert "19.6/s" in said
        assert "191 of 192, 1 near-tie" in said
        assert "9.00 MB" in said


def test_rates_are_drawn_over_depth_with_their_intervals(tmp_path: Any) -> None:
    report = report_of(record(), tmp_path=tmp_path)
    decode, prefill = depth_plots(report.rows)
    (curve,) = decode.curves
    assert [p.left for p in curve.points] == [0, 100]
    shallow, deep = curve.points
    assert shallow.top < deep.top  # faster is higher
    for point in curve.points:
        assert point.ends is not None
        assert point.ends[0] <= point.top <= point.ends[1]
    assert deep.title == "Eager at depth 512: 15.7 tokens/s ±1.0%"
    assert decode.summary == "19.6 tokens/s at depth 0, 15.7 at 512"
    assert [text for _, text in decode.x_ticks] == ["0", "512"]
    assert prefill.title.startswith("Prefill")
    page = to_html(report)
    assert page.count('class="trace"') == 2
    lane = report.rows[0].lanes[0]
    one_depth = replace(lane.generation, points=lane.generation.points[:1])
    row = replace(report.rows[0], lanes=(replace(lane, generation=one_depth),))
    assert depth_plots([row]) == ()


def test_decode_is_told_as_a_share_of_the_memory_bandwidth(tmp_path: Any) -> None:
    told = replace(record().result, read_bytes=500_000_000)
    peaks = [{"device": "cpu", "threads": 2, "bandwidth": 2e10, "matmul": {"float32": 1e11}}]
    run = Run(folder=tmp_path, records=(record(result=told),), info={"roofline": peaks})
    report = build_report(run)
    point = report.rows[0].lanes[0].generation.points[0]
    expected = (500_000_000 + 46080 * 192) / 0.051 / 2e10
    assert point.bandwidth_share == pytest.approx(expected)
    assert "50%" in to_markdown(report)
    without = build_report(Run(folder=tmp_path, records=(record(result=told),)))
    assert without.rows[0].lanes[0].generation.points[0].bandwidth_share is None


def test_a_decode_far_below_the_bandwidth_is_explained_by_its_operators(tmp_path: Any) -> None:
    operators = {
        "MatMul": 0.030,
        "GroupQueryAttention": 0.006,
        "Add": 0.002,
        "Mul": 0.001,
        "Cast": 0.001,
    }
    mode = GenerationMode(cache="in_place", read_bytes=300_000_000, operators=operators)
    told = replace(record().result, read_bytes=300_000_000, modes=(mode,))
    peaks = [{"device": "cpu", "threads": 2, "bandwidth": 2e10, "matmul": {"float32": 1e11}}]
    run = Run(folder=tmp_path, records=(record(result=told),), info={"roofline": peaks})
    said = (
        "decode reaches 30% of the memory bandwidth: of 40.0 ms in operators per token MatMul 75%,"
        " GroupQueryAttention 15%, Add 5.0%, Mul 2.5%; its matrix products alone, which read the weights, would reach"
        " 40%"
    )
    assert said in to_markdown(build_report(run))
    fast = [{**peaks[0], "bandwidth": 1e10}]
    run = Run(folder=tmp_path, records=(record(result=told),), info={"roofline": fast})
    assert "decode reaches" not in to_markdown(build_report(run))


def test_a_dtype_that_the_device_emulates_is_told_in_every_form(tmp_path: Any) -> None:
    why = "this CPU has no instructions for bfloat16"
    told = replace(record().result, emulated=why)
    report = report_of(record(result=told), tmp_path=tmp_path)
    text = io.StringIO()
    render_terminal(report, Console(file=text, width=400))
    for form in (text.getvalue(), to_markdown(report), to_html(report)):
        assert f"{why}, which is emulated" in form


def test_whether_a_cpu_has_a_dtype_is_read_from_its_instructions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from suite.backends.native_dtypes import emulated

    def cpu(**has: bool) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)

    cpu(avx512_f=True, avx512_bf16=False, f16c=True)
    assert emulated("cpu", "bfloat16") == "this CPU has no instructions for bfloat16"
    assert emulated("cpu", "float16") == "this CPU has no instructions for float16"
    assert emulated("cpu", "float32") == ""
    cpu(avx512_bf16=True, amx_fp16=True)
    assert (emulated("cpu", "bfloat16"), emulated("cpu", "float16")) == ("", "")
    cpu()
    assert emulated("cpu", "bfloat16") == ""  # not known


# Text in the ids of the weights.


def words(folder: Path, count: int) -> None:
    """Write a tokenizer of that many words."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    table = {"the": 0, **{f"w{n}": n for n in range(1, count)}}
    Tokenizer(WordLevel(table, unk_token="w1")).save(str(folder / "tokenizer.json"))


def test_weights_that_were_trained_elsewhere_read_text_in_ids_of_their_own_tokenizer(
    tmp_path: Path,
) -> None:
    from suite.data.sources import source_for, sources_in
    from suite.generation.own_tokenizer import own_tokenizer
    from suite.generation.prompts import described, text_prompts

    (tmp_path / "config.json").write_text("{}")
    assert own_tokenizer("random", "lm", None, 50).missing == ""
    found = own_tokenizer(str(tmp_path), "lm", None, 50)
    assert found.tokens is None
    assert f"there is no {tmp_path / 'tokenizer.json'}" in found.missing
    assert "next: the tokenizer's tokenizer.json beside the weights" in found.missing
    words(tmp_path, 50)
    found = own_tokenizer(str(tmp_path), "lm", None, 50)
    assert found.missing == ""
    assert "of 50 tokens" in described(50, found.tokens)
    ids = text_prompts(
        source_for(sources_in(None), "text"),
        vocabulary=50,
        length=7,
        number=2,
        seed=0,
        tokens=found.tokens,
    )
    assert ids.shape == (2, 7)
    assert set(ids.unique().tolist()) <= {0, 1}  # the prose has none of the other words
    assert (
        "has ids up to 49, and lm a vocabulary of 40"
        in own_tokenizer(str(tmp_path), "lm", None, 40).missing
    )
    (tmp_path / "tokenizer.json").write_text("no JSON")
    assert "tokenizer.json cannot be read" in own_tokenizer(str(tmp_path), "lm", None, 50).missing


def with_int4(**changes: Any) -> Record:
    """The same with a mode that decodes twice as fast and parts."""
    plain = record()
    more = tuple(
        replace(m, samples=tuple(s / 2 for s in m.samples), facts=replace(m.facts, mode="int4_32"))
        for m in plain.measurements
        if m.facts.depth == 0
    )
    far = Parting(prompt=0, step=9, token=4, expected=5, margin=0.25, is_near_tie=False)
    agreed = replace(plain.result.agreement, num_equal=150, partings=(far,), error=0.1)
    modes = (
        GenerationMode(cache="in_place", file_bytes=500_000_000, perplexity=31.0),
        GenerationMode(
            name="int4_32",
            cache="in_place",
            is_exact=False,
            file_bytes=90_000_000,
            read_bytes=80_000_000,
            perplexity=32.5,
            agreement=agreed,
        ),
    )
    points = (*plain.result.points, replace(plain.result.points[0], mode="int4_32"))
    result = replace(plain.result, modes=modes, points=points)
    return replace(plain, measurements=(*plain.measurements, *more), result=result, **changes)


def test_every_mode_has_its_rate_perplexity_bytes_and_partings(tmp_path: Any) -> None:
    report = report_of(with_int4(), tmp_path=tmp_path)
    generated = report.rows[0].lanes[0].generation
    *_, last = generated.points
    assert (last.mode, last.depth) == ("int4_32", 0)
    assert last.decode_rate.value == pytest.approx(2 / 0.051)
    assert generated.mode_of(last).perplexity == 32.5
    said = to_markdown(report)
    for text in ("int4, block 32", "32.50", "90.0 MB", "150 of 192, parts by 0.250 at 9", "39.2/s"):
        assert text in said, text
    assert record_from_dict(with_int4().as_dict()) == with_int4()
    (curve,) = depth_plots(report.rows)[0].curves  # of the first mode alone
    assert len(curve.points) == 2
    entry = record_entry(with_int4(), {}, at=datetime(2026, 11, 30, tzinfo=UTC))
    rates = [p.value for p in entry.points if p.series.metric == "decode_rate"]
    assert len(rates) == 3


def test_what_to_ship_is_the_fastest_mode_whose_perplexity_holds(tmp_path: Any) -> None:
    graph = replace(CELL, backend="onnxruntime")
    modes = with_int4(cell=graph)
    report = report_of(record(), modes, tmp_path=tmp_path)
    (advice,) = generation_advice(report.rows, "eager")
    assert (advice.latency.backend, advice.latency.mode.name) == ("onnxruntime", "int4_32")
    assert advice.latency.perplexity == pytest.approx(32.5 / 31)
    assert advice.throughput is advice.latency
    said = (
        "Ship lm: for latency per token ONNX Runtime, int4, block 32 (39.2/s of one user at depth 0,"
        " 2.00× Eager, perplexity +4.8%); the same for throughput (no larger batch was measured)."
    )
    text = io.StringIO()
    render_terminal(report, Console(file=text, width=400))
    for form in (text.getvalue(), to_markdown(report), to_html(report)):
        assert said in form
        assert "depth 1024 left out: 1024 + 128 + 64 tokens are more than its 1,024" in form
    # A glance has no perplexity, so that logits that part are not recommended.
    blind = tuple(replace(mode, perplexity=None) for mode in modes.result.modes)
    blind_record = replace(modes, result=replace(modes.result, modes=blind))
    (advice,) = generation_advice(report_of(blind_record, tmp_path=tmp_path).rows, "eager")
    assert (advice.latency.mode.name, advice.refused) == ("", ())
    # A mode that costs too much is named, and a batch serves more users.
    worse = replace(modes.result.modes[1], perplexity=40.0)
    worse = replace(modes, result=replace(modes.result, modes=(modes.result.modes[0], worse)))
    batch = record(cell=replace(CELL, batch=8))
    (advice,) = generation_advice(
        report_of(record(), worse, batch, tmp_path=tmp_path).rows, "eager"
    )
    assert advice.latency.mode.name == ""
    assert {c.backend for c in (advice.latency, *advice.rivals)} == {"eager", "onnxruntime"}
    assert (advice.throughput.row.batch, advice.throughput.backend) == (8, "eager")
    said = sentence(advice)
    assert "for throughput Eager at batch 8 (157/s of all users together)" in said
    assert "ONNX Runtime, int4, block 32 is faster, but its perplexity is 29% above float's" in said


def test_other_modes_are_measured_at_the_first_prompt_and_two_depths() -> None:
    assert points_of(CURVES, 2048).few().depths == {0: (128,), 512: (128,)}
    assert points_of(CURVES, 2048).few(1).depths == {0: (128,)}


def test_a_cache_has_room_for_the_longest_request_of_its_depth() -> None:
    machine = Machine()
    reader = reader_on(machine)
    asked: list[int] = []

    def opens(capacity: int) -> Decoder:
        asked.append(capacity)
        return reader.decoder

    points = points_of(options(prompts=(8, 16), depths=(0, 32), num_new=5), 0)
    measure(replace(reader, open=opens), points, PLAN, lambda *a, **k: None, clock=machine.clock)
    assert asked == [16 + 5, 32 + 16 + 5]


def test_the_history_has_a_series_per_prompt_and_depth() -> None:
    entry = record_entry(record(), {}, at=datetime(2026, 11, 30, tzinfo=UTC))
    decode = {p.series.settings: p.value for p in entry.points if p.series.metric == "decode_rate"}
    assert len(decode) == 2
    shallow, deep = decode.values()
    assert shallow / deep == pytest.approx(1.25)


def test_a_step_that_generates_is_for_language_models_alone() -> None:
    from bench.steps import STEPS

    suits = STEPS["generate"].suits
    assert {s.name for s in builtin_specs() if suits(s)} == {"transformer", "t5", "gpt2", "llama"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ((), {"eager"}),
        (("-k", "generate"), {"eager", "onnxruntime"}),
        (("--new", "8"), {"eager", "onnxruntime"}),
    ],
)
def test_a_graph_generates_when_nothing_else_is_asked_for(more: Any, expected: set[str]) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "bench",
            "--models",
            "gpt2",
            "--collect-only",
            "-q",
            *more,
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.findall(r"test_generate\[gpt2-base-(\w+)-cpu", done.stdout)
    assert set(found) == expected
