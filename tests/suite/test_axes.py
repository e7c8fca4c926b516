"""The rows of stages and variants name what exists, and the tables made of them follow."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest

from suite.axes import (
    CPU,
    CUDA,
    DEVICE_FORMS,
    LEARNED,
    STAGES,
    VARIANTS,
    device_kind,
    is_accelerator,
)
from suite.axes.stages import QUANTIZE, STAGE_ROWS, Stage
from suite.engine.steps import STEPS
from suite.result_types import RESULTS
from suite.spec import Size

ROOT = Path(__file__).resolve().parents[2]


def defines(runner: str) -> bool:
    """Whether `package.module:function` is there, without importing it."""
    module, _, function = runner.partition(":")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == function for node in tree.body)


@pytest.mark.parametrize("row", STAGE_ROWS.values(), ids=lambda row: row.name)
def test_a_stage_names_a_runner_sources_and_settings_that_exist(row: Stage) -> None:
    assert defines(row.runner)
    assert [part for part in row.sources if not (ROOT / "suite" / part).exists()] == []
    known = {item.name for item in fields(Size)}
    assert known >= set(row.settings)
    if row.quality is not None:
        assert row.quality.tolerance in known
        metric = row.result.__dataclass_fields__["metric"].type
        named = (row.quality.before, row.quality.after)
        assert all(name in metric_fields(row, str(metric)) for name in named)


def metric_fields(row: Stage, annotation: str) -> set[str]:
    """Fields of the dataclass that the result's `metric` is."""
    import sys

    kind = getattr(sys.modules[row.result.__module__], annotation.partition(" ")[0])
    return {item.name for item in fields(kind)}


def test_the_engine_and_the_records_know_every_stage() -> None:
    assert [name for name in STEPS if name in STAGE_ROWS] == list(STAGE_ROWS)
    assert {name: RESULTS[name] for name in STAGE_ROWS} == {
        name: row.result for name, row in STAGE_ROWS.items()
    }
    assert (*STAGE_ROWS, "bench") == STAGES
    assert set(LEARNED) == {row.stage for row in VARIANTS.values() if row.stage in LEARNED}


def test_a_variant_is_made_by_a_stage_from_a_variant_and_one_of_several_names_its_route() -> None:
    made = Counter(row.stage for row in VARIANTS.values())
    assert made[QUANTIZE] > 1
    for row in VARIANTS.values():
        assert row.stage in ("", *STAGE_ROWS)
        assert row.parent in ("", *VARIANTS)
        assert bool(row.route) is (made[row.stage] > 1)
        assert not row.route or defines(row.route)


def test_a_device_with_an_index_is_of_its_kind_and_an_unknown_one_is_none() -> None:
    assert [device_kind(device).name for device in ("cpu", "cuda", "cuda:1")] == [CPU, CUDA, CUDA]
    assert [is_accelerator(device) for device in ("cpu", "cuda:1")] == [False, True]
    assert DEVICE_FORMS == ("cpu", "cuda", "cuda:N")
    with pytest.raises(KeyError):
        device_kind("tpu")


def test_a_stage_with_one_variant_or_none_has_no_route_to_load() -> None:
    assert [row.name for row in VARIANTS.values() if row.route == "" and row.stage] == ["trained"]
