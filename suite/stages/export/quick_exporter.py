"""Worker side. Repeated work of PyTorch's ONNX exporter, done once: the same graphs in two thirds of the time.

Every export is a fresh process, forked from a launcher that has filled what is kept here. Each of these does nothing if
the library underneath no longer has the function that it replaces.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any, Final

OPSET: Final = 20
"""Default opset of torch.onnx.export since 2.9."""

RARE: Final = (100_000, 20, 100)
"""Thresholds of the garbage collector during an export; Python's own are (700, 10, 10)."""


@contextmanager
def quick_exporter() -> Iterator[None]:
    """Within the block, torch.onnx.export repeats none of the work that this module keeps."""
    with ExitStack() as patches:
        for patch in (rare_collections, quick_rewrites, kept_translations, kept_operators):
            patches.enter_context(patch())
        yield


def prepare() -> None:
    """Fill what is kept; in the launcher, for all workers. Runs no operator and starts no thread."""
    with quick_exporter():
        _translations(OPSET)
        _materialize()


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    original = owner.__dict__[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Within the block, collect garbage a hundred times more rarely: a graph that is traced is a million objects that
    all stay, and looking through them for cycles takes a tenth of the time.
    """
    before = gc.get_threshold()
    gc.set_threshold(*RARE)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def quick_rewrites() -> Iterator[None]:
    """Within the block, try the exporter's rewrite patterns only on nodes of their final operator.

    For a pattern with several outputs, onnxscript (0.7) sorts all nodes of the graph again for every node that it
    tries, before it compares the operator: half of the time for a graph of two thousand nodes. Comparing the operator
    first gives the same matches.
    """
    try:
        from onnxscript.rewriter._basics import MatchResult
        from onnxscript.rewriter._matcher import SimplePatternMatcher
    except ImportError:
        yield
        return
    original = SimplePatternMatcher.match

    def match(self: Any, model: Any, graph: Any, node: Any, **options: Any) -> Any:
        operator = getattr(self.pattern.output_nodes[0], "op", None)
        if operator is not None and not operator.matches(node.op_type):
            return MatchResult().fail(f"operator mismatch: expected {operator}", node)
        return original(self, model, graph, node, **options)

    with _replaced(SimplePatternMatcher, "match", match):
        yield


@cache
def _translations(opset: int) -> Any:
    """Return torch.onnx's registry of operator translations for an opset; not to be changed."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    return ONNXRegistry.from_torchlib(opset_version=opset)


@contextmanager
def kept_translations() -> Iterator[None]:
    """Within the block, take copies of one registry of translations.

    torch.onnx (2.15) makes it anew for every export, and onnxscript then reads and parses the source of some 500
    functions again for the domain in which each is: 1 s of the 6 s of a small export.
    """
    try:
        from torch.onnx._internal.exporter._registration import ONNXRegistry

        original, opset = ONNXRegistry.__dict__["from_torchlib"], ONNXRegistry().opset_version
    except (ImportError, KeyError, AttributeError):
        yield
        return

    def copied(kind: Any, opset_version: int = opset) -> Any:
        with _replaced(ONNXRegistry, "from_torchlib", original):
            kept = _translations(opset_version)
        own = kind()
        own.__dict__.update(kept.__dict__)
        own.functions = {target: [*rows] for target, rows in kept.functions.items()}
        return own

    with _replaced(ONNXRegistry, "from_torchlib", classmethod(copied)):
        yield


@contextmanager
def kept_operators() -> Iterator[None]:
    """Within the block, look up only operators that were registered since the last time.

    torch.export (2.15) looks up all of some 1,200 composite operators at every operator that it decomposes, to have
    them in `torch.ops`, where they stay.
    """
    try:
        from torch._C import _dispatch_get_registrations_for_dispatch_key as registered
        from torch._export import utils

        original = utils.__dict__["_materialize_cpp_cia_ops"]
    except (ImportError, KeyError):
        yield
        return

    def materialize() -> None:
        known = frozenset(registered("CompositeImplicitAutograd"))
        if not known <= _materialized:
            original()
            _materialized.update(known)

    with _replaced(utils, "_materialize_cpp_cia_ops", materialize):
        yield


_materialized: set[str] = set()
"""Names of the composite operators that are in `torch.ops`."""


def _materialize() -> None:
    from torch._export import utils

    if hasattr(utils, "_materialize_cpp_cia_ops"):
        utils._materialize_cpp_cia_ops()
