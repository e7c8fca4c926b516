"""How much of three libraries works by name alone: 100 names, fixed here before the first run.

python tests/suite/coverage_table.py --out FOLDER [--only WORD] [--seconds N]    goes on where it ended
python tests/suite/coverage_table.py --out FOLDER --table                        what is there, as Markdown

Each is built, run, exported with parity and quantized.

Sizes: `tiny` of a transformers type where there is one, else the published configuration. Parity is that of the stage
`export`: the example, another input, and a second extent of every dynamic axis. int8 is judged by its relative error.
"""

from __future__ import annotations

import argparse
import json
import queue
import resource
import sys
import threading
import time
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from suite import spec_codec
from suite.cell import Cell
from suite.check import CheckResult
from suite.data.sources import LIBRARIES, sources_in
from suite.origins.reference import parse
from suite.origins.resolve import resolve
from suite.results.export import ExportResult
from suite.results.quantize import QuantizeResult
from suite.results.step_output import decode_output
from suite.spec import ModelSpec
from suite.worker.client import Launcher
from suite.worker.job_options import JobOptions, Origin
from suite.worker.protocol import CellJob

TIMM = """
resnet18 resnet50 efficientnet_b0 mobilenetv3_small_050 mobilenetv3_large_100 mobilenetv2_100
mobilenetv4_conv_small convnext_atto convnextv2_atto vit_tiny_patch16_224 vit_small_patch16_224
deit_tiny_patch16_224 deit3_small_patch16_224 swin_tiny_patch4_window7_224 mixer_s32_224 resmlp_12_224
regnetx_002 regnety_002 densenet121 ghostnet_100 mnasnet_small efficientformer_l1 efficientvit_b0
edgenext_xx_small mobilevit_xxs mobilevitv2_050 levit_128s poolformer_s12 pvt_v2_b0 fastvit_t8 repvgg_a0
rexnet_100 tinynet_e vgg11 inception_v3 xception41 dpn48b hardcorenas_a lcnet_050 vit_small_patch14_dinov2
""".split()
TORCHVISION = """
alexnet squeezenet1_1 shufflenet_v2_x0_5 mobilenet_v2 mobilenet_v3_small mnasnet0_5 efficientnet_b0
regnet_y_400mf regnet_x_400mf resnet18 resnext50_32x4d densenet121 googlenet convnext_tiny swin_t maxvit_t
vit_b_16 lraspp_mobilenet_v3_large deeplabv3_mobilenet_v3_large fcn_resnet50 ssdlite320_mobilenet_v3_large
fasterrcnn_mobilenet_v3_large_320_fpn r3d_18 mc3_18 raft_small
""".split()
TRANSFORMERS = """
bert distilbert roberta albert electra deberta-v2 mobilebert squeezebert modernbert gpt2 gpt_neox llama qwen2
qwen3 gemma2 mistral phi opt bloom mixtral olmo2 t5 bart pegasus marian vit beit dinov2 segformer clip siglip
wav2vec2 whisper audio-spectrogram-transformer mamba
""".split()

NAMES = [
    name
    for row in zip_longest(
        [f"timm:{n}" for n in TIMM],
        [f"torchvision:{n}" for n in TORCHVISION],
        [f"hf:{n}" for n in TRANSFORMERS],
    )
    for name in row
    if name
]
"""The three libraries in turns, so that a run that ends early has seen some of each."""

PRELOAD = (
    "torch",
    "timm",
    "torchvision.models",
    "transformers.models.auto.modeling_auto",
    "onnx",
    "suite.check",
    "suite.stages.export.preload",
    "suite.stages.quantize.run",
    "suite.stages.quantize.graphs",
    "suite.quantization.static",
    "suite.origins.describe",
    "suite.origins.transformers",
    "suite.tasks.image_classification",
    "suite.tasks.ready_inputs",
    *(
        m
        for name in ("digits", "scenes", "clips", "prose")
        for m in (f"suite.data.{name}", *LIBRARIES[name])
    ),
)
"""Imported once for all names."""
CHECK, EXPORT, INT8, OK = "check", "export", "int8", "ok"
CALIBRATION = 16
"""Samples for the ranges of a static quantization: a quarter of what the product takes, because a table is made of a
hundred."""
DEADLINE = 900.0


def measured(name: str, launcher: Launcher, folder: Path) -> dict[str, Any]:
    """What one name came to: step -> `ok`, or the first line of why not; and the seconds that each step took."""
    begin = time.monotonic()
    found: dict[str, Any] = {"name": name, "took": {}}
    try:
        origin, spec = _record(name, launcher, folder)
    except ValueError as error:
        return {**found, CHECK: str(error).splitlines()[0], "seconds": time.monotonic() - begin}
    size = next(iter(spec.sizes))
    graph = folder / f"{spec.name}.onnx"
    options = JobOptions(
        origins={spec.name: origin},
        sources=sources_in(None),
        threads=1,
        output=str(graph),
        parent_graph=str(graph),
        states_dir=str(folder / "states"),
        state_bytes=10**9,
    )
    base = Cell(model=spec.name, size=size)
    steps = (
        (CHECK, "suite.check:run", base, CheckResult),
        (EXPORT, "suite.stages.export.run:run", base, ExportResult),
        (
            INT8,
            "suite.stages.quantize.run:run",
            replace(base, backend="onnxruntime", variant="built_int8"),
            QuantizeResult,
        ),
    )
    for step, runner, cell, kind in steps:
        start = time.monotonic()
        job = CellJob(runner=runner, cell=cell, options=options, deadline=DEADLINE)
        answer = launcher.run(job)
        found["took"][step] = round(time.monotonic() - start, 1)
        if answer.failure is not None:
            found[step] = answer.failure.message.splitlines()[0]
            break
        result: Any = decode_output(kind, answer.result).result
        found[step] = why_not(result) or OK
        if isinstance(result, ExportResult):
            found["recipe"] = result.recipe.name if result.recipe else ""
            found["axes"] = sorted({a for v in spec.export.dynamic.values() for a in v.values()})
        if isinstance(result, QuantizeResult) and result.fidelity is not None:
            found["error"] = result.fidelity.relative_error
            found["agreement"] = result.fidelity.argmax_agreement
        if found[step] != OK:
            break
    for file in folder.glob(f"{spec.name}.onnx*"):
        file.unlink()
    return {**found, "size": size, "seconds": round(time.monotonic() - begin, 1)}


def _record(name: str, launcher: Launcher, folder: Path) -> tuple[Origin, ModelSpec]:
    """Return the origin and the record of a name, with fewer samples to calibrate on; raise ValueError."""
    reference = parse(name)
    assert reference is not None
    found = resolve([reference], folder / "origins", worker=lambda: launcher)
    origin, spec = next(iter(found.values()))
    sizes = {
        key: replace(size, quantization=replace(size.quantization, calibration_samples=CALIBRATION))
        for key, size in spec.sizes.items()
    }
    spec = replace(spec, sizes=sizes)
    return replace(origin, spec=spec_codec.to_dict(spec)), spec


def why_not(result: Any) -> str:
    """The first claim of the result that does not hold, or its parity; empty if all is well."""
    for claim in getattr(result, "claims", ()):
        if not claim.holds:
            return f"{claim.name}: {claim.evidence}".splitlines()[0]
    parity = getattr(result, "parity", None)
    if parity is not None and parity.verdict != "passed":
        return f"parity {parity.verdict}: {parity.reason}".splitlines()[0]
    return ""


def table(rows: list[dict[str, Any]]) -> str:
    """The counts, and every name that did not go through with its cause, as Markdown."""
    lines = ["| | of | build and run | export with parity | int8 |", "|---|--:|--:|--:|--:|"]
    for library in ("timm", "torchvision", "hf", ""):
        own = [row for row in rows if row["name"].startswith(library)]
        counts = [sum(row.get(step) == OK for row in own) for step in (CHECK, EXPORT, INT8)]
        lines.append(f"| {library or 'all'} | {len(own)} | {' | '.join(map(str, counts))} |")
    lines += ["", "| name | step | cause |", "|---|---|---|"]
    for row in rows:
        for step in (CHECK, EXPORT, INT8):
            if row.get(step, OK) != OK:
                lines.append(f"| `{row['name']}` | {step} | {row[step].replace('|', '/')[:240]} |")
    errors = sorted(row["error"] for row in rows if row.get(INT8) == OK)
    if errors:
        middle = errors[len(errors) // 2]
        lines += ["", f"Relative error of int8: median {middle:.1%}, largest {errors[-1]:.1%}."]
    return "\n".join(lines)


def main() -> None:
    """Measure what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="", help="names with this in them")
    parser.add_argument("--again", action="store_true", help="also those that did not go through")
    parser.add_argument("--seconds", type=float, default=2700, help="begin no name after these")
    parser.add_argument("--jobs", type=int, default=2, help="names side by side, one thread each")
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    file = asked.out / "coverage.jsonl"
    rows = held_in(file)
    if asked.table:
        print(table(list(rows.values())))
        return
    kept = {n for n, row in rows.items() if not asked.again or row.get(INT8) == OK}
    todo: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in NAMES:
        if name not in kept and asked.only in name:
            todo.put(name)
    end = time.monotonic() + asked.seconds

    def serve() -> None:
        launcher = Launcher(preload=PRELOAD, variables={"HF_HUB_OFFLINE": "1"})
        try:
            while time.monotonic() < end:
                try:
                    name = todo.get_nowait()
                except queue.Empty:
                    return
                launcher.wait_until_ready()  # raises on a machine so busy that it does not start
                row = json.dumps(measured(name, launcher, asked.out))
                print(row, flush=True)
                with file.open("a", encoding="utf-8") as stream:
                    stream.write(row + "\n")
        finally:
            launcher.close()

    threads = [threading.Thread(target=serve) for _ in range(asked.jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used = resource.getrusage(
        resource.RUSAGE_CHILDREN
    )  # launchers, and the workers that they waited for
    print(f"{used.ru_utime + used.ru_stime:.0f} s of processor time", file=sys.stderr)


def held_in(file: Path) -> dict[str, dict[str, Any]]:
    """Return name -> its newest row."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return {row["name"]: row for row in map(json.loads, text.splitlines())}


if __name__ == "__main__":
    assert len(NAMES) == len(set(NAMES)) == 100, len(NAMES)
    main()
