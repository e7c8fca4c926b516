"""Comparison with the version that --against names, and the self-test of this machine."""

from __future__ import annotations

import pytest

from bench.gate.plugin import failure_reason
from bench.gate.row import row_name


def test_gate(cell, step, gate, record_property):
    row = gate.rows[row_name(cell, step)]
    record_property("verdict", row.verdict.value if row.verdict else "")
    if reason := failure_reason(row, is_strict=gate.gate.is_strict or gate.gate.has_no_work):
        pytest.fail(reason, pytrace=False)
    if row.skipped:
        pytest.skip(row.skipped)


def test_selftest(cell, gate):
    if not gate.passed:
        pytest.fail(gate.sentence, pytrace=False)
