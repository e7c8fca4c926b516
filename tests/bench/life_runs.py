"""Made-up folders of `pytest suite`: lives with every outcome, for tests of the report and to look at; no torch."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from life_stages import made, record_of
from recorded import facts_of, record_with
from report_runs import (
    coldstart_record,
    latency_record,
    learning_records,
    memory_record,
    write_machine,
)

from suite.axes import VARIANTS
from suite.cell import Cell
from suite.engine.preconditions import without_state
from suite.foundations.cases import CASES
from suite.outcome import Outcome
from suite.record import Failure, Record

# name, task, untrained, trained, eager seconds, speed of ONNX Runtime, of pruning, of int8, parameters, what else
LIVES = (
    ("mlp", "image_classification", 9.0, 91.0, 21e-6, 3.4, 1.3, 4.1, 12_730, ""),
    ("cnn", "image_classification", 10.2, 97.3, 410e-6, 2.1, 1.7, 5.2, 421_642, "pt2e"),
    ("rnn", "row_classification", 11.3, 68.0, 1.9e-3, 4.6, 1.2, 4.4, 19_210, ""),
    ("lstm", "row_classification", 8.6, 88.7, 3.6e-3, 2.4, 1.4, 3.1, 72_970, ""),
    ("gru", "row_classification", 9.8, 86.3, 3.1e-3, 1.9, 1.4, 1.9, 55_050, ""),
    ("faster_rcnn", "detection", 0.0, 41.0, 61e-3, 1.2, 1.5, 1.9, 1_755_286, ""),
    ("yolo", "detection", 0.0, 38.5, 4e-3, 1.7, 1.6, 3.3, 852_366, ""),
    ("dcgan", "image_generation", 0.412, 0.121, 6.2e-3, 1.02, 1.9, 2.2, 3_576_704, ""),
    ("unet", "segmentation", 21.0, 61.4, 8e-3, 1.3, 1.8, 3.9, 436_369, "pt2e"),
    ("wav2vec2", "speech_recognition", 100.0, 41.2, 17e-3, 1.1, 1.2, 1.8, 396_320, "lora"),
    ("bert", "masked_language_modeling", 8012.0, 61.3, 9e-3, 1.36, 1.2, 2.8, 514_298, "lora"),
    ("bert_classifier", "text_classification", 50.2, 78.9, 9e-3, 1.38, 1.2, 2.9, 483_778, "lora ddp"),
    ("gpt2", "language_modeling", 5021.0, 44.1, 10e-3, 1.31, 1.25, 2.6, 439_808, "lora ddp fsdp tensor"),
    ("resnet18", "image_classification", 13.7, 98.8, 31e-3, 1.62, 2.3, 6.0, 703_512, "pt2e ddp fsdp"),
)  # fmt: skip

GAP_URL = "https://github.com/pytorch/pytorch/issues/170180"
BAD: dict[tuple[str, str, str], tuple[Outcome, str, str]] = {
    ("faster_rcnn", "quantize", "int8"): (
        Outcome.UNSUPPORTED, "gap", "ROI align has no operator in 8 bits, and the backbone alone brings 3%",
    ),
    ("gru", "quantize", "int8"): (
        Outcome.UNSUPPORTED, "gap", "ONNX Runtime has no dynamic quantization of GRU",
    ),
    ("rnn", "export", "pruned"): (
        Outcome.KNOWN_BUG, "ExportError", "the exporter unrolls the loop over time",
    ),
    ("unet", "prune", "pruned"): (
        Outcome.FAILED, "claim",
        "does not hold: the metric drops within the record's tolerance after recovery: mIoU 48.2%, trained 61.4",
    ),
    ("wav2vec2", "train", "trained"): (
        Outcome.OUT_OF_MEMORY, "SIGKILL", "killed by the kernel at 7.9 GB resident",
    ),
    ("yolo", "finetune", "layerwise"): (
        Outcome.TIMED_OUT, "deadline", "no result after 3600 s",
    ),
    ("lstm", "finetune", "partial"): (
        Outcome.CRASHED, "SIGSEGV", "the worker died of signal 11 (segmentation fault)",
    ),
    ("gpt2", "parallel", "tensor"): (
        Outcome.UNAVAILABLE, "missing", "--nproc 2 needs as many GPUs, and this machine has 1",
    ),
}  # fmt: skip
"""(model, stage, variant) -> how it ends: a realistic bad day. What starts from it has nothing to start from."""


def write_suite_run(
    folder: Path,
    *,
    lives: tuple[Any, ...] = LIVES,
    devices: tuple[str, ...] = ("cpu",),
    bad: dict[tuple[str, str, str], tuple[Outcome, str, str]] = BAD,
    foundations: bool = True,
    seed: int = 0,
    finished: bool = True,
) -> list[Record]:
    """Write a run folder of these models' lives and give its records."""
    dice = random.Random(seed)
    records = [r for d in devices for r in _foundations(d, dice)] if foundations else []
    for device in devices:
        for row in lives:
            records += life_records(row, device, bad, dice)
    planned = [{"cell": r.cell.as_dict(), "step": r.step} for r in records]
    if not finished:
        records = records[: len(records) * 3 // 5]
    write_folder(folder, records, planned, finished=finished)
    return records


def write_folder(
    folder: Path, records: list[Record], planned: list[dict[str, Any]], *, finished: bool = True
) -> None:
    """Write these records as a run of the suite."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(record.as_dict()) + "\n" for record in records]
    (folder / "records.jsonl").write_text("".join(lines), encoding="utf-8")
    write_machine(folder)
    info = {
        "run_id": folder.name,
        "command": "pytest suite --nproc 2",
        "started_at": "2026-11-24T18:04:11+00:00",
        "finished_at": "2026-11-24T18:21:53+00:00" if finished else None,
        "options": {"threads": 2, "weights": "random", "nproc": 2},
        "planned": planned,
        "excluded": [{"what": "cuda", "reason": "no usable NVIDIA GPU on this machine"}],
    }
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")


def benched_records(row: Any, dice: random.Random | None = None) -> list[Record]:
    """`pytest bench --variant original,pruned,int8` of one model: its states are made first, then measured."""
    dice = dice or random.Random(0)
    wanted = [("train", "trained"), ("prune", "pruned"), ("quantize", "int8")]
    wanted += [("export", variant) for variant in ("trained", "pruned", "int8")]
    found = [r for r in life_records(row, bad={}, dice=dice) if (r.step, r.cell.variant) in wanted]
    name, eager = row[0], row[4]
    arms = {
        ("original", "eager"): 1.0,
        ("original", "onnxruntime"): row[5],
        ("pruned", "eager"): row[6],
        ("pruned", "onnxruntime"): row[5] * row[6],
        ("int8", "onnxruntime"): row[7],
    }
    for (variant, backend), ratio in arms.items():
        cell = Cell(model=name, size="tiny", backend=backend, variant=variant)
        found.append(latency_record(cell, eager / ratio, 0, dice))
        found.append(memory_record(cell, row[8], 15 * row[8], dice))
        found.append(coldstart_record(cell, row[8], dice))
        if (variant, backend) == ("original", "eager"):
            found += learning_records(cell, eager, dice)
    return found


def life_records(
    row: Any,
    device: str = "cpu",
    bad: dict[tuple[str, str, str], tuple[Outcome, str, str]] = BAD,
    dice: random.Random | None = None,
) -> list[Record]:
    """The records of one model's life, in the order in which its stages run."""
    dice = dice or random.Random(0)
    name, extra = row[0], row[9].split()
    found: list[Record] = []
    lost: dict[str, Record] = {}
    for step, variant in _course(extra, device):
        backend = "onnxruntime" if step == "export" else VARIANTS[variant].backend
        cell = Cell(model=name, size="tiny", backend=backend, device=device, variant=variant)
        parent = variant if step == "export" else VARIANTS[variant].parent
        if parent in lost:
            record = _following(cell, step, lost[parent])
        elif (name, step, variant) in bad:
            record = _ended(made(cell, step, row, dice), bad[name, step, variant])
        else:
            record = made(cell, step, row, dice)
        if record.outcome is not Outcome.PASSED and step != "export":
            lost[variant] = record
        found.append(record)
    return found


def _course(extra: list[str], device: str) -> list[tuple[str, str]]:
    quantized = ["int8", "pruned_int8"] if device == "cpu" else []
    steps = [("build", "original"), ("train", "trained"), ("export", "trained")]
    steps += [("finetune", v) for v in ("full", "partial", "layerwise")]
    steps += [("finetune", "lora")] if "lora" in extra else []
    steps += [("prune", "pruned"), ("export", "pruned")]
    for variant in quantized:
        steps += [("quantize", variant), ("export", variant)]
    steps += [("quantize", "pt2e")] if "pt2e" in extra and quantized else []
    return steps + [("parallel", v) for v in ("ddp", "fsdp", "tensor") if v in extra]


def _ended(record: Record, bad: tuple[Outcome, str, str]) -> Record:
    """The record as it is after that ending; a claim that does not hold leaves the numbers."""
    outcome, kind, message = bad
    declared = outcome in (Outcome.UNSUPPORTED, Outcome.KNOWN_BUG)
    failure = Failure(
        kind=kind,
        message=message,
        phase="claims" if kind == "claim" else "" if declared else "run",
        log=f"logs/{record.cell.file_stem}-{record.step}.log" if outcome.is_bad else "",
        url=GAP_URL if declared else "",
    )
    if kind == "claim":
        _, name, evidence = message.split(": ", 2)
        broken = {"name": name, "holds": False, "evidence": evidence}
        facts = {**facts_of(record), "claims": [*facts_of(record)["claims"], broken]}
        return replace(record_with(record, facts), outcome=outcome, failure=failure)
    return replace(
        record,
        outcome=outcome,
        failure=failure,
        result=None,
        task="",
        data=None,
        measurements=(),
        artifacts=(),
    )


def _following(cell: Cell, step: str, before: Record) -> Record:
    """The record of a step that had nothing to start from."""
    outcome, failure = without_state(before)
    return replace(record_of(cell, step, {}), outcome=outcome, failure=failure, seconds=0.0)


def _foundations(device: str, dice: random.Random) -> list[Record]:
    found = []
    for dtype in ("float32", "bfloat16", "float16"):
        cell = Cell(model="foundations", size="tiny", device=device, dtype=dtype)
        for case in CASES.values():
            if not case.is_asked(dtype=dtype):
                continue
            step = f"foundations:{case.name}"
            gap = case.gap_for(device=device, dtype=dtype)
            answer = {"expected": 1.0, "got": 1.0, "error": dice.uniform(0, 1e-7), "bound": 2e-7}
            facts = {"meaning": case.meaning, "evidence": {"one": answer, "two": {"error": 0.0}}}
            record = record_of(cell, step, facts)
            if gap is not None:
                failure = Failure(kind="gap", message=gap.reason, url=gap.url)
                record = replace(record, outcome=Outcome.UNSUPPORTED, failure=failure, result=None)
            found.append(record)
    return found
