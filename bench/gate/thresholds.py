"""Thresholds from `[tool.vitals.thresholds]` in pyproject.toml; see EXAMPLE."""

from __future__ import annotations

import fnmatch
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.gate.errors import GateError
from bench.metrics import METRICS
from diagnostics.did_you_mean import did_you_mean
from suite.cell import Cell

EXAMPLE: Final = """
[tool.vitals.thresholds]
latency = "2%"                    # for every model
work = "1%"                       # instructions per pass, with --witness
[tool.vitals.thresholds."resnet*"]
latency = "8%"                    # for these; a cell id (resnet18-base-eager-cpu-float32-b1) works too
parity = false                    # outputs are meant to change
"""

LATENCY: Final = "latency"
CLEAR: Final = "latency_clear"
PARITY: Final = "parity"
WORK: Final = "work"
WORK_OPERATOR: Final = "work_operator"

DEFAULTS: Final[Mapping[str, float]] = {
    LATENCY: 0.02,
    CLEAR: 0.05,
    WORK: 0.01,
    WORK_OPERATOR: 0.05,
    **{row.name: row.threshold for row in METRICS.values() if row.threshold is not None},
}
"""Metric -> share by which head may be worse. `latency`: REGRESSED if it is surely slower than that;
`latency_clear`: NO-REGRESSION only if it is surely not slower than that. `work`: instructions per pass, where they are
counted; `work_operator`: those of one operator, if the pass grew."""

CLEAR_OVER_LATENCY: Final = 2.5
"""Where only `latency` is given: 5% over 2%."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one cell."""

    shares: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULTS))
    """Metric -> share."""
    checks_parity: bool = True

    @property
    def least(self) -> float:
        """The minimum effect on latency, as a log ratio."""
        return math.log1p(self.shares[LATENCY])

    @property
    def clear(self) -> float:
        """The effect on latency that must be ruled out, as a log ratio."""
        return math.log1p(self.shares[CLEAR])


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The parsed table."""

    common: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Pattern of model names or cell ids -> its keys."""

    def for_cell(self, cell: Cell) -> Limits:
        """Return the cell's limits: defaults, then common keys, then those of every matching pattern.

        Raises GateError where two tables together leave `latency_clear` at or below `latency`.
        """
        chosen: dict[str, Any] = dict(self.common)
        for pattern, keys in self.own.items():
            if fnmatch.fnmatchcase(cell.model, pattern) or fnmatch.fnmatchcase(cell.id, pattern):
                if LATENCY in keys and CLEAR not in keys:
                    chosen.pop(CLEAR, None)  # that of another table belongs to another `latency`
                chosen.update(keys)
        shares = {**DEFAULTS, **{k: v for k, v in chosen.items() if k != PARITY}}
        if LATENCY in chosen and CLEAR not in chosen:
            shares[CLEAR] = max(DEFAULTS[CLEAR], CLEAR_OVER_LATENCY * shares[LATENCY])
        if shares[CLEAR] <= shares[LATENCY]:
            raise GateError(
                f"[tool.vitals.thresholds]: for {cell.id} {CLEAR} is {shares[CLEAR]:.3g} and {LATENCY}"
                f" {shares[LATENCY]:.3g}; expected more than {LATENCY}: give both in one table"
            )
        return Limits(shares=shares, checks_parity=bool(chosen.get(PARITY, True)))


def load_thresholds(pyproject: Path) -> Thresholds:
    """Read the file; empty thresholds if it or the table is missing. Raises GateError naming the key."""
    try:
        document = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Thresholds()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise GateError(
            f"{pyproject}: cannot be read as TOML ({error}); mend it, then go on"
        ) from error
    table = document.get("tool", {}).get("vitals", {}).get("thresholds", {})
    return parse_thresholds(table, f"{pyproject.name}: [tool.vitals.thresholds]")


def parse_thresholds(table: Any, where: str) -> Thresholds:
    """Parse the table; raises GateError naming the key, what was expected, and a similar key that exists."""
    if not isinstance(table, Mapping):
        raise GateError(f'{where} is {table!r}; expected a table of metrics, e.g. latency = "5%"')
    common = {k: v for k, v in table.items() if not isinstance(v, Mapping)}
    own = {k: v for k, v in table.items() if isinstance(v, Mapping)}
    return Thresholds(
        common=_keys(common, where),
        own={name: _keys(keys, f"{where[:-1]}.{name}]") for name, keys in own.items()},
    )


def _keys(keys: Mapping[str, Any], where: str) -> dict[str, Any]:
    found = {name: _value(name, value, where) for name, value in keys.items()}
    latency, clear = found.get(LATENCY, DEFAULTS[LATENCY]), found.get(CLEAR)
    if clear is not None and clear <= latency:
        raise GateError(
            f"{where} {CLEAR} = {keys[CLEAR]!r}: expected more than {LATENCY} ({100 * latency:g}%)"
        )
    return found


def _value(name: str, value: Any, where: str) -> float | bool:
    if name == PARITY:
        if isinstance(value, bool):
            return value
        raise GateError(f"{where} {PARITY} = {value!r}: expected true or false")
    if name not in DEFAULTS:
        raise GateError(f"{where} {name}: no such metric{did_you_mean(name, [*DEFAULTS, PARITY])}")
    share = _share(value)
    if share is None or not 0 <= share < 10:
        raise GateError(f'{where} {name} = {value!r}: expected a share such as "5%" or 0.05')
    return share


def _share(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip()[:-1]) / 100
        except ValueError:
            return None
    return None
