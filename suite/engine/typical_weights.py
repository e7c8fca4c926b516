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


COLUMNS: Final = (EXPORT, "size", "latency", "pairs", "memory", "training")

# fmt: off
WEIGHTS: Final[Mapping[str, Mapping[str, tuple[float, ...]]]] = {
    "base": {
        "mlp": (0.07, 0.05, 0.44, 0.24, 0.05, 0.18),
        "rnn": (0.19, 0.05, 0.44, 0.24, 0.06, 0.18),
        "lstm": (0.21, 0.05, 0.46, 0.25, 0.06, 0.19),
        "cnn": (0.52, 0.05, 0.59, 0.24, 0.06, 0.19),
        "gru": (0.23, 0.05, 0.56, 0.25, 0.07, 0.19),
        "faster_rcnn": (2.06, 5.54, 2.49, 3.79, 4.73, 4.87),
        "yolo": (0.25, 0.24, 0.71, 0.43, 0.69, 0.3),
        "dcgan": (0.13, 0.08, 0.55, 0.26, 0.14, 0.22),
        "ssd300": (2.35, 3.31, 1.83, 1.83, 2.01, 1.16),
        "fcn_resnet50": (0.83, 0.54, 1.22, 1.55, 1.22, 0.97),
        "deeplabv3_resnet50": (0.87, 0.85, 1.51, 1.88, 1.26, 1.21),
        "pspnet": (0.25, 0.27, 0.63, 0.39, 0.57, 0.31),
        "unet": (0.42, 0.49, 0.77, 0.62, 0.8, 0.64),
        "bert_classifier": (0.93, 0.77, 1.11, 0.85, 0.85, 1.14),
        "roberta_classifier": (1.04, 0.79, 1.08, 0.79, 0.89, 1.21),
        "albert_classifier": (0.62, 0.4, 0.8, 0.87, 0.58, 0.85),
        "bert_qa": (0.9, 0.68, 1.07, 0.8, 1.27, 1.17),
        "bert": (1.07, 1.01, 1.13, 0.98, 1.06, 1.49),
        "gpt2": (1.16, 1.67, 1.26, 1.15, 1.28, 0.86),
        "transformer": (1.11, 0.55, 0.86, 0.71, 0.97, 0.92),
        "llama": (2.3, 1.41, 1.28, 1.25, 1.33, 0.87),
        "t5": (1.18, 1.08, 1.08, 0.73, 1.31, 1.13),
        "r3d_18": (0.74, 2.36, 1.38, 1.71, 1.14, 1.22),
        "resnet18": (0.2, 0.17, 0.66, 0.34, 0.41, 0.27),
        "inception_v3": (0.54, 0.37, 0.79, 0.65, 0.83, 0.62),
        "vit_b_16": (0.87, 0.38, 0.98, 1.08, 0.85, 1.43),
        "mvit_v2_s": (4.51, 4.47, 1.98, 3.51, 3.34, 3.37),
        "wav2vec2": (2.45, 0.34, 1.05, 0.64, 1.09, 0.85),
    },
}
