"""How much longer than typical the steps of each model take: written by `tests/speed/typical_weights.py` from a run.

The expected rest of a run needs it: the models of a catalogue differ fifty times from each other, and the quick ones
come first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from suite.axes import EXPORT


def weight_of(size: str, model: str, step: str) -> float:
    """Return the multiple of the step's typical seconds that the model takes; 1 for what is not in the table."""
    row = WEIGHTS.get(size, {}).get(model)
    return dict(zip(COLUMNS, row, strict=True)).get(step, 1.0) if row else 1.0


COLUMNS: Final = (EXPORT, "size", "latency", "pairs", "memory", "generate", "training")

# fmt: off
WEIGHTS: Final[Mapping[str, Mapping[str, tuple[float, ...]]]] = {
    "base": {
        "mlp": (0.05, 0.01, 0.47, 0.11, 0.27, 1.0, 0.24),
        "cnn": (0.06, 0.02, 0.45, 0.17, 0.27, 1.0, 0.25),
        "rnn": (0.16, 0.03, 0.45, 0.12, 0.27, 1.0, 0.19),
        "lstm": (0.17, 0.06, 0.55, 0.17, 0.27, 1.0, 0.15),
        "gru": (0.22, 0.11, 0.44, 0.18, 0.27, 1.0, 0.14),
        "ssd300": (2.38, 1.89, 1.61, 1.57, 0.92, 1.0, 1.11),
        "faster_rcnn": (2.77, 6.4, 2.01, 4.05, 3.18, 1.0, 4.43),
        "yolo": (0.25, 0.21, 0.6, 0.55, 0.58, 1.0, 0.49),
        "dcgan": (0.14, 0.03, 0.49, 0.33, 0.34, 1.0, 0.3),
        "fcn_resnet50": (0.88, 1.16, 1.2, 0.94, 0.67, 1.0, 0.94),
        "deeplabv3_resnet50": (0.99, 1.61, 1.3, 1.07, 0.71, 1.0, 1.16),
        "pspnet": (0.29, 0.2, 0.64, 0.56, 0.72, 1.0, 0.45),
        "unet": (0.61, 0.65, 0.48, 0.6, 1.07, 1.0, 0.68),
        "bert_classifier": (0.93, 0.43, 1.03, 0.82, 1.33, 1.0, 1.14),
        "wav2vec2": (1.09, 0.38, 0.88, 0.77, 1.04, 1.0, 0.95),
        "albert_classifier": (0.65, 0.52, 0.75, 0.68, 1.4, 1.0, 0.84),
        "roberta_classifier": (1.05, 0.48, 1.06, 0.86, 1.31, 1.0, 1.01),
        "bert": (1.08, 0.52, 1.2, 0.91, 0.89, 1.0, 1.15),
        "bert_qa": (0.87, 0.4, 1.09, 0.82, 1.3, 1.0, 1.14),
        "gpt2": (1.22, 0.73, 1.43, 1.05, 1.0, 1.28, 0.95),
        "llama": (2.36, 1.0, 1.51, 0.92, 0.52, 1.87, 1.4),
        "transformer": (1.51, 0.37, 0.89, 0.73, 1.22, 0.23, 1.01),
        "t5": (1.4, 0.42, 0.93, 0.86, 1.13, 0.63, 0.97),
        "r3d_18": (0.89, 3.3, 1.47, 1.14, 0.76, 1.0, 1.1),
        "resnet18": (0.25, 0.19, 0.61, 0.54, 0.59, 1.0, 0.37),
        "inception_v3": (0.52, 0.38, 0.71, 0.58, 1.02, 1.0, 0.73),
        "vit_b_16": (0.81, 0.66, 0.97, 0.81, 0.42, 1.0, 1.15),
        "mvit_v2_s": (4.38, 5.86, 2.8, 6.08, 4.53, 1.0, 3.58),
    },
}
