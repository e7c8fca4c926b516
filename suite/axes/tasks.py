"""Tasks of models: one row per task."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

OPEN: Final = "open"
"""Task of a record that brings its own inputs, and possibly its own batches, loss and metric."""
GENERATES: Final = "generates text"
"""Tag of a model with an open task that writes text token by token."""
OWN: Final = "own"
"""Kind of sample of a task that reads no data set of ours: the samples come from the record or from the task itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Task of a model: determines the input, the loss and the quality metric."""

    name: str
    module: str
    """Worker-side module with `batch(spec, size, source, ...) -> Batch` (see suite/tasks/batch.py)."""
    settings: tuple[str, ...] = ()
    """Entries that `Size.inputs` has to have."""
    input: str
    """Kind of raw sample; a row of `suite.data.sources.KINDS`."""
    unit: str = "samples"
    """Unit of throughput: samples or tokens."""
    metric: str = "accuracy"
    """The task's quality metric."""
    metric_unit: str = "%"
    """% (percentage points), or 1 for a plain number."""
    metric_direction: str = "higher"
    """Which is better: higher or lower."""
    generates: bool = False
    """Whether its models write text token by token, keeping a cache."""
    is_relative: bool = False
    """Whether changes of the metric are given in percent of it (perplexity), not in points."""


TASKS: Final = {
    row.name: row
    for row in (
        Task(
            name="image_classification",
            module="suite.tasks.image_classification",
            settings=("channels", "side", "classes"),
            input="image",
        ),
        Task(
            name="row_classification",
            module="suite.tasks.row_classification",
            settings=("channels", "side", "steps", "classes"),
            input="image",
        ),
        Task(
            name="image_generation",
            module="suite.tasks.image_generation",
            settings=("latent", "channels", "side"),
            input="image",
            metric="sliced Wasserstein distance",
            metric_unit="1",
            metric_direction="lower",
            is_relative=True,
        ),
        Task(
            name="detection",
            module="suite.tasks.detection",
            settings=("side", "classes"),
            input="scene",
            metric="mAP50",
        ),
        Task(
            name="segmentation",
            module="suite.tasks.segmentation",
            settings=("side", "classes"),
            input="scene",
            metric="mIoU",
        ),
        Task(
            name="video_classification",
            module="suite.tasks.video_classification",
            settings=("frames", "side", "classes"),
            input="clip",
        ),
        Task(
            name="masked_language_modeling",
            module="suite.tasks.masked_language_modeling",
            settings=("vocabulary", "length"),
            input="text",
            unit="tokens",
            metric="perplexity",
            metric_unit="1",
            metric_direction="lower",
            is_relative=True,
        ),
        Task(
            name="text_classification",
            module="suite.tasks.text_classification",
            settings=("vocabulary", "length", "classes"),
            input="text",
            unit="tokens",
        ),
        Task(
            name="question_answering",
            module="suite.tasks.question_answering",
            settings=("vocabulary", "length"),
            input="text",
            unit="tokens",
            metric="token F1",
        ),
        Task(
            name="translation",
            module="suite.tasks.translation",
            settings=("vocabulary", "length"),
            input="text",
            unit="tokens",
            metric="token accuracy",
            generates=True,
        ),
        Task(
            name="language_modeling",
            module="suite.tasks.language_modeling",
            generates=True,
            settings=("vocabulary", "length"),
            input="text",
            unit="tokens",
            metric="perplexity",
            metric_unit="1",
            metric_direction="lower",
            is_relative=True,
        ),
        Task(
            name="speech_recognition",
            module="suite.tasks.speech_recognition",
            settings=("length",),
            input="speech",
            metric="character error rate",
            metric_direction="lower",
        ),
        Task(
            name="regression",
            module="suite.tasks.regression",
            input=OWN,
            metric="MAE",
            metric_unit="1",
            metric_direction="lower",
            is_relative=True,
        ),
        Task(
            name="forecasting",
            module="suite.tasks.forecasting",
            settings=("length", "horizon"),
            input=OWN,
            metric="MAE",
            metric_unit="1",
            metric_direction="lower",
            is_relative=True,
        ),
        Task(
            name="audio_classification",
            module="suite.tasks.audio_classification",
            settings=("length", "classes"),
            input=OWN,
        ),
        Task(
            name="embedding",
            module="suite.tasks.embedding",
            settings=("channels", "side"),
            input=OWN,
            metric="recall@1",
        ),
        Task(
            name="keypoints",
            module="suite.tasks.keypoints",
            settings=("channels", "side"),
            input=OWN,
            metric="distance",
            metric_direction="lower",
        ),
        Task(
            name=OPEN,
            module="suite.tasks.open_task",
            input=OWN,
            metric="metric",
            metric_unit="1",
            is_relative=True,
        ),
    )
}

_SCALE: Final = re.compile(
    r"(?P<task>\w+): (?P<name>.+) \[(?P<unit>[^\]]*)\], (?P<direction>higher|lower)(?P<points>, points)?"
)


def scale_text(task: str, *, name: str, unit: str, direction: str, is_relative: bool) -> str:
    """Return a task with a metric of its own as text, from which `task_row` makes the row again: records are JSON."""
    return f"{task}: {name} [{unit}], {direction}{'' if is_relative else ', points'}"


def task_row(text: str) -> Task | None:
    """Return the row of a task's name, or of a task with its own metric as `scale_text` writes it; None if unknown."""
    if text in TASKS:
        return TASKS[text]
    match = _SCALE.fullmatch(text)
    if match is None or match["task"] not in TASKS:
        return None
    return replace(
        TASKS[match["task"]],
        metric=match["name"],
        metric_unit=match["unit"],
        metric_direction=match["direction"],
        is_relative=not match["points"],
    )
