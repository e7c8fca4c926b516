"""The classic architectures: a perceptron, a convolutional net, and the three recurrent ones."""

from __future__ import annotations

from typing import Any, Final

from suite.spec import Export, ModelSpec, Size

MNIST_EXAMPLE: Final = "https://github.com/pytorch/examples/blob/main/mnist/main.py"

PICTURE: Final = {"channels": 1, "side": 28, "classes": 10}
"""Pictures like MNIST's: grey, 28x28, ten classes."""

ROWS: Final = {"channels": 1, "side": 28, "steps": 28, "classes": 10}
"""The same pictures as sequences: one row a step, 28 features each. `steps` cuts or repeats the rows."""

WIDE: Final = {"num_features": 28, "hidden": 128, "num_layers": 2, "num_classes": 10}
NARROW: Final = {"num_features": 28, "hidden": 16, "num_layers": 2, "num_classes": 10}


def recurrent_parameters(gates: int, *, num_features: int, hidden: int, num_classes: int) -> int:
    """Parameters of two recurrent layers with `gates` gates (RNN 1, GRU 3, LSTM 4) and a linear head.

    Each gate has a matrix for the input, one for the state, and PyTorch's two biases.
    """
    layers = sum(gates * hidden * (size + hidden + 2) for size in (num_features, hidden))
    return layers + (hidden + 1) * num_classes


def build_mlp(*, num_features: int, hidden: int, num_classes: int) -> Any:
    """The perceptron with one hidden layer."""
    from suite.nets.mlp import Mlp

    return Mlp(num_features=num_features, hidden=hidden, num_classes=num_classes)


def build_cnn(**widths: Any) -> Any:
    """The network of PyTorch's MNIST example."""
    from suite.nets.cnn import Cnn

    return Cnn(**widths)


def build_rnn(**widths: Any) -> Any:
    """The sequence classifier on nn.RNN."""
    from suite.nets.recurrent import SequenceClassifier

    return SequenceClassifier(cell="rnn", **widths)


def build_lstm(**widths: Any) -> Any:
    """The sequence classifier on nn.LSTM."""
    from suite.nets.recurrent import SequenceClassifier

    return SequenceClassifier(cell="lstm", **widths)


def build_gru(**widths: Any) -> Any:
    """The sequence classifier on nn.GRU."""
    from suite.nets.recurrent import SequenceClassifier

    return SequenceClassifier(cell="gru", **widths)


BATCH: Final = Export(dynamic={"x": {0: "batch"}})
BATCH_AND_STEPS: Final = Export(dynamic={"x": {0: "batch", 1: "steps"}}, second={"steps": 17})

MODELS: Final = (
    ModelSpec(
        name="mlp",
        family="classic",
        task="image_classification",
        build=build_mlp,
        sizes={
            "tiny": Size(
                build={"num_features": 784, "hidden": 16, "num_classes": 10}, inputs=PICTURE
            ),
            "base": Size(
                build={"num_features": 784, "hidden": 128, "num_classes": 10}, inputs=PICTURE
            ),
        },
        outputs=("logits",),
        parameters=784 * 128 + 128 + 128 * 10 + 10,
        source="https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html",
        requires=("suite.nets.mlp",),
        export=BATCH,
    ),
    ModelSpec(
        name="cnn",
        family="classic",
        task="image_classification",
        build=build_cnn,
        sizes={
            "tiny": Size(
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
            "tiny": Size(build=NARROW, inputs=ROWS),
            "base": Size(build=WIDE, inputs=ROWS),
        },
        outputs=("logits",),
        parameters=recurrent_parameters(1, num_features=28, hidden=128, num_classes=10),
        source="https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html",
        requires=("suite.nets.recurrent",),
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
            "tiny": Size(build=NARROW, inputs=ROWS),
            "base": Size(build=WIDE, inputs=ROWS),
        },
        outputs=("logits",),
        parameters=recurrent_parameters(4, num_features=28, hidden=128, num_classes=10),
        source="https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html",
        requires=("suite.nets.recurrent",),
        export=BATCH_AND_STEPS,
    ),
    ModelSpec(
        name="gru",
        family="classic",
        task="row_classification",
        build=build_gru,
        sizes={
            "tiny": Size(build=NARROW, inputs=ROWS),
            "base": Size(build=WIDE, inputs=ROWS),
        },
        outputs=("logits",),
        parameters=recurrent_parameters(3, num_features=28, hidden=128, num_classes=10),
        source="https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html",
        requires=("suite.nets.recurrent",),
        export=BATCH_AND_STEPS,
    ),
)
