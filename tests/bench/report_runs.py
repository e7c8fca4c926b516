"""Made-up run folders with every outcome, for tests of the report and for looking at it; needs no torch."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final

from recorded import record_with

from bench.plan import PLANS
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.records import Build, Interpreter, Repository, System
from suite.cell import Cell
from suite.outcome import Outcome
from suite.record import Artifact, Failure, Measurement, MeasurementFacts, Record
from suite.runs.machine import FILE as MACHINE
from suite.runs.machine import Machine

# name, eager seconds, speed-up of ONNX Runtime, parameters, MACs, tokens (0: samples)
MODELS = (
    ("mlp", 21e-6, 3.4, 101_770, 101_632, 0),
    ("cnn", 410e-6, 2.1, 421_642, 9_200_000, 0),
    ("rnn", 1.9e-3, 4.6, 19_210, 532_000, 0),
    ("lstm", 3.6e-3, 2.4, 72_970, 2_020_000, 0),
    ("gru", 3.1e-3, 1.9, 55_050, 1_500_000, 0),
    ("dcgan", 6.2e-3, 1.02, 3_576_704, 105_000_000, 0),
    ("resnet18", 31e-3, 1.62, 11_689_512, 1_814_073_344, 0),
    ("inception_v3", 92e-3, 1.41, 23_834_568, 5_713_000_000, 0),
    ("vit_b_16", 168e-3, 0.93, 86_567_656, 17_563_000_000, 0),
    ("faster_rcnn", 2.61, 1.18, 41_755_286, 134_380_000_000, 0),
    ("ssd300", 0.713, 1.33, 35_641_826, 34_858_000_000, 0),
    ("yolo", 64e-3, 1.71, 8_852_366, 2_780_000_000, 0),
    ("fcn_resnet50", 1.42, 1.09, 32_947_690, 152_717_000_000, 0),
    ("unet", 0.287, 1.22, 24_436_369, 15_400_000_000, 0),
    ("deeplabv3_resnet50", 1.71, 1.05, 39_633_729, 178_722_000_000, 0),
    ("pspnet", 0.118, 1.27, 24_260_305, 5_890_000_000, 0),
    ("mvit_v2_s", 0.905, 0.71, 34_537_744, 64_224_000_000, 0),
    ("r3d_18", 0.731, 0.88, 33_371_472, 40_697_000_000, 0),
    ("bert", 97e-3, 1.36, 109_514_298, 11_174_000_000, 128),
    ("bert_classifier", 95e-3, 1.38, 109_483_778, 11_174_000_000, 128),
    ("bert_qa", 96e-3, 1.35, 108_893_186, 11_174_000_000, 128),
    ("roberta_classifier", 95e-3, 1.37, 124_647_170, 11_174_000_000, 128),
    ("albert_classifier", 104e-3, 1.0, 11_685_122, 11_170_000_000, 128),
    ("transformer", 44e-3, 1.5, 44_140_544, 2_100_000_000, 64),
    ("t5", 71e-3, 1.2, 60_506_624, 3_900_000_000, 64),
    ("gpt2", 101e-3, 1.31, 124_439_808, 15_850_000_000, 128),
    ("llama", 133e-3, 1.12, 134_515_008, 17_200_000_000, 128),
    ("wav2vec2", 0.176, 1.1, 94_396_320, 14_100_000_000, 0),
    ("my_model", 5.5e-3, 1.8, 1_204_000, 44_000_000, 0),
    ("my-other.model", 9.1e-3, 0.64, 2_408_000, 91_000_000, 0),
)

TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "suite/stages/export/run.py", line 88, in export\n'
    "    program = torch.onnx.export(module, args, dynamo=True)\n"
    "RuntimeError: Could not guard on data-dependent expression u0 >= 0 (unhinted: u0 >= 0).\n"
)

BAD = {
    "faster_rcnn": (Outcome.FAILED, "RuntimeError", "Could not guard on data-dependent expression u0 >= 0", "export"),
    "r3d_18": (Outcome.OUT_OF_MEMORY, "SIGKILL", "killed by the kernel at 7.9 GB resident", "latency"),
    "mvit_v2_s": (Outcome.CRASHED, "SIGSEGV", "the worker died of signal 11 (segmentation fault)", "memory"),
    "deeplabv3_resnet50": (Outcome.TIMED_OUT, "deadline", "no result after 600 s", "latency"),
    "rnn": (Outcome.KNOWN_BUG, "gap", "the exporter unrolls the loop over time", "export"),
    "t5": (Outcome.UNSUPPORTED, "gap", "the decoder needs a cache input that the exporter drops", "latency"),
    "llama": (Outcome.UNAVAILABLE, "missing", "bfloat16 kernels of this processor are not available", "memory"),
}  # fmt: skip
"""Model -> how one step of its onnxruntime cell ends (the size of a realistic bad day)."""

ENVIRONMENT: Final = Environment(
    python=Interpreter(executable="python", version="3.11.7"),
    system=System(
        cpu_model="AMD EPYC 9R14",
        num_cpus=96,
        num_cores=2,
        memory_total=403_000_000_000,
        memory_limit=16_000_000_000,
        distro="Debian 12",
        kernel="6.8.0",
        container="docker",
    ),
    packages={
        "torch": "2.15.0",
        "torchvision": "0.29.0",
        "transformers": "5.23.0",
        "onnx": "1.24.0",
        "onnxruntime": "1.32.0",
    },
    builds={"torch": Build(package="torch", version="2.15.0+cu132", cuda="13.2")},
    git=Repository(commit="4be1c0ffee7d51", dirty=True),
)
FINDINGS: Final = (
    Finding(
        code="tv-quota",
        area="memory",
        level=Level.WARN,
        summary="The control group grants 2 of 96 processors.",
        cause="Libraries that count processors start 96 threads.",
        fixes=(Fix(argv=("export", "OMP_NUM_THREADS=2"), why="as many threads as processors"),),
    ),
    Finding(code="tv-python", area="python", level=Level.OK, summary="Python 3.11.7 is supported."),
)


def write_machine(
    folder: Path, environment: Environment = ENVIRONMENT, findings: tuple[Finding, ...] = FINDINGS
) -> None:
    """Write `environment.json` as a run does."""
    machine = Machine.of(environment, findings)
    (folder / MACHINE).write_text(json.dumps(machine.as_dict()), encoding="utf-8")


def write_run(
    folder: Path,
    *,
    models: tuple[tuple[str, float, float, int, int, int], ...] = MODELS,
    devices: tuple[str, ...] = ("cpu",),
    bad: dict[str, tuple[Outcome, str, str, str]] = BAD,
    seed: int = 0,
    finished: bool = True,
) -> list[Record]:
    """Write a run folder of these models, eager and ONNX Runtime, and give its records."""
    dice = random.Random(seed)
    records = [
        record
        for device in devices
        for row in models
        for record in _model_records(row, device, bad.get(row[0]), dice)
    ]
    planned = [{"cell": r.cell.as_dict(), "step": r.step} for r in records]
    if not finished:
        records = records[: len(records) * 2 // 3]
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(record.as_dict()) + "\n" for record in records]
    (folder / "records.jsonl").write_text("".join(lines), encoding="utf-8")
    write_machine(folder)
    info = {
        "run_id": folder.name,
        "command": "pytest bench --plan standard",
        "started_at": "2026-11-23T18:04:11+00:00",
        "finished_at": "2026-11-23T18:16:53+00:00" if finished else None,
        "options": {"plan": PLANS["standard"].as_dict(), "threads": 2, "weights": "random"},
        "planned": planned,
        "excluded": [{"what": "device cuda", "reason": "no NVIDIA driver on this machine"}],
    }
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    return records


def _model_records(row: Any, device: str, bad: Any, dice: random.Random) -> list[Record]:
    name, seconds, ratio, parameters, macs, tokens = row
    found = []
    eager = Cell(model=name, size="base", backend="eager", device=device)
    ort = Cell(model=name, size="base", backend="onnxruntime", device=device)
    found.append(_record(eager, "size", [
        Measurement(metric="parameters", unit="1", samples=(float(parameters),)),
        Measurement(metric="parameter_bytes", unit="B", samples=(4.0 * parameters,)),
        Measurement(metric="macs", unit="MAC", samples=(float(macs),)),
    ]))  # fmt: skip
    found.append(_export(ort, parameters, dice))
    for cell, middle in ((eager, seconds), (ort, seconds / ratio)):
        found.append(latency_record(cell, middle, tokens, dice))
        found.append(memory_record(cell, parameters, macs, dice))
        found.append(coldstart_record(cell, parameters, dice))
    if bad is not None:
        found = [_spoiled(r, bad) if (r.cell, r.step) == (ort, bad[3]) else r for r in found]
        if bad[3] == "export" and bad[0] is Outcome.FAILED:
            why = (
                Outcome.NOT_RUN,
                "graph",
                "there is no trustworthy graph to run: the export ended as 'failed'",
                "",
            )
            found = [
                _spoiled(r, why) if r.cell == ort and r.step not in ("export", "size") else r
                for r in found
            ]
    return found


def _record(
    cell: Cell,
    step: str,
    measurements: list[Measurement],
    facts: dict[str, Any] | None = None,
    **extra: Any,
) -> Record:
    record = Record(
        run_id="made-up",
        cell=cell,
        step=step,
        outcome=Outcome.PASSED,
        measurements=tuple(measurements),
        environment_id="a41c9be2d07f",
        started_at="2026-11-23T18:04:12+00:00",
        seconds=2.5,
        **extra,
    )
    return record_with(record, facts or {})


def latency_record(cell: Cell, middle: float, tokens: int, dice: random.Random) -> Record:
    noise = 0.012 if dice.random() < 0.8 else 0.11
    drift = 0.004 if dice.random() < 0.1 else 0.0
    count = 6 if middle > 0.5 else dice.randint(29, 60)
    samples = tuple(
        middle * (1 + abs(dice.gauss(0, noise)) + (dice.random() < 0.05) * 0.3 + drift * i)
        for i in range(count)
    )
    return _record(
        cell,
        "latency",
        [
            Measurement(
                metric="latency",
                unit="s",
                samples=samples,
                warmup=(middle * 3, middle * 1.2),
                iterations_per_sample=max(1, int(0.02 / middle)),
                facts=MeasurementFacts(
                    num_rounds=count,
                    threads=2,
                    stopped_because="target_interval" if noise < 0.1 else "time_cap",
                ),
            )
        ],
        facts={
            "num_samples": 1,
            "num_tokens": tokens or None,
            "threads": 2,
            "data": "prose" if tokens else "digits",
        },
        phases={"build": 0.4, "warm-up": 0.8, "rounds": 1.6},
    )


def memory_record(cell: Cell, parameters: int, macs: int, dice: random.Random) -> Record:
    tensors = 200_000.0 + macs / 60
    measurements = [
        Measurement(metric="peak_rss_delta", unit="B", samples=(tensors * dice.uniform(1.0, 1.6) + 3e6,)),
    ]  # fmt: skip
    if cell.backend == "eager":
        measurements.append(Measurement(metric="peak_tensor_bytes", unit="B", samples=(tensors,)))
    if cell.device.startswith("cuda"):
        measurements += [
            Measurement(metric="cuda_allocated", unit="B", samples=(tensors + 4.0 * parameters,)),
            Measurement(metric="cuda_reserved", unit="B", samples=(1.3 * tensors + 4.4 * parameters,)),
        ]  # fmt: skip
    absent = {} if cell.backend == "eager" else {"peak_tensor_bytes": "its arena is not told"}
    phases = {"build": 0.4, "iterations": 0.9}
    return _record(cell, "memory", measurements, phases=phases, facts={"absent": absent})


def coldstart_record(cell: Cell, parameters: int, dice: random.Random) -> Record:
    if cell.backend == "eager":
        parts = {"import": 1.9, "build": 0.02 + parameters * 8e-9, "first_forward": 0.12}
    else:
        parts = {"import": 0.21, "session": 0.03 + parameters * 4e-9, "first_forward": 0.06}
    measurements = [
        Measurement(metric=name, unit="s", samples=(value * dice.uniform(0.9, 1.2),))
        for name, value in parts.items()
    ]
    return _record(cell, "coldstart", measurements)


def learning_records(cell: Cell, middle: float, dice: random.Random) -> list[Record]:
    """What training and loading data cost: the steps `training` and `dataloader`."""
    steps = tuple(3 * middle * (1 + abs(dice.gauss(0, 0.02))) for _ in range(30))
    training = _record(
        cell,
        "training",
        [
            Measurement(metric="training_step", unit="s", samples=steps),
            Measurement(metric="train_peak_rss", unit="B", samples=(180e6,)),
        ],
        facts={"num_samples": 2, "optimizer": "adamw", "precision": "float32"},
    )
    rates = [
        Measurement(
            metric="loading",
            unit="1/s",
            samples=tuple(rate * dice.uniform(0.95, 1.05) for _ in range(12)),
            facts=MeasurementFacts(num_workers=number, pinned=cell.device != "cpu", batch=32),
        )
        for number, rate in ((0, 1200.0), (1, 1900.0), (2, 1700.0))
    ]
    return [training, _record(cell, "dataloader", rates)]


def _export(cell: Cell, parameters: int, dice: random.Random) -> Record:
    vacuous = cell.model == "dcgan"
    shapes = [
        {"axis": "example", "extent": 1, "max_abs": dice.uniform(1e-8, 4e-6)},
        {"axis": "batch", "extent": 2, "max_abs": dice.uniform(1e-8, 4e-6)},
    ]
    operators = {"Conv": 20, "Relu": 17, "Add": 8, "Gemm": 1, "MaxPool": 1, "Flatten": 1}
    return _record(
        cell,
        "export",
        [],
        artifacts=(
            Artifact(
                kind="onnx", path=f"onnx/{cell.model}-base.onnx", num_bytes=4 * parameters + 31_000
            ),
        ),
        facts={
            "parity": {
                "verdict": "vacuous" if vacuous else "passed",
                "reason": "the outputs vary by 2e-7 only" if vacuous else "",
                "shapes": shapes,
            },
            "onnx": {
                "opset": 20,
                "exporter": "torchscript" if cell.model in ("ssd300", "yolo") else "dynamo",
                "num_nodes": sum(operators.values()),
                "operators": operators,
            },
        },
        phases={"build": 0.5, "export": 6.1, "check": 0.2, "parity": 0.8},
    )


def _spoiled(record: Record, bad: tuple[Outcome, str, str, str]) -> Record:
    outcome, kind, message, _ = bad
    declared = outcome in (Outcome.KNOWN_BUG, Outcome.UNSUPPORTED)
    return Record(
        run_id=record.run_id,
        cell=record.cell,
        step=record.step,
        outcome=outcome,
        failure=Failure(
            kind=kind,
            message=message,
            phase="export" if record.step == "export" else "rounds",
            log_tail="" if declared else TRACEBACK,
            log="" if declared else f"logs/{record.cell.file_stem}-{record.step}.log",
            url="https://github.com/pytorch/pytorch/issues/170180" if declared else "",
        ),
        started_at=record.started_at,
        seconds=record.seconds,
    )


def write_failing_run(folder, texts):
    """A run whose models, and the failures of every third record, are named by these texts."""
    write_run(folder, models=tuple((name, *MODELS[0][1:]) for name in texts), bad={})
    lines = (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()
    found = []
    for number, line in enumerate(lines):
        record = json.loads(line)
        if number % 3 == 0:
            text = texts[number % len(texts)]
            fields = dict.fromkeys(("kind", "message", "log_tail", "log", "phase"), text)
            failure = {**fields, "url": "javascript:alert(1)"}
            record |= {"outcome": "failed", "failure": failure}
        found.append(json.dumps(record))
    (folder / "records.jsonl").write_text("\n".join(found) + "\n", encoding="utf-8")
