"""The gate's result as JSON (verdict.json)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bench.gate.block import Block
from bench.gate.outcome import SCHEMA, Gate
from bench.gate.row import Row
from bench.gate.verdict import Finding
from bench.gate.work import Work


def to_json(gate: Gate) -> str:
    """Return the gate's result as a JSON document; times in seconds, effects as shares of base (0.05 = 5% slower)."""
    moved = gate.control_shift
    document = {
        "schema": SCHEMA,
        "gate_id": gate.gate_id,
        "exit_code": int(gate.exit),
        "outcome": gate.exit.name.lower(),
        "summary": gate.sentence,
        "counts": gate.counts(),
        "plan": gate.plan,
        "command": gate.command,
        "started_at": gate.started_at,
        "seconds": round(gate.seconds, 1),
        "fingerprint": gate.fingerprint,
        "is_strict": gate.is_strict,
        "base": asdict(gate.base),
        "head": asdict(gate.head),
        "notes": list(gate.notes),
        "control": {
            "has_moved": moved is not None,
            "finding": _finding(moved),
            "blocks": [_block(block) for block in gate.control],
        },
        "rows": [_row(row) for row in gate.rows],
    }
    return json.dumps(_finite(document), indent=1, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """Return the value with null in place of numbers that JSON cannot hold: the quality of a state that has NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value


def share(log_effect: float | None) -> float | None:
    """Convert a log ratio to a share of base; None for None and for values that are not finite."""
    if log_effect is None or not math.isfinite(log_effect):
        return None
    return math.expm1(log_effect)


def _row(row: Row) -> dict[str, Any]:
    return {
        "cell": row.cell.id,
        "step": row.step,
        **row.cell.as_dict(),
        "verdict": row.verdict.value if row.verdict and row.is_timed else None,
        "broken": row.broken,
        "skipped": row.skipped,
        "lost": row.lost,
        "parity": {"verdict": row.parity, "reason": row.parity_note},
        "limits": dict(row.limits.shares),
        "latency": _finding(row.finding),
        "adjusted_p": row.adjusted,
        "detectable": share(row.detectable),
        "exact": [
            {**asdict(e), "verdict": e.verdict.value, "share": e.share if e.share else None}
            for e in row.exact
        ],
        "blocks": {
            "screen": [_block(block) for block in row.screen],
            "confirm": [_block(block) for block in row.confirm],
        },
        "work": _work(row.work) if row.work else None,
        "work_note": row.work_note,
        "cause": asdict(row.cause) if row.cause else None,
    }


def _work(work: Work) -> dict[str, Any]:
    return {
        **asdict(work),
        "verdict": work.verdict.value,
        "growth": work.growth,
        "low": work.low,
        "high": work.high,
    }


def _finding(found: Finding | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "estimate": share(found.estimate),
        "low": share(found.low),
        "high": share(found.high),
        "p_regressed": found.p_regressed,
        "p_improved": found.p_improved,
        "num_blocks": found.num_blocks,
        "spread": found.spread,
    }


def _block(block: Block) -> dict[str, Any]:
    return {**asdict(block), "effect": share(block.effect), "drift": share(block.drift)}
