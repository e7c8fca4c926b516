"""Worker side. The exporter's graph rewriter without its quadratic search, and with the same result.

For a pattern of several outputs onnxscript (0.7) sorts all nodes of the graph anew for every node it
looks at, before it sees that the node is of another operator. That is half of the time of a graph of
two thousand nodes. Asking for the operator first gives the same matches.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quick_rewrites() -> Iterator[None]:
    """Within the block patterns are only tried on nodes of the operator with which they end.

    Does nothing where onnxscript has no such matcher any more.
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

    SimplePatternMatcher.match = match
    try:
        yield
    finally:
        SimplePatternMatcher.match = original
