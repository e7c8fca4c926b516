"""Channels, heads or units are removed, and the model still performs its task."""

from __future__ import annotations

from suite.axes import PRUNE


def test_prune(cell, measure):
    record = measure(cell, PRUNE)
    assert record.result.claims
