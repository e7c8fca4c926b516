"""`pytest diagnostics`: one test per check, failing, warning and skipping as the finding says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sample_environments import healthy, system
from test_doctor_rows import damaged

from diagnostics.doctor import examine, reduce
from diagnostics.environment import Environment
from diagnostics.registry import CheckResult, checks
from diagnostics.test_environment import judge

ROOT = Path(__file__).parents[2]


def result(code: str, environment: Environment) -> CheckResult:
    (found,) = examine(environment, select=[code])
    return found


def test_an_error_fails_with_cause_and_fix_and_records_the_command() -> None:
    seen: list[tuple[str, Any]] = []
    ill = result("file-missing", damaged("missing"))
    with pytest.raises(pytest.fail.Exception, match=r"(?s)cause: deleted.*fix: .*--no-deps"):
        judge(ill, frozenset(), strict=False, record_property=lambda *pair: seen.append(pair))
    assert [name for name, _ in seen] == ["fix"]


def test_a_warning_passes_with_a_warning_and_fails_when_strict() -> None:
    busy = result("quiet-load", healthy(system=system(load=7.5)))
    with pytest.warns(UserWarning, match="quiet-load: the machine is busy"):
        judge(busy, frozenset(), strict=False, record_property=lambda *_: None)
    with pytest.raises(pytest.fail.Exception):
        judge(busy, frozenset(), strict=True, record_property=lambda *_: None)


def test_a_check_that_does_not_apply_is_skipped_with_its_reason() -> None:
    with pytest.raises(pytest.skip.Exception, match="no processor quota"):
        judge(
            result("cpu-quota-ignored", healthy()),
            frozenset(),
            strict=False,
            record_property=lambda *_: None,
        )


def test_a_consequence_is_skipped_in_favour_of_its_cause() -> None:
    ill = result("file-missing", damaged("missing"))
    with pytest.raises(pytest.skip.Exception, match="consequence"):
        judge(ill, frozenset(ill.findings), strict=False, record_property=lambda *_: None)
    assert [d.finding.code for d in reduce([ill])] == ["file-missing"]


def test_collecting_takes_no_heavy_import_and_ids_are_the_codes() -> None:
    script = (
        "import sys, time, pytest; start = time.perf_counter()\n"
        "code = pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', '--noconftest', "
        "'diagnostics/test_environment.py'])\n"
        "heavy = {'torch', 'numpy', 'onnx', 'transformers', 'rich'} & set(sys.modules)\n"
        "print('heavy', sorted(heavy), int(code))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "heavy [] 0" in done.stdout
    for item in checks():
        assert f"test_environment[{item.code}]" in done.stdout
