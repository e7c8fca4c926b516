"""Healthy machines of every kind are left alone; broken ones have one root, and it is the right one."""

from __future__ import annotations

import json

import pytest
from environment_rows import BROKEN, HEALTHY, Broken

from diagnostics.doctor import examine, exit_code, reduce
from diagnostics.environment import Environment
from diagnostics.finding import Level
from diagnostics.install_commands import line


@pytest.mark.parametrize("name", HEALTHY)
def test_no_error_is_found_in(name: str) -> None:
    results = examine(HEALTHY[name])
    errors = [f"{f.code}: {f.summary}" for r in results for f in r.findings if f.level == "error"]
    assert errors == []
    assert [r.reason for r in results if r.status is Level.CRASH] == []
    assert exit_code(results) == 0


@pytest.mark.parametrize("row", BROKEN, ids=[row.name for row in BROKEN])
def test_the_root_is_on_top_and_its_command_is_right_in(row: Broken) -> None:
    diagnoses = reduce(examine(row.environment))
    serious = [d for d in diagnoses if d.finding.level.rank >= Level.WARN.rank]
    assert [d.finding.code for d in serious] == [row.root]
    assert row.fix in line(serious[0].finding.fixes[0]).replace("'", "")
    assert set(row.also) <= {effect.code for effect in serious[0].consequences}


def test_rows_survive_being_saved_and_replayed() -> None:
    for environment in (*HEALTHY.values(), *(row.environment for row in BROKEN)):
        text = json.dumps(environment.as_dict())
        assert Environment.from_dict(json.loads(text)) == environment
