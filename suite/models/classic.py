"""The classic architectures: a perceptron, a convolutional net, and three recurrent ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from suite import presets
from suite.lifecycle import Finetuning, Pruning, Training
from suite.spec import Export, Gap, ModelSpec, Size

MNIST_EXAMPLE: Final = "https://github.com/pytorch/examples/blob/main/mnist/main.py"

PICTURE: Final = {"channels": 1, "side": 28, "classes": 10}
"""Pictures like MNIST's: grey, 28x28, ten classes."""

ROWS: Final = {"channels": 1, "side": 28, "steps": 28, "classes": 10}
"""The same pictures as sequences: one row a step, 28 features each. `steps` cuts or repeats the rows."""

WIDE: Final = {"num_features": 28, "hidden": 128, "num_layers": 2, "num_classes": 10}
NARROW: Final = {"num_features": 28, "hidden": 16, "num_layers": 2, "num_classes": 10}


def recurrent_parameters(gates: int, *, num_features: int, hidden: int, num_classes: int) -> int:
    """Return the parameters of two recurrent layers with `gates` gates (RNN 1, GRU 3, LSTM 4) and a linear head.

    Each gate has a matrix for the input, one for the state, and PyTorch's two biases.
    """
    layers = sum(gates * hidden * (size + hidden + 2) for size in (num_features, hidden))
    return layers + (hidden + 1) * num_classes


def build_mlp(*, num_features: int, hidden: int, num_classes: int) -> Any:
    """Return the perceptron with one hidden layer."""
    from suite.nets.mlp import Mlp

    return Mlp(num_features=num_features, hidden=hidden, num_classes=num_classes)


def build_cnn(**widths: Any) -> Any:
    """Return the network of PyTorch's MNIST example."""
    from suite.nets.cnn import Cnn

    return Cnn(**widths)


def build_rnn(**widths: Any) -> Any:
    """Return the sequence classifier on nn.RNN."""
    from suite.nets.recurrent import SequenceClassifier

    return SequenceClassifier(cell="rnn", **widths)


def build_lstm(**widths: Any) -> Any:
    """Return the sequence classifier on nn.LSTM."""
    from suite.nets.recurrent import SequenceClassifier

    return SequenceClassifier(cell="lstm", **widths)


def build_gru(**widths: Any) -> Any:
    """Return the sequence classifier on nn.GRU."""
    from suite.nets.recurrent import SequenceClassifier

    return SequenceClassifier(cell="gru", **widths)


def no_eight_bits(cell: str) -> tuple[Gap, ...]:
    """Return the quantization gaps of `cell`: ONNX Runtime quantizes the LSTM operator, not RNN and GRU."""
    return tuple(
        Gap(
            stage="quantize",
            variant=variant,
            reason=f"ONNX Runtime has no 8-bit {cell}: with it in float32 nothing worth the name would be quantized",
            url="https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html",
        )
        for variant in ("int8", "pruned_int8")
    )


NO_PT2E: Final = Gap(
    stage="quantize",
    variant="pt2e",
    reason="X86InductorQuantizer knows no recurrent layer, and Inductor compiles what is left without an 8-bit kernel",
    url="https://docs.pytorch.org/ao/stable/pt2e_quantization/pt2e_quant_x86_inductor.html",
)

BATCH: Final = Export(dynamic={"x": {0: "batch"}})
BATCH_AND_STEPS: Final = Export(dynamic={"x": {0: "batch", 1: "steps"}}, second={"steps": 17})

PICTURES: Final = Training(learning_rate=0.002, batch=64, margin=8.0)
SECOND_PICTURES: Final = Finetuning(
    steps=12, learning_rate=0.002, rates={"partial": 0.008}, batch=64
)
HALF: Final = replace(presets.CHANNELS, recovery_steps=80, learning_rate=0.002)
READING: Final = Training(batch=64, test_samples=800, margin=5.0, overfit_steps=150)
SECOND_READING: Final = Finetuning(steps=30, learning_rate=0.005, rates={"partial": 0.02}, batch=64)
UNITS: Final = Pruning(
    method="recurrent",
    parameters_left=0.45,
    macs_left=0.45,
    round_to=8,
    recovery_steps=120,
    learning_rate=0.003,
)
"""These nets are small at `base` too, so their recovery is not shortened there."""

MODELS: Final = (
    ModelSpec(
        name="mlp",
        family="classic",
        task="image_classification",
        build=build_mlp,
        sizes={
            "tiny": Size(
                training=Training(learning_rate=0.005, batch=64, test_samples=800, margin=8.0),
                finetuning=Finetuning(
                    steps=8, learning_rate=0.0025, rates={"partial": 0.01}, batch=64
                ),
                pruning=Pruning(
                    parameters_left=0.55,
                    macs_left=0.55,
                    recovery_steps=80,
                    learning_rate=0.0025,
                    max_drop=8.0,
                ),
                quantization=replace(presets.TINY_STATIC, pt2e=True),
                build={"num_features": 784, "hidden": 16, "num_classes": 10},
                inputs=PICTURE,
            ),
            "base": Size(
                training=PICTURES,
                finetuning=SECOND_PICTURES,
                pruning=replace(HALF, parameters_left=0.55, macs_left=0.55),
                quantization=presets.STATIC,
                build={"num_features": 784, "hidden": 128, "num_classes": 10},
                inputs=PICTURE,
            ),
        },
        outputs=("logits",),
        parameters=784 * 128 + 128 + 128 * 10 + 10,
        source="https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html",
        requires=("suite.nets.mlp",),
        head=("head",),
        export=BATCH,
    ),
    ModelSpec(
        name="cnn",
        family="classic",
        task="image_classification",
        build=build_cnn,
        sizes={
            "tiny": Size(
                training=Training(learning_rate=0.005, batch=64, margin=8.0),
                finetuning=Finetuning(
                    steps=8, learning_rate=0.005, rates={"partial": 0.02}, batch=64
                ),
                pruning=Pruning(
                    parameters_left=0.4,
                    macs_left=0.4,
                    recovery_steps=80,
                    learning_rate=0.0025,
                    max_drop=8.0,
                ),
                quantization=replace(presets.TINY_STATIC, pt2e=True),
                build={
                    "channels": 1,
                    "side": 28,
                    "widths": (8, 16),
                    "hidden": 32,
                    "num_classes": 10,
                },
                inputs=PICTURE,
            ),
            "base": Size(
                training=PICTURES,
                finetuning=SECOND_PICTURES,
                pruning=HALF,
                quantization=presets.STATIC,
                build={
                    "channels": 1,
                    "side": 28,
                    "widths": (32, 64),
                    "hidden": 128,
                    "num_classes": 10,
                },
                inputs=PICTURE,
            ),
        },
        outputs=("logits",),
        parameters=1_199_882,
        source=MNIST_EXAMPLE,
        requires=("suite.nets.cnn",),
        export=BATCH,
    ),
    ModelSpec(
        name="rnn",
        family="classic",
        task="row_classification",
        build=build_rnn,
        sizes={
            "tiny": Size(
                training=Training(
                    learning_rate=0.003,
                    steps=300,
                    batch=64,
                    test_samples=800,
                    margin=3.0,
                    overfit_steps=150,
                ),
                finetuning=Finetuning(
                    steps=30, learning_rate=0.01, rates={"partial": 0.04}, batch=64
                ),
                pruning=Pruning(
                    method="recurrent",
                    parameters_left=0.45,
                    macs_left=0.45,
                    recovery_steps=120,
                    learning_rate=0.01,
                    max_drop=12.0,
                ),
                quantization=presets.TINY_STATIC,
                build=NARROW,
                inputs=ROWS,
            ),
            "base": Size(
                training=replace(READING, learning_rate=0.001, steps=300),
                finetuning=SECOND_READING,
                pruning=UNITS,
                quantization=presets.STATIC,
                build=WIDE,
                inputs=ROWS,
            ),
        },
        outputs=("logits",),
        parameters=recurrent_parameters(1, num_features=28, hidden=128, num_classes=10),
        source="https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html",
        requires=("suite.nets.recurrent",),
        head=("head",),
        gaps=(*no_eight_bits("RNN"), NO_PT2E),
        export=Export(
            dynamic={"x": {0: "batch"}},
            static_reason=(
                "torch.onnx has no mapping for nn.RNN: the loop over the steps is unrolled,"
                " so the graph holds for one number of steps"
            ),
        ),
    ),
    ModelSpec(
        name="lstm",
        family="classic",
        task="row_classification",
        build=build_lstm,
        sizes={
            "tiny": Size(
                training=Training(
                    learning_rate=0.01,
                    batch=64,
                    test_samples=800,
                    margin=5.0,
                    overfit_steps=120,
                ),
                finetuning=Finetuning(
                    steps=30, learning_rate=0.01, rates={"partial": 0.04}, batch=64
                ),
                pruning=Pruning(
                    method="recurrent",
                    parameters_left=0.45,
                    macs_left=0.45,
                    recovery_steps=320,  # over eight seeds the drop is -1.6 points, with a spread of 3.1
                    learning_rate=0.01,
                    max_drop=8.0,
                ),
                quantization=replace(presets.TINY_DYNAMIC, torchao=()),
                build=NARROW,
                inputs=ROWS,
            ),
            "base": Size(
                training=replace(READING, learning_rate=0.004),
                finetuning=SECOND_READING,
                pruning=UNITS,
                quantization=replace(presets.DYNAMIC, torchao=()),
                build=WIDE,
                inputs=ROWS,
            ),
        },
        outputs=("logits",),
        parameters=recurrent_parameters(4, num_features=28, hidden=128, num_classes=10),
        source="https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html",
        requires=("suite.nets.recurrent",),
        head=("head",),
        gaps=(NO_PT2E,),
        export=BATCH_AND_STEPS,
    ),
    ModelSpec(
        name="gru",
        family="classic",
        task="row_classification",
        build=build_gru,
        sizes={
            "tiny": Size(
                training=Training(learning_rate=0.02, batch=64, margin=5.0, overfit_steps=100),
                finetuning=Finetuning(
                    steps=30, learning_rate=0.01, rates={"partial": 0.04}, batch=64
                ),
                pruning=Pruning(
                    method="recurrent",
                    parameters_left=0.45,
                    macs_left=0.45,
                    recovery_steps=120,
                    learning_rate=0.01,
                    max_drop=12.0,
                ),
                quantization=presets.TINY_STATIC,
                build=NARROW,
                inputs=ROWS,
            ),
            "base": Size(
                training=replace(READING, learning_rate=0.004),
                finetuning=SECOND_READING,
                pruning=UNITS,
                quantization=presets.STATIC,
                build=WIDE,
                inputs=ROWS,
            ),
        },
        outputs=("logits",),
        parameters=recurrent_parameters(3, num_features=28, hidden=128, num_classes=10),
        source="https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html",
        requires=("suite.nets.recurrent",),
        head=("head",),
        gaps=(*no_eight_bits("GRU"), NO_PT2E),
        export=BATCH_AND_STEPS,
    ),
)
