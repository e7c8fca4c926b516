"""Stages of a model's lifecycle: one row each, from which all other tables of stages are derived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from suite.results.build import BuildResult
from suite.results.export import ExportResult
from suite.results.finetune import FinetuneResult
from suite.results.parallel import ParallelResult
from suite.results.prune import PruneResult
from suite.results.quantize import QuantizeResult
from suite.results.step_result import StepResult
from suite.results.train import TrainResult

BUILD: Final = "build"
TRAIN: Final = "train"
FINETUNE: Final = "finetune"
PRUNE: Final = "prune"
QUANTIZE: Final = "quantize"
EXPORT: Final = "export"
PARALLEL: Final = "parallel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Quality metric of a stage's result and the loss allowed."""

    before: str
    """Field of the result's `metric` that is the stage's baseline."""
    after: str
    """Field of the result's `metric` with the quality at the stage's end."""
    tolerance: str
    """Field of `Size` whose `max_drop` is the allowed loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a model's lifecycle."""

    name: str
    """Unique name; used as the test's name and the record's step."""
    title: str
    """Display name."""
    short: str = ""
    """One-word name for narrow columns; empty = `name`."""
    runner: str
    """Worker side: `package.module:function`, called as `function(job, emit)`."""
    result: type[StepResult]
    """Class of its result."""
    sources: tuple[str, ...] = ()
    """Files and folders of suite/ that a state of this stage depends on, besides those that all stages share."""
    settings: tuple[str, ...] = ()
    """Fields of `Size` that a state of this stage depends on."""
    quality: Quality | None = None
    """None for a stage without a quality metric."""
    makes_weights: bool = False
    """Whether its states are weights, which run on every device: `--train-on` selects where they are trained."""
    meaning: str
    """Phrase that describes what it does; Markdown, for the docs."""
    claims: str
    """What must hold at its end; Markdown, for the docs."""


STAGE_ROWS: Final[Mapping[str, Stage]] = {
    row.name: row
    for row in (
        Stage(
            name=BUILD,
            title="build",
            runner="suite.stages.build:run",
            result=BuildResult,
            meaning="both sizes",
            claims=(
                "published parameter count, shapes, finite, same seed same bits, safetensors "
                "round trip"
            ),
        ),
        Stage(
            name=TRAIN,
            title="train",
            runner="suite.stages.train:run",
            result=TrainResult,
            sources=("stages/train.py", "results/train.py"),
            settings=("training",),
            quality=Quality(before="untrained", after="trained", tolerance="pruning"),
            makes_weights=True,
            meaning="the task's own loss and optimizer on real data, seeded",
            claims=(
                "a single batch can be overfitted; the loss falls; better than untrained and than "
                "the trivial baseline by the record's margin; weights finite; two runs with one "
                "seed agree; a resumed run goes on exactly"
            ),
        ),
        Stage(
            name=FINETUNE,
            title="fine-tune",
            short="tune",
            runner="suite.stages.finetune:run",
            result=FinetuneResult,
            sources=("stages/finetune.py", "results/finetune.py"),
            settings=("training", "finetuning"),
            quality=Quality(before="scratch", after="finetuned", tolerance="pruning"),
            makes_weights=True,
            meaning="a second task on other data, four strategies",
            claims=(
                "better than from scratch after as many steps; `partial`: the backbone is "
                "bit-identical; `layerwise`: groups untouched until unfrozen; `lora`: base "
                "weights bit-identical, merged output equals unmerged"
            ),
        ),
        Stage(
            name=PRUNE,
            title="prune",
            runner="suite.stages.prune:run",
            result=PruneResult,
            sources=("stages/prune.py", "pruning", "results/prune.py"),
            settings=("training", "pruning"),
            quality=Quality(before="trained", after="recovered", tolerance="pruning"),
            makes_weights=True,
            meaning="structured, then recovery; masks as the control arm",
            claims=(
                "parameters and MACs fell by what was asked; drop within tolerance; masks change "
                "neither count nor bytes"
            ),
        ),
        Stage(
            name=QUANTIZE,
            title="quantize",
            short="quant",
            runner="suite.stages.quantize.run:run",
            result=QuantizeResult,
            sources=("stages/quantize", "quantization", "stages/export", "results/quantize.py"),
            settings=("quantization",),
            quality=Quality(before="parent", after="quantized", tolerance="quantization"),
            meaning="ONNX Runtime static QDQ or dynamic",
            claims=(
                "operators quantized; ONNX Runtime runs 8-bit kernels; fewer bytes; drop within "
                "tolerance; what was left in float for it had its effect, and the rest is in 8 bits"
            ),
        ),
        Stage(
            name=EXPORT,
            title="export",
            runner="suite.stages.export.run:run",
            result=ExportResult,
            meaning="ONNX and `.pt2`",
            claims=(
                "the graph agrees at two shapes per dynamic axis; a saved and loaded `.pt2` "
                "answers as the module; pruned and quantized graphs are smaller"
            ),
        ),
        Stage(
            name=PARALLEL,
            title="parallel",
            short="par",
            runner="suite.stages.parallel.run:run",
            result=ParallelResult,
            sources=("stages/parallel", "results/parallel.py"),
            settings=("training",),
            meaning="the same steps on several processes through torchrun",
            claims=(
                "the same losses as one process; every process took part; shards are smaller than "
                "the whole"
            ),
        ),
    )
}
"""Stage -> its row, in order of dependency."""
