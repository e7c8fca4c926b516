"""Comparison with the version that --against names, and the self-test of this machine."""

from __future__ import annotations

import pytest

from bench.gate.plugin import failure_reason


def test_gate(cell, gate, record_property):
    row = gate.rows[cell.id]
    record_property("verdict", row.verdict.value if row.verdict else "")
    if reason := failure_reason(row, is_strict=gate.gate.is_strict):
        pytest.fail(reason, pytrace=False)
    if row.skipped:
        pytest.skip(row.skipped)


def test_selftest(cell, gate):
    if not gate.passed:
        pytest.fail(gate.sentence, pytrace=False)
