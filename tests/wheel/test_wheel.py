"""The wheel by itself: what it installs, and that its commands work from a folder that holds nothing of ours."""

import hashlib
import re
import zipfile
from pathlib import Path

import pytest
from wheel_environment import build, environment

pytestmark = [pytest.mark.slow, pytest.mark.heavy]


def test_two_builds_have_the_same_bytes(wheel, tmp_path):
    again = build(tmp_path)
    assert again.name == wheel.name
    assert (
        hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(wheel.read_bytes()).digest()
    )


def test_one_import_name_is_installed_and_nothing_refers_to_a_checkout(wheel):
    packages = rb"(bench|suite|diagnostics)\b"
    imports = re.compile(rb"^[ ]*(from|import) " + packages, re.MULTILINE)
    advice = re.compile(rb"^[^#\n]*(-m|pytest) " + packages + rb"(?![.])", re.MULTILINE)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        texts = {name: archive.read(name) for name in names if name.endswith((".py", ".j2"))}
    assert {name.partition("/")[0] for name in names} == {"torch_vitals-0.1.0.dist-info", "vitals"}
    for pattern in (imports, advice):
        assert [(name, hit[0]) for name in texts for hit in pattern.finditer(texts[name])] == []


def test_the_doctor_needs_the_standard_library_alone(run, wheel, tmp_path_factory):
    bare = environment(tmp_path_factory.mktemp("bare") / "env", wheel, libraries=False)
    done = run("vitals", "doctor", programs=bare)
    assert done.returncode == 1, done.stderr
    assert "torch is not installed" in done.stdout
    assert done.stderr == ""
    lint = run("vitals", "lint", "pip install torch==2.0.0 torchvision==0.10.0", programs=bare)
    assert "torchvision 0.10.0 needs torch 1.9.0" in lint.stdout
    missing = run("vitals", "bench", programs=bare)
    assert missing.returncode == 2
    assert missing.stderr.startswith("vitals bench: pytest is not installed. Next: ")


def test_a_report_of_one_model_is_one_command_beside_packages_of_the_same_names(run, hostile):
    done = run("vitals", "bench", "--models", "mlp", "--size", "tiny", "--plan", "quick")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"= \d+ passed, \d+ deselected in ", done.stdout), done.stdout
    assert "warning" not in done.stdout
    (folder,) = hostile.glob(".vitals/runs/*-*")
    page = (folder / "report.html").read_text()
    assert "vitals bench --models mlp" in re.sub(r"<[^>]*>", "", page)
    assert (folder / "onnx" / "mlp-tiny.onnx").is_file()
    assert (hostile / ".vitals" / "history.db").is_file()
    ours = {"suite", "bench", "diagnostics", "conftest.py", "pyproject.toml", ".vitals"}
    assert {path.name for path in hostile.iterdir()} == ours
    again = run("vitals", "report", "--format", "md")
    assert again.returncode == 0, again.stderr
    assert "| mlp" in again.stdout


def test_a_word_that_is_no_command_is_answered_in_one_sentence(run):
    done = run("vitals", "benhc")
    assert (done.returncode, done.stderr) == (
        2,
        "vitals benhc: no such command; did you mean bench?\n",
    )
    gate = run("vitals", "gate")
    assert gate.returncode == 4
    assert gate.stderr.startswith("vitals gate: compare with what? Expected a git ref")


def test_what_is_installed_lies_in_one_folder(installed):
    (site,) = installed.parent.glob("lib/python*/site-packages")
    names = {path.name for path in Path(site).iterdir()} - {"libraries.pth", "_virtualenv.py"}
    assert names == {"vitals", "torch_vitals-0.1.0.dist-info"}
