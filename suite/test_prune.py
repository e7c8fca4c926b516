"""Channels, heads or units are really gone, and the model still does its task."""

from __future__ import annotations


def test_prune(cell, measure):
    record = measure(cell, "prune")
    assert record.facts["claims"]
    assert record.measurement("parameters").samples[0] < record.facts["before"]["parameters"]
