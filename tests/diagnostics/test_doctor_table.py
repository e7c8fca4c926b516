"""The published figures are today's, and good enough."""

from __future__ import annotations

import doctor_table
import pytest


def test_the_right_root_is_on_top_and_its_command_is_sound() -> None:
    results, alarms = doctor_table.figures()
    total = len(results)
    assert total >= 60
    assert sum(r.on_top for r in results) >= 0.95 * total
    assert sum(r.sound for r in results) >= 0.95 * total
    assert len(doctor_table.healthy_cases()) >= 30
    assert alarms == []


@pytest.mark.parametrize("path", doctor_table.PLACES, ids=lambda path: path.name)
def test_the_page_has_todays_figures(path: doctor_table.Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert doctor_table.START in text
    assert doctor_table.written(text, path) == text, (
        "make it again: python tests/diagnostics/doctor_table.py --write"
    )
