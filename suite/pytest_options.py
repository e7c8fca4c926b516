"""The options shared by `pytest suite` and `pytest bench`: models, devices, data and weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from suite.axes import (
    AUTO,
    BACKENDS_OFFERED,
    DEFAULT_BACKENDS,
    DEVICE_FORMS,
    DTYPES,
    LIFE,
    MEASURED,
    ORIGINAL,
    PARALLEL,
    SIZES,
)


def add_options(parser: Any) -> None:
    """Add the options to pytest's parser."""
    group = parser.getgroup("torch-vitals", "what to measure, on what, how hard")
    add = group.addoption
    add(
        "--models",
        action="append",
        default=[],
        metavar="NAMES",
        help="names and globs, e.g. 'bert*,mlp', 'timm:mobilenet*', hf:distilbert, my_file.py:build (default: all)",
    )
    add(
        "--models-from",
        type=Path,
        metavar="FILE",
        help="a Python file of your own with MODELS = (ModelSpec(...),)",
    )
    add(
        "--size",
        default="",
        help=f"{_listed(SIZES)}, or both (default: base for bench, tiny for suite)",
    )
    add(
        "--backend",
        default="default",
        help=f"{_listed(BACKENDS_OFFERED)} (default: {','.join(DEFAULT_BACKENDS)})",
    )
    add(
        "--device",
        default=AUTO,
        help=f"{_listed((AUTO, *DEVICE_FORMS))} (default: {AUTO} = what is there)",
    )
    add(
        "--train-on",
        default="",
        metavar="DEVICE",
        help="where weights are trained and pruned for the cells of all devices (default: on each)",
    )
    add("--dtype", default=DTYPES[0], help=f"{_listed(DTYPES)} (default: {DTYPES[0]})")
    add("--batch", default="1", help="samples per forward pass, e.g. 1,8 (default: 1)")
    add("--length", default="", help="tokens per sample, e.g. 32,128 (default: each record's own)")
    add(
        "--axes",
        default="",
        metavar="NAMES",
        help="extents of an ONNX file's open axes, e.g. batch=1,sequence=128 (default: 1; 16 for lengths)",
    )
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
        help=f"bench: state of the models: {_listed(MEASURED)} (default: {ORIGINAL})",
    )
    add(
        "--stages",
        default="all",
        help=f"suite: {_listed(LIFE)} (default: all)",
    )
    add(
        "--max-drop",
        type=float,
        default=None,
        metavar="POINTS",
        help="suite: loss of quality that 8 bits may cost; percent for perplexity (default: each record's own)",
    )
    add(
        "--sensitivity",
        nargs="?",
        type=float,
        const=60.0,
        default=0.0,
        metavar="SECONDS",
        help="suite: rank the layers of every 8-bit graph by what they cost, in so many seconds (60 if none are given;"
        " default: only of graphs that lose too much)",
    )
    add(
        "--nproc",
        type=int,
        default=1,
        metavar="N",
        help=f"suite: processes of the stage {PARALLEL} (default: 1 = left out)",
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


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
