"""What a user can get wrong: every bad input is one clear error that names the option, what was expected, what next."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.gate.errors import GateError
from bench.gate.options import parse_options
from bench.gate.source_tree import origins_in, resolve_base, working_tree
from bench.gate.thresholds import DEFAULTS, Thresholds, load_thresholds, parse_thresholds
from bench.gate.worktree import ARM_PREFIX, PREFIX, checkout, remove_stale_checkouts, resolve_commit
from suite.cell import Cell
from suite.import_root import TREE
from suite.origins.find import first_file
from suite.worker.job_options import Origin

ROOT = Path(__file__).parents[2]


def git(folder, *arguments):
    fixed = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **fixed},
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path):
    """A user's repository: two commits of a models file, and an uncommitted change."""
    folder = tmp_path / "project"
    (folder / "nets").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    own = folder / "nets" / "models.py"
    for text in ("MODELS = ()  # first\n", "MODELS = ()  # second\n"):
        own.write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", f"Commit {text[-7:].strip()}")
    own.write_text("MODELS = ()  # third\n")
    return folder


def option(**fields):
    return SimpleNamespace(
        **{
            "against": None,
            "against_python": "",
            "selftest": False,
            "resume": None,
            "witness": "time",
            "anyway": False,
            "gated": "latency",
            **fields,
        }
    )


def asked(tmp_path, **fields):
    return parse_options(option(**fields), [], tmp_path)


def test_head_is_the_commit_and_the_uncommitted_changes_are_the_other_arm(project):
    own = project / "nets" / "models.py"
    with resolve_base("HEAD", own, project) as base:
        assert base.models_from.read_text() == "MODELS = ()  # second\n"
        assert base.models_from != own
        assert base.changed == ("nets/models.py",)
        assert base.uncommitted == ("nets/models.py",)
        assert "second" in base.label
        tree = base.models_from.parents[1]
        assert tree in base.paths
    assert not tree.exists()


def test_a_models_file_is_taken_from_each_arms_own_tree(project):
    with resolve_base("HEAD~1", project / "nets" / "models.py", project) as base:
        assert base.models_from.read_text() == "MODELS = ()  # first\n"
        assert base.tree == TREE


def test_a_function_of_a_file_is_taken_from_each_arms_own_tree_and_a_librarys_name_is_not_moved(
    project,
):
    file = project / "nets" / "models.py"
    asked = {
        "models.build": Origin(text=f"python:{file}:build"),
        "timm.resnet18": Origin(text="timm:resnet18"),
    }
    assert first_file(asked) == file
    with resolve_base("HEAD~1", None, project, file=file) as base:
        there = origins_in(base, asked)
        kind, path, name = there["models.build"].text.split(":")
        assert (kind, name) == ("python", "build")
        assert Path(path).read_text() == "MODELS = ()  # first\n"
        assert there["timm.resnet18"] == asked["timm.resnet18"]
        assert Path(path).parents[1] in base.paths
    assert origins_in(working_tree(None, file), asked) == asked


@pytest.mark.parametrize(("kind", "what"), [("onnx", "net.onnx"), ("hf", "saved")])
def test_a_graph_and_a_saved_folder_are_taken_from_each_arms_own_tree(project, kind, what):
    """A folder was the same in both arms, so that other weights in it could not show."""
    place = project / "nets" / what
    held = place if kind == "onnx" else place / "config.json"
    held.parent.mkdir(exist_ok=True)
    held.write_text("first")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "A model")
    held.write_text("second")
    asked = {"net": Origin(text=f"{kind}:{place}")}
    assert first_file(asked) == place
    with resolve_base("HEAD", None, project, file=place) as base:
        there = Path(origins_in(base, asked)["net"].text.partition(":")[2])
        assert (there if kind == "onnx" else there / "config.json").read_text() == "first"


def test_a_function_of_a_file_that_the_other_version_does_not_have_is_named(project):
    new = project / "new_file.py"
    new.write_text("def build(): ...")
    with (
        resolve_base("HEAD", None, project, file=new) as base,
        pytest.raises(GateError, match="--models new_file.py: is not in HEAD"),
    ):
        origins_in(base, {"new_file.build": Origin(text=f"python:{new}:build")})


def test_a_folder_with_the_other_version_will_do_as_well(project, tmp_path):
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(project), str(other))
    with resolve_base(str(other), project / "nets" / "models.py", tmp_path) as base:
        assert base.models_from == other / "nets" / "models.py"


def test_a_ref_that_does_not_exist_is_named_with_those_that_do(project):
    with (
        pytest.raises(GateError, match=r"--against nope: no such folder and no such git ref.*main"),
        resolve_base("nope", project / "nets" / "models.py", project),
    ):
        pass


def test_a_branch_that_only_the_remote_has_is_suggested(project, tmp_path):
    other = tmp_path / "clone"
    git(project, "branch", "feature")
    git(tmp_path, "clone", "-q", str(project), str(other))
    with pytest.raises(GateError, match="did you mean origin/feature"):
        resolve_commit(other, "feature")


def test_a_shallow_clone_says_how_to_fetch_the_rest(project, tmp_path):
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{project}", str(shallow))
    with pytest.raises(GateError, match="fetch-depth: 0"):
        resolve_commit(shallow, "HEAD~1")


def test_a_ref_that_looks_like_an_option_never_reaches_git(project):
    with pytest.raises(GateError, match="expected a git ref"):
        resolve_commit(project, "--upload-pack=true")


def test_where_a_wheel_is_installed_the_built_in_models_have_one_version(project, monkeypatch):
    monkeypatch.setattr("bench.gate.source_tree.PREFIX", "vitals.")
    with (
        pytest.raises(
            GateError, match="one version of the built-in ones; expected --models-from FILE"
        ),
        resolve_base("HEAD", None, project),
    ):
        pass


def test_where_a_wheel_is_installed_a_users_own_suite_is_none_of_ours(project, monkeypatch):
    monkeypatch.setattr("bench.gate.source_tree.PREFIX", "vitals.")
    (project / "suite").mkdir(exist_ok=True)
    (project / "suite" / "spec.py").write_text("")
    own = project / "nets" / "models.py"
    with resolve_base(str(project), own, project) as base:
        assert base.tree == TREE


def test_outside_of_a_repository_only_a_folder_will_do(tmp_path):
    own = tmp_path / "models.py"
    own.write_text("MODELS = ()")
    with (
        pytest.raises(GateError, match="lies in no git repository"),
        resolve_base("main", own, tmp_path),
    ):
        pass


def test_a_folder_without_sources_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with (
        pytest.raises(GateError, match="holds no suite/spec.py"),
        resolve_base("./empty", None, tmp_path),
    ):
        pass


def test_a_models_file_that_the_other_version_does_not_have_is_named(project):
    new = project / "new_models.py"
    new.write_text("MODELS = ()")
    with (
        pytest.raises(GateError, match="--models-from new_models.py: is not in HEAD"),
        resolve_base("HEAD", new, project),
    ):
        pass
    assert git(project, "worktree", "list").count("\n") == 0


def test_a_missing_git_is_one_sentence(project, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(GateError, match="git is not installed"):
        resolve_commit(project, "HEAD")


def test_the_worktree_is_gone_when_the_block_fails(project):
    with (
        pytest.raises(RuntimeError, match="inside"),
        checkout(resolve_commit(project, "HEAD")) as t,
    ):
        raise RuntimeError("inside")
    assert not t.exists()
    assert git(project, "worktree", "list").count("\n") == 0


SLEEPER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from bench.gate.run import sigterm_as_interrupt
from bench.gate.worktree import checkout, resolve_commit
with sigterm_as_interrupt(), checkout(resolve_commit(Path({project!r}), "HEAD")) as tree:
    print(tree, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_worktree_is_gone_after_ctrl_c_and_after_a_cancelled_job(project, number):
    script = SLEEPER.format(root=str(ROOT), project=str(project))
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    tree = Path(child.stdout.readline().strip())
    assert tree.is_dir()
    child.send_signal(number)
    assert child.wait(timeout=30) != 0
    assert not tree.parent.exists()
    assert git(project, "worktree", "list").count("\n") == 0


def test_what_a_killed_gate_left_behind_is_removed_by_the_next(project):
    script = SLEEPER.format(root=str(ROOT), project=str(project))
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    tree = Path(child.stdout.readline().strip())
    child.kill()
    child.wait(timeout=30)
    assert tree.is_dir()
    assert tree.parent.name.startswith(PREFIX)
    arm = Path(tempfile.mkdtemp(prefix=f"{ARM_PREFIX}{child.pid}-"))
    assert {tree.parent, arm} <= set(remove_stale_checkouts(project))
    assert not arm.exists()
    assert not tree.parent.exists()
    with checkout(resolve_commit(project, "HEAD")) as mine:
        assert remove_stale_checkouts(project) == []
        assert mine.is_dir()


def test_without_a_ref_the_base_is_the_work_in_hand(tmp_path):
    with resolve_base("", None, tmp_path) as base:
        assert base == working_tree(None)


def test_an_interpreter_that_is_not_there_is_named(tmp_path):
    with pytest.raises(GateError, match=r"--against-python venv/bin/python: no such program"):
        asked(tmp_path, against_python="venv/bin/python")
    (tmp_path / "folder").mkdir()
    with pytest.raises(GateError, match="folder without bin/python"):
        asked(tmp_path, against_python="./folder")


def test_a_virtual_environment_may_be_named_by_its_folder_and_its_link_is_kept(tmp_path):
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    link = tmp_path / "venv" / "bin" / "python"
    link.symlink_to(sys.executable)
    assert asked(tmp_path, against_python="./venv").python == str(link)


def test_a_recorded_run_is_no_baseline(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "records.jsonl").write_text('{"schema": 99, "cut')
    with pytest.raises(GateError, match="recorded run, and times of another job"):
        asked(tmp_path, against="run")
    with pytest.raises(GateError, match="is a file; expected a git ref"):
        asked(tmp_path, against="run/records.jsonl")


def test_options_that_do_not_go_together_are_named(tmp_path):
    with pytest.raises(GateError, match="--selftest measures this machine"):
        asked(tmp_path, against="main", selftest=True)
    with pytest.raises(GateError, match="judges two versions; expected --against REF"):
        asked(tmp_path, witness="auto")
    with pytest.raises(
        GateError, match="expected time, instructions, auto. Did you mean|did you mean"
    ):
        asked(tmp_path, against="main", witness="instruction")
    with pytest.raises(GateError, match="cannot be resumed"):
        asked(tmp_path, against="main", resume="")


def test_strict_is_read_from_the_arguments(tmp_path):
    assert parse_options(option(against="main"), ["bench", "--strict"], tmp_path).is_strict
    with pytest.raises(GateError, match="--against: is empty"):
        asked(tmp_path, against="")
    assert not parse_options(option(against="main"), ["bench"], tmp_path).is_strict


RESNET = Cell(model="resnet18", size="base")


def test_thresholds_are_per_benchmark_and_the_narrower_pattern_may_come_last(tmp_path):
    file = tmp_path / "pyproject.toml"
    file.write_text(
        '[tool.vitals.thresholds]\nlatency = "3%"\n'
        '[tool.vitals.thresholds."resnet*"]\nlatency = 0.1\nparity = false\n'
        f'[tool.vitals.thresholds."{RESNET.id}"]\npeak_tensor_bytes = "2%"\n'
    )
    limits = load_thresholds(file).for_cell(RESNET)
    assert limits.shares["latency"] == 0.1
    assert limits.shares["latency_clear"] == 0.25
    assert limits.shares["peak_tensor_bytes"] == 0.02
    assert not limits.checks_parity
    other = load_thresholds(file).for_cell(Cell(model="bert", size="base"))
    assert other.shares["latency"] == 0.03
    assert other.shares["latency_clear"] == pytest.approx(0.075)
    assert other.checks_parity


def test_without_a_table_the_defaults_hold(tmp_path):
    assert load_thresholds(tmp_path / "pyproject.toml") == Thresholds()
    assert Thresholds().for_cell(RESNET).shares == DEFAULTS


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"latenzy": "5%"}, r"latenzy: no such metric; did you mean latency"),
        ({"latency": "five"}, r"latency = 'five': expected a share"),
        ({"latency": "-5%"}, r"expected a share"),
        ({"latency": True}, r"expected a share"),
        ({"parity": "no"}, r"parity = 'no': expected true or false"),
        ({"latency": "6%", "latency_clear": "5%"}, r"expected more than latency \(6%\)"),
        ({"mlp": {"macs": "x"}}, r"thresholds.mlp\] macs = 'x'"),
        (["5%"], "expected a table"),
    ],
)
def test_a_bad_threshold_is_named_with_its_table(table, message):
    with pytest.raises(GateError, match=message):
        parse_thresholds(table, "pyproject.toml: [tool.vitals.thresholds]")


def test_a_looser_latency_of_some_models_loosens_their_clear_margin_too():
    table = {"latency": "2%", "latency_clear": "5%", "resnet*": {"latency": "8%"}}
    limits = parse_thresholds(table, "[t]")
    assert limits.for_cell(RESNET).shares["latency_clear"] == pytest.approx(0.2)
    assert limits.for_cell(Cell(model="bert", size="base")).shares["latency_clear"] == 0.05


def test_a_clear_margin_below_the_latency_of_another_table_is_named_with_its_cell():
    limits = parse_thresholds({"latency": "8%", "resnet*": {"latency_clear": "6%"}}, "[t]")
    with pytest.raises(GateError, match=r"for resnet18-\S+ latency_clear is 0.06 and latency 0.08"):
        limits.for_cell(RESNET)


def test_a_file_that_is_no_toml_is_named(tmp_path):
    file = tmp_path / "pyproject.toml"
    file.write_text("[tool")
    with pytest.raises(GateError, match=r"pyproject.toml: cannot be read as TOML"):
        load_thresholds(file)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--against", "no-such-ref", "--models", "mlp"], "no such folder and no such git ref"),
        (["--against-python", "nowhere/python"], "no such program"),
        (["--against", "HEAD", "--selftest"], "give one of them"),
    ],
)
def test_pytest_ends_with_one_error_and_no_traceback(arguments, message, tmp_path):
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "bench", "-q", "--out", str(tmp_path), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    text = done.stdout + done.stderr
    assert done.returncode == 4
    assert message in text
    assert "Traceback" not in text
    assert time.monotonic() - began < 60
    assert not list(tmp_path.glob("gates/*/verdict.json"))
