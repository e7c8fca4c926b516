"""The options that `pytest suite` and `pytest bench` share: which models, on what, from what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suite.axes import ORIGINAL


def add_options(parser: Any) -> None:
    """Adds the options to pytest's parser."""
    group = parser.getgroup("torch-vitals", "what to measure, on what, how hard")
    add = group.addoption
    add(
        "--models",
        action="append",
        default=[],
        metavar="NAMES",
        help="names and globs, e.g. 'bert*,mlp' (default: all)",
    )
    add(
        "--models-from",
        type=Path,
        metavar="FILE",
        help="a Python file of your own with MODELS = (ModelSpec(...),)",
    )
    add("--size", default="", help="tiny, base, or both (default: base for bench, tiny for suite)")
    add(
        "--backend",
        default="default",
        help="eager, onnxruntime, compiled (default: eager,onnxruntime)",
    )
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N (default: auto = what is there)")
    add(
        "--train-on",
        default="",
        metavar="DEVICE",
        help="where weights are trained and pruned for the cells of all devices (default: on each)",
    )
    add("--dtype", default="float32", help="float32, bfloat16, float16 (default: float32)")
    add("--batch", default="1", help="samples per forward pass, e.g. 1,8 (default: 1)")
    add("--length", default="", help="tokens per sample, e.g. 32,128 (default: each record's own)")
    add(
        "--threads",
        type=int,
        default=0,
        help="intra-op threads (default: every core this process may use)",
    )
    add(
        "--seed",
        type=int,
        default=0,
        help="seed of weights and of the choice of samples (default: 0)",
    )
    add(
        "--data",
        type=Path,
        metavar="DIR",
        help="a folder with CIFAR-10, IMDb or COCO (default: embedded data)",
    )
    add(
        "--weights",
        default="random",
        metavar="WHAT",
        help="random, pretrained, or a folder with safetensors",
    )
    add(
        "--variant",
        default=ORIGINAL,
        help="bench: state of the models: original, trained, pruned, int8, pruned_int8 (default: original)",
    )
    add(
        "--stages",
        default="all",
        help="suite: foundations, build, train, finetune, prune, quantize, export, parallel (default: all)",
    )
    add(
        "--nproc",
        type=int,
        default=1,
        metavar="N",
        help="suite: processes of the stage parallel (default: 1 = left out)",
    )
    add(
        "--jobs",
        type=int,
        default=0,
        metavar="N",
        help="suite: models side by side (default: one per core at tiny on a CPU, else 1)",
    )
    add(
        "--deadline",
        type=float,
        default=None,
        metavar="SECONDS",
        help="per worker process (default: 600 for bench, 3600 for suite)",
    )
    add(
        "--out",
        type=Path,
        default=Path(".vitals"),
        metavar="DIR",
        help="where runs and caches go (default: .vitals)",
    )
    add(
        "--resume",
        nargs="?",
        const="",
        default=None,
        metavar="RUN",
        help="finish an interrupted run (default: the newest)",
    )
