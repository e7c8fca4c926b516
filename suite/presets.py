"""Settings shared by records of several families: brief training, tuning, pruning and quantization, CPU and GPU."""

from __future__ import annotations

from typing import Final

from suite.lifecycle import Finetuning, Pruning, Quantization, Training

TRAINING: Final = Training(
    learning_rate=0.001, steps=60, batch=8, test_samples=128, overfit_steps=60
)
"""Convolutional and recurrent nets. Sixty steps on one batch, because normalization statistics adapt slowly: after
twenty, a ResNet-18 that has memorized the batch in training mode is worse on it in evaluation mode than initially."""
FINETUNING: Final = Finetuning(steps=20, learning_rate=0.0005, batch=8)
CHANNELS: Final = Pruning(parameters_left=0.4, macs_left=0.4, round_to=8, learning_rate=0.0005)
"""Half of the channels: about a quarter of the weights and multiplications remains."""
STATIC: Final = Quantization(max_drop=1.0)
"""8 bits with calibration."""

ATTENTION_TRAINING: Final = Training(
    learning_rate=0.0003, steps=60, batch=8, test_samples=128, overfit_steps=20
)
ATTENTION_FINETUNING: Final = Finetuning(steps=20, learning_rate=0.00015, batch=8)
HEADS: Final = Pruning(
    method="heads", parameters_left=0.75, macs_left=0.7, round_to=8, learning_rate=0.00015
)
"""Half of the heads and feed-forward units; embeddings are kept."""
FEED_FORWARD: Final = Pruning(
    method="feed_forward",
    ratio=0.75,
    parameters_left=0.8,
    macs_left=0.8,
    round_to=8,
    learning_rate=0.00015,
)
"""Three quarters of the units between a block's two layers."""
TORCHAO: Final = ("float8_dynamic", "int8_dynamic")
"""8 bits on a GPU, for models made of Linear layers: float8 from Ada and Hopper on, int8 on older ones."""
DYNAMIC: Final = Quantization(max_drop=1.0, method="dynamic", torchao=TORCHAO)
"""8-bit weights, with activation scales computed at run time."""

TINY_STATIC: Final = Quantization(max_drop=3.0)
"""At `tiny`, the metric on a few hundred test samples varies by a point at random."""
TINY_DYNAMIC: Final = Quantization(max_drop=3.0, method="dynamic", torchao=TORCHAO)
