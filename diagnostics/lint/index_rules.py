"""Rules about package indexes: pages that are none, indexes that lack packages, ended nightlies."""

from __future__ import annotations

import re

from diagnostics.finding import Level
from diagnostics.lint.plan import CONDA, FAMILY, Plan, Problem, Wish, is_foreign, nightly_variant
from diagnostics.tables import torch_releases as table
from diagnostics.tables.drivers import cuda_of_variant
from diagnostics.tables.torch_releases import Python

ON_PYTORCH_INDEX = frozenset(
    {
        *FAMILY,
        *("torchtext", "torchdata", "torchrec", "torchao", "torchtune", "torchcodec", "torchserve"),
        *("torch-tensorrt", "torchmetrics", "torchmonarch", "executorch", "fbgemm-gpu", "xformers"),
        *("triton", "pytorch-triton", "pytorch-triton-rocm", "pytorch-triton-xpu", "numpy"),
        *("pillow", "filelock", "typing-extensions", "sympy", "mpmath", "networkx", "jinja2"),
        *("markupsafe", "fsspec", "setuptools", "packaging", "requests", "urllib3", "certifi"),
        *("charset-normalizer", "idna", "tqdm", "portalocker", "iopath", "pyre-extensions"),
        *("lightning-utilities", "tensorrt", "cuda-toolkit", "cuda-bindings", "cuda-pathfinder"),
        *("pyyaml", "tbb", "mkl", "cmake", "ninja", "optree", "lit", "dpcpp-cpp-rt", "vllm"),
    }
)
"""Packages on PyTorch's own index: torch, its partners, and what they need."""


def indexes(plan: Plan, python: Python) -> list[Problem]:
    """Return what is wrong with the addresses that a plan takes packages from."""
    if plan.installer in CONDA:
        return []
    return [*_pages(plan), *_lacking(plan), *_nightlies(plan)]


def _pages(plan: Plan) -> list[Problem]:
    family = tuple(item for item in plan.wishes if item.name in FAMILY)
    return [
        Problem(
            code="index-is-a-page",
            level=Level.ERROR,
            summary=f"{address} is a page of links, not an index.",
            cause="An installer looks for a folder per package below an index. Give the page with "
            "-f (--find-links).",
            wishes=family,
        )
        for address in plan.indexes
        if re.search(r"\.html?$", address)
    ]


def _lacking(plan: Plan) -> list[Problem]:
    if plan.has_main_index or not plan.indexes or plan.pages:
        return []
    if any(is_foreign(address) or ".html" in address for address in plan.indexes):
        return []
    if not all("pytorch.org/whl" in address for address in plan.indexes):
        return []
    missing = tuple(item for item in plan.wishes if is_elsewhere(item))
    if not missing:
        return []
    names = ", ".join(item.name for item in missing[:4])
    return [
        Problem(
            code="index-lacks-package",
            level=Level.WARN,
            summary=f"PyTorch's index holds torch and what it needs; it may not have {names}.",
            cause="--index-url replaces the package index: everything is looked for there alone. "
            "--extra-index-url keeps it.",
            wishes=missing,
        )
    ]


def is_elsewhere(item: Wish) -> bool:
    """Return True for a package that is not known to be on PyTorch's index."""
    return bool(
        item.name
        and item.name not in ON_PYTORCH_INDEX
        and not item.name.startswith("nvidia-")
        and not item.tags[0]
        and not item.is_constraint
        and " @ " not in item.text
        and "://" not in item.text
    )


def _nightlies(plan: Plan) -> list[Problem]:
    torch = plan.wish("torch")
    if torch is not None and torch.exact:
        # The nightly of one day: whether it is still there is not known here.
        return []
    variants = [variant for a in plan.indexes if (variant := nightly_variant(a))]
    newest = max(cuda_of_variant(name) or (0, 0) for name in table.NIGHTLY_VARIANTS)
    return [
        Problem(
            code="nightly-variant-ended",
            level=Level.WARN,
            summary=f"There are no nightly builds for {variant} any more.",
            cause=f"Nightlies are built for {', '.join(table.NIGHTLY_VARIANTS)} and cpu; an ended "
            "folder holds old ones at most.",
            wishes=(torch,) if torch else (),
        )
        for variant in variants
        if (cuda := cuda_of_variant(variant)) is not None
        and cuda < newest
        and variant not in table.NIGHTLY_VARIANTS
    ]
