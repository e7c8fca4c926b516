"""A real gate against the last commit whose workers spoke the older protocol."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.gate.source_tree import VERSION_FILE

pytestmark = [pytest.mark.heavy, pytest.mark.slow]
ROOT = Path(__file__).parents[2]


def git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def test_a_commit_of_the_older_protocol_is_compared(tmp_path):
    added = git("log", "--diff-filter=A", "--format=%H", "--", str(VERSION_FILE)).splitlines()
    before = git("rev-parse", "--verify", f"{added[-1]}^") if added else ""
    if not before:
        pytest.skip(f"this clone has no commit from before {VERSION_FILE}: git fetch --unshallow")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "bench", "-q", "-p", "no:cacheprovider"),
            *("--against", before, "--models", "mlp", "--size", "tiny", "--backend", "eager"),
            *("--plan", "quick", "--out", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    (file,) = tmp_path.glob("gates/*/verdict.json")
    verdict = json.loads(file.read_text())
    (row,) = verdict["rows"]
    assert not row["broken"] + row["skipped"] + row["lost"], done.stdout
    assert row["parity"]["verdict"] == "passed"
    assert row["blocks"]["screen"]
    assert any("is measured by its own" in note for note in verdict["notes"])
