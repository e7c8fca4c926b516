"""Worker side. Export of torchvision's detectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.stages.export import dynamo
from suite.tracing.detection import branch_free_nms

if TYPE_CHECKING:
    from suite.stages.export.recipes import ExportRequest, Limits


def export(request: ExportRequest) -> Limits:
    """Write the graph with `batched_nms` replaced during the trace."""
    with branch_free_nms():
        return dynamo.export(request)
