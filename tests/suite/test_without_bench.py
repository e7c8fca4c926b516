"""The suite runs where the package `bench` is absent: it owns its engine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("conftest.py", "pyproject.toml", "suite", "diagnostics")
ABSENT = 'raise ModuleNotFoundError("bench was imported where it is absent", name="bench")\n'
"""Stands for `bench` in the copy: an installed one must not be found in its place."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project without `bench`."""
    folder = tmp_path / "tree"
    folder.mkdir()
    for part in PARTS:
        source, target = ROOT / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    (folder / "bench.py").write_text(ABSENT, encoding="utf-8")
    return folder


def run(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=tree, capture_output=True, text=True, timeout=300
    )


@pytest.mark.heavy
def test_the_suite_builds_a_model_and_records_it_without_bench(tree: Path) -> None:
    done = run(
        tree,
        "pytest",
        "suite",
        *("--models", "mlp", "--size", "tiny", "--stages", "build"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bench was imported" not in done.stdout + done.stderr
    (records,) = tree.rglob("records.jsonl")
    (record,) = map(json.loads, records.read_text(encoding="utf-8").splitlines())
    assert (record["cell"]["model"], record["step"], record["outcome"]) == (
        "mlp",
        "build",
        "passed",
    )


@pytest.mark.heavy
def test_the_copy_has_no_bench_to_import(tree: Path) -> None:
    (tree / "imports_bench.py").write_text("import bench.steps\n", encoding="utf-8")
    done = run(tree, "imports_bench")
    assert done.returncode == 1
    assert "bench was imported where it is absent" in done.stderr
