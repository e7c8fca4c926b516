"""What is shipped: the same bytes from any checkout of the same files, nothing that nobody needs, licences told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from wheel_environment import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

SHIPPED = (
    "bench",
    "diagnostics",
    "suite",
    "vitals",
    "hatch_build.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)
KINDS = {".py", ".j2", ".css", ".js", ".svg", ".json", ".ini", ".typed"}
NOT_CODE = {
    "bench/review/netron-LICENSE": "MIT: of Netron, whose files a bundle of a review copies from its package",
    "diagnostics/tables/onnx_kernels.json": "ours, facts read from ONNX Runtime's tables (MIT)",
    "diagnostics/tables/onnx_schemas.json": "ours, facts read from ONNX's schemas (Apache-2.0)",
    "bench/output/templates/icons.svg": "ours",
    "vitals/pytest.ini": "ours",
    "vitals/py.typed": "ours",
}
"""File that is neither Python nor a part of a page -> licence and origin."""
MOST = 4_000_000
"""Bytes of the whole wheel."""


def copied(folder, *, stamp):
    """The files of a checkout, as a clone at another time would have them."""
    for name in SHIPPED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    for path in folder.rglob("*"):
        os.utime(path, (stamp, stamp))
    return folder


def built(tree, out, **variables):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(
        command,
        cwd=tree,
        check=True,
        capture_output=True,
        timeout=300,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000", **variables},
    )
    (wheel,) = out.glob("*.whl")
    return wheel


def test_a_checkout_of_another_time_place_and_user_builds_the_same_bytes_without_its_litter(
    tmp_path,
):
    first = copied(tmp_path / "a", stamp=1_600_000_000)
    second = copied(tmp_path / "elsewhere" / "b", stamp=1_750_000_000)
    for name in (
        *("bench/__pycache__/run.cpython-311.pyc", "bench/run.py~", "bench/.run.py.swp"),
        *("suite/.DS_Store", "suite/cell.py.orig", "suite/.ipynb_checkpoints/cell.py"),
        *("vitals/.vitals/runs/x/records.jsonl", "diagnostics/core", "bench/report/notes.txt"),
    ):
        path = second / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("litter")
    for path in second.rglob("*.py"):
        path.chmod(0o600)
    here = built(first, tmp_path / "out-a", TZ="UTC", LC_ALL="C.UTF-8")
    there = built(second, tmp_path / "out-b", TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="7")
    with zipfile.ZipFile(here) as one, zipfile.ZipFile(there) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())
    assert here.name == there.name
    assert here.read_bytes() == there.read_bytes()


def test_there_is_no_file_that_nobody_needs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        entries = archive.infolist()
    assert wheel.stat().st_size < MOST
    names = [PurePosixPath(entry.filename) for entry in entries]
    ours = [name for name in names if name.parts[0] == "vitals"]
    strange = [str(n) for n in ours if n.suffix not in KINDS and not n.name.endswith("LICENSE")]
    assert strange == []
    assert [
        str(n) for n in ours if re.search(r"(^|/)(\.|test_data/|docs?/|findings/)", str(n))
    ] == []
    assert len({entry.filename for entry in entries}) == len(entries)
    # Tests that are shipped are what `vitals bench`, `suite` and `gate` run.
    tests = {str(n.parent) for n in ours if n.name.startswith("test_")}
    assert tests <= {"vitals/bench", "vitals/suite"}, tests


def test_what_is_carried_says_its_licence(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(n).decode() for n in names if n.endswith("/METADATA"))
        (licence,) = (archive.read(n) for n in names if n.endswith("licenses/LICENSE"))
        netron = archive.read("vitals/bench/review/netron-LICENSE").decode()
    assert "License-Expression: MIT" in metadata
    assert "License-File: LICENSE" in metadata
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert "Lutz Roeder" in netron
    assert "Permission is hereby granted" in netron
    parts_of_pages = {".py", ".j2", ".css", ".js"}
    data = {
        name.removeprefix("vitals/")
        for name in names
        if name.startswith("vitals/") and Path(name).suffix not in parts_of_pages
    }
    known = {name.removeprefix("vitals/") for name in NOT_CODE}
    assert data == known, "a file that is no code needs its origin and licence in NOT_CODE"
