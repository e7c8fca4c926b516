"""Channels, heads or units are really gone, and the model still does its task."""

from __future__ import annotations

from suite.axes import PRUNE


def test_prune(cell, measure):
    record = measure(cell, PRUNE)
    assert record.result.claims
