"""A user's models file: one good model, and one for every way in which a model can go wrong."""

import ctypes
import os
import signal
import time

import torch

from suite.spec import Export, Gap, ModelSpec, Size

SIZES = {"tiny": Size(inputs={"side": 8, "channels": 1, "classes": 10})}


class Net(torch.nn.Module):
    def __init__(self, accident=None):
        super().__init__()
        self.layer = torch.nn.Linear(64, 10)
        self.accident = accident

    def forward(self, picture):
        if self.accident:
            self.accident()
        return self.layer(picture.flatten(1))


def hang():
    time.sleep(600)


def crash():
    ctypes.string_at(0)


def be_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def eat_memory():
    torch.empty(1 << 50, dtype=torch.uint8)


def raise_error():
    torch.zeros(32, 256) @ torch.zeros(512, 10)


def constant():
    net = Net()
    torch.nn.init.zeros_(net.layer.weight)
    return net


def spec(name, build, **changes):
    fields = {
        "name": name,
        "family": "own",
        "task": "image_classification",
        "build": build,
        "sizes": SIZES,
        "outputs": ("logits",),
        "arguments": {"x": "picture"},
        "export": Export(dynamic={"picture": {0: "batch"}}),
    }
    return ModelSpec(**{**fields, **changes})


MODELS = (
    spec("good", Net),
    spec("hangs", lambda: Net(hang)),
    spec("crashes", lambda: Net(crash)),
    spec("is-killed", lambda: Net(be_killed)),
    spec("eats-memory", lambda: Net(eat_memory)),
    spec("raises", lambda: Net(raise_error)),
    spec("is-constant", constant),
    spec(
        "has-a-gap",
        Net,
        gaps=(Gap(backend="onnxruntime", reason="no rule for it", url="https://example.org/1"),),
    ),
)
