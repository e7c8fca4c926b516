"""Results in the format of schema-1 records and of workers of older source trees: one mapping of facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from suite.results.quantize import QuantizationReport
from suite.results.step_result import DataSet

_DATA: Final = tuple(item.name for item in fields(DataSet) if item.name != "name")
_REPORT: Final = tuple(item.name for item in fields(QuantizationReport))


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFacts:
    """Facts of a schema-1 record, in the fields of schema 2."""

    result: dict[str, Any]
    task: str = ""
    data: dict[str, Any] | None = None
    diagnosis: list[Any] = field(default_factory=list)


def split_facts(facts: Mapping[str, Any]) -> SplitFacts:
    """Return the result's own fields and those common to all records: task, data set, diagnosis."""
    rest = dict(facts)
    task, diagnosis = rest.pop("task", ""), rest.pop("diagnosis", [])
    data: dict[str, Any] | None = None
    source = rest.pop("data", None)
    around = {name: rest.pop(name) for name in _DATA if name in rest}
    if isinstance(source, Mapping):  # fields of an export
        around |= {name: value for name, value in source.items() if name in _DATA}
        source = source.get("data")
    if isinstance(source, str) and source:
        data = {"name": source, **around}
    return SplitFacts(
        result=_quantization(rest),
        task=task if isinstance(task, str) else "",
        data=data,
        diagnosis=diagnosis if isinstance(diagnosis, list) else [],
    )


def _quantization(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts with fields of the stage `quantize` renamed to their current names."""
    metric = facts.get("metric")
    if isinstance(metric, Mapping) and "float" in metric:
        facts["metric"] = {"float32" if k == "float" else k: v for k, v in metric.items()}
    if facts.get("measured_types") == {}:
        del facts["measured_types"]
    if facts.get("method") == "pt2e" and "count" not in facts:
        facts["count"] = {
            "quantized": facts.pop("quantized", {}),
            "floating": facts.pop("floating", {}),
            "num_quantized": facts.get("num_quantized", 0),
        }
        facts["kernels"] = {
            "integer": facts.get("kernels", {}),
            "num_integer": facts.get("num_kernels", 0),
        }
    if "lane" in facts:
        facts["report"] = {name: facts.pop(name) for name in _REPORT if name in facts}
    return facts
