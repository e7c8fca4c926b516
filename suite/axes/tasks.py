"""Tasks of models: one row per task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Task of a model: determines the input, the loss and the quality metric."""

    name: str
    module: str
    """Worker-side module with `batch(spec, size, source, ...) -> Batch` (see suite/tasks/batch.py)."""
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
    is_relative: bool = False
    """Whether changes of the metric are given in percent of it (perplexity), not in points."""


TASKS: Final = {
    row.name: row
    for row in (
        Task(
            name="image_classification",
            module="suite.tasks.image_classification",
            input="image",
        ),
        Task(name="row_classification", module="suite.tasks.row_classification", input="image"),
        Task(
            name="image_generation",
            module="suite.tasks.image_generation",
            input="image",
            metric="sliced Wasserstein distance",
            metric_unit="1",
            metric_direction="lower",
            is_relative=True,
        ),
        Task(name="detection", module="suite.tasks.detection", input="scene", metric="mAP50"),
        Task(name="segmentation", module="suite.tasks.segmentation", input="scene", metric="mIoU"),
        Task(
            name="video_classification",
            module="suite.tasks.video_classification",
            input="clip",
        ),
        Task(
            name="masked_language_modeling",
            module="suite.tasks.masked_language_modeling",
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
            input="text",
            unit="tokens",
        ),
        Task(
            name="question_answering",
            module="suite.tasks.question_answering",
            input="text",
            unit="tokens",
            metric="token F1",
        ),
        Task(
            name="translation",
            module="suite.tasks.translation",
            input="text",
            unit="tokens",
            metric="token accuracy",
        ),
        Task(
            name="language_modeling",
            module="suite.tasks.language_modeling",
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
            input="speech",
            metric="character error rate",
            metric_direction="lower",
        ),
    )
}
