"""A change that cannot reach the measured code ends a gate at once, and any other one does not."""

import json
import subprocess

import pytest
from gate_machine import Machine, run_on

from bench.gate.files import write_files
from bench.gate.run import GateConfig, run_gate
from bench.gate.same_bytes import files_that_differ
from bench.gate.source_tree import resolve_base, working_tree
from bench.gate.terminal import render
from bench.gate.thresholds import Thresholds
from bench.gate.verdict import Exit
from suite.options import Asked, resolve
from suite.worker.job_options import Origin

FILES = {
    "models/mine.py": "from helper import width\nfrom package.net import Net\nMODELS = ()\n",
    "models/helper.py": "width = 3\n",
    "src/package/__init__.py": "",
    "src/package/net.py": "from .layers import Fast\nclass Net: pass\n",
    "src/package/layers.py": "class Fast: pass\n",
    "src/package/unused.py": "",
    "tests/test_net.py": "",
    "weights.npz": "1",
    "README.md": "",
    "docs/index.html": "",
}


@pytest.fixture
def project(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"],
    ):
        subprocess.run(["git", "-C", tmp_path, *words], check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "reaches"),
    [
        ("models/mine.py", True),
        ("models/helper.py", True),
        ("src/package/net.py", True),
        ("weights.npz", True),
        ("new.json", True),
        ("src/package/unused.py", False),
        ("tests/test_net.py", False),
        ("README.md", False),
        ("docs/index.html", False),
        ("src/package/layers.py", True),
        ("tools/new.py", False),
    ],
)
def test_only_what_the_models_file_imports_and_data_files_reach_a_model(project, name, reaches):
    place = project / name
    place.parent.mkdir(exist_ok=True)
    place.write_text("changed = 1\n")
    own = project / "models" / "mine.py"
    with resolve_base("HEAD", own, project) as base:
        assert files_that_differ(base, working_tree(own), {}) == ([name] if reaches else [])


def test_a_file_that_imports_by_name_may_read_any_module_beside_it(project):
    own = project / "models" / "mine.py"
    (project / "models" / "other.py").write_text("a = 1\n")
    own.write_text("import importlib\nimportlib.import_module('oth' + 'er')\n")
    with resolve_base("HEAD", own, project) as base:
        assert "models/other.py" in files_that_differ(base, working_tree(own), {})


def test_where_imports_are_by_name_any_python_file_of_the_project_counts_but_tests(project):
    own = project / "models" / "mine.py"
    own.write_text("import importlib\nimportlib.import_module('package.unused')\n")
    subprocess.run(["git", "-C", project, "add", "-A"], check=True)
    commit = ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "second"]
    subprocess.run(["git", "-C", project, *commit], check=True)
    for name in ("src/package/unused.py", "tests/test_net.py"):
        (project / name).write_text("changed = 1\n")
    with resolve_base("HEAD", own, project) as base:
        assert files_that_differ(base, working_tree(own), {}) == ["src/package/unused.py"]


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_named_file_that_git_ignores_is_not_the_same_as_its_absence(project, is_folder):
    (project / ".gitignore").write_text("*.onnx\n")
    subprocess.run(["git", "-C", project, "add", "-A"], check=True)
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", project, *author, "commit", "-qm", "second"], check=True)
    named = project / "saved" / "net.onnx"
    named.parent.mkdir()
    named.write_bytes(b"graph")
    asked = f"hf:{named.parent}" if is_folder else f"onnx:{named}"
    with resolve_base("HEAD", None, project, file=named) as base:
        found = files_that_differ(base, working_tree(None), {"net": Origin(text=asked)})
    assert found == ["saved/net.onnx"]


def test_of_a_folder_with_a_users_project_nothing_is_known(project, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "mine.py").write_text("MODELS = ()\n")
    own = project / "models" / "mine.py"
    with resolve_base(str(other), own, project) as base:
        assert files_that_differ(base, working_tree(own), {}) is None


def test_a_gate_over_the_same_bytes_starts_no_process_passes_and_says_so(tmp_path, capsys):
    from rich.console import Console

    machine = Machine()
    selection = resolve(Asked(models=["mlp"], size="tiny"), num_gpus=0, num_cores=1)
    request = GateConfig(
        selection=selection,
        thresholds=Thresholds(),
        started_in=tmp_path,
        out=tmp_path,
        against=str(working_tree(None).tree),
    )
    gate, folder = run_gate(request, start=machine.start)
    assert (gate.exit, machine.workers) == (Exit.PASS, [])
    write_files(gate, folder)
    assert json.loads((folder / "verdict.json").read_text())["exit_code"] == 0
    assert "same bytes" in (folder / "verdict.md").read_text()
    assert "same bytes" in (folder / "verdict.html").read_text()
    render(gate, Console())
    assert "same bytes, nothing to measure" in " ".join(capsys.readouterr().out.split())


def test_a_commit_with_our_own_protocol_is_not_called_too_old_after_its_checkout_is_gone(tmp_path):
    gate = run_on(Machine(), tmp_path, against="HEAD", is_forced=True)
    assert gate.base.sha
    assert not any("too old" in note for note in gate.notes)
