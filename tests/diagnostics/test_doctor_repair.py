"""Commands are worked out before they are printed, and run only after a yes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from environment_rows import BROKEN
from sample_environments import VERSIONS, build, builds, distribution, healthy, installed
from test_doctor_rows import ROWS

from diagnostics import repair
from diagnostics.checkup import Checkup
from diagnostics.cli import main
from diagnostics.doctor import examine
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level, Safety
from diagnostics.install_commands import line
from diagnostics.simulation import newly_broken, tried
from diagnostics.version import can_both_hold

PIP = ("python", "-m", "pip")


def run(*argv: str) -> Fix:
    return Fix(argv=argv, why="a try")


def with_cuda_libraries() -> Environment:
    """torch with its cuBLAS pinned through the toolkit's extras."""
    facts = installed(VERSIONS | {"cuda-toolkit": "13.2.2", "nvidia-cublas": "13.4.1.3"})
    kit = distribution(
        "cuda-toolkit", "13.2.2", requires=("nvidia-cublas==13.4.1.3; extra == 'cublas'",)
    )
    torch = distribution("torch", "2.15.0", requires=("nvidia-cublas==13.4.1.3", "triton~=3.9.0"))
    triton = distribution("triton", "3.9.0")
    kept = [d for d in facts["distributions"] if d.name not in ("cuda-toolkit", "torch")]
    return healthy(
        packages=facts["packages"] | {"triton": "3.9.0"},
        distributions=(torch, kit, triton, *kept),
    )


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ((*PIP, "install", "nvidia-cublas==13.5.0.1"), "torch 2.15.0 asks for nvidia-cublas"),
        ((*PIP, "install", "torch==2.9.1"), "torchvision 0.29.2 asks for torch>=2.14.0"),
        ((*PIP, "install", "torch==2.9.*"), "torchvision 0.29.2 asks for torch>=2.14.0"),
        ((*PIP, "install", "numpy<1.20"), "onnx 1.23.2 asks for numpy"),
        ((*PIP, "uninstall", "-y", "triton"), "and it would be gone"),
        ((*PIP, "install", "onnxruntime-gpu"), "would own the same files"),
        (
            (*PIP, "install", "torch==2.15.0+cpu", "--index-url", "https://x/whl/cpu"),
            "torchvision would stay a cuda build beside a cpu torch",
        ),
        (("uv", "pip", "install", "--python", "p", "nvidia-cublas>=14"), "asks for nvidia-cublas"),
    ],
)
def test_a_command_that_breaks_something_else_is_seen_through(
    argv: tuple[str, ...], says: str
) -> None:
    (first, *_) = newly_broken(with_cuda_libraries(), run(*argv))
    assert says in first


@pytest.mark.parametrize(
    "argv",
    [
        (*PIP, "install", "--force-reinstall", "--no-deps", "nvidia-cublas==13.4.1.3"),
        (*PIP, "install", "ninja"),
        (*PIP, "install", "numpy>=1.26"),
        (*PIP, "install", "torch==2.14.1", "torchvision==0.29.2"),
        (*PIP, "install", "--upgrade", "onnx"),
        ("conda", "install", "-y", "pytorch=2.0"),
        ("sudo", "reboot"),
    ],
)
def test_a_command_that_breaks_nothing_passes(argv: tuple[str, ...]) -> None:
    assert newly_broken(with_cuda_libraries(), run(*argv)) == ()


def test_what_is_removed_and_installed_again_is_not_missed() -> None:
    fix = Fix(
        argv=(),
        why="",
        shell="...",
        steps=((*PIP, "uninstall", "-y", "triton"), (*PIP, "install", "triton==3.9.0")),
    )
    assert newly_broken(with_cuda_libraries(), fix) == ()


def test_a_command_that_breaks_something_stands_last_and_says_so() -> None:
    finding = Finding(
        code="x",
        area="files",
        level=Level.ERROR,
        summary="x",
        fixes=(run(*PIP, "install", "torch==2.9.1"), run(*PIP, "install", "ninja")),
    )
    good, bad = tried(with_cuda_libraries(), finding).fixes
    assert good.argv[-1] == "ninja"
    assert (bad.safety, "but then torchvision" in bad.why) == (Safety.MANUAL, True)


ENVIRONMENTS = {row.code: row.environment for row in ROWS} | {
    row.name: row.environment for row in BROKEN
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_no_first_command_of_a_root_breaks_anything_else_in(name: str) -> None:
    environment = ENVIRONMENTS[name]
    checkup = Checkup(environment=environment, results=tuple(examine(environment)))
    for step in repair.plan(checkup):
        if step.fix is not None:
            assert newly_broken(environment, step.fix) == (), line(step.fix)


@pytest.mark.parametrize(
    ("one", "other", "holds"),
    [
        ("==2.14.*", ">=2.14.0", True),
        ("==2.9.*", ">=2.14.0", False),
        ("<2", ">=2", False),
        ("<2", ">=1.26", True),
        (">=0.29,<0.30", "==0.29.2", True),
        ("~=3.9.0", "==3.10", False),
        ("", "==1", True),
        (">1", "<2", True),
    ],
)
def test_ranges_meet_or_do_not(one: str, other: str, holds: bool) -> None:
    assert can_both_hold(one, other) is holds


def saved(folder: Path, environment: Environment) -> str:
    import json

    path = folder / "facts.json"
    path.write_text(json.dumps(environment.as_dict()))
    return str(path)


def test_the_plan_shows_what_would_be_run_and_runs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ill = healthy(
        builds=builds("2.15.0+cpu", "0.29.2+cu132", onnxruntime=build("onnxruntime", "1.32.0")),
        toolchain=None,
    )
    assert main(["--facts", saved(tmp_path, ill), "--fix", "--dry-run"]) == 1
    text = capsys.readouterr().out
    assert "1. torch is a CPU build, torchvision a CUDA 13.2 build" in text
    assert "run: /home/ann/.venv/bin/python -m pip install --force-reinstall" in text
    assert main(["--facts", saved(tmp_path, healthy()), "--fix", "--dry-run"]) == 0
    assert "Nothing to fix." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--dry-run"], "--dry-run goes with --fix"),
        (["--fix", "--json"], "--fix prints text"),
        (["--fix", "--facts", "x.json"], "only as --fix --dry-run"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert reason in capsys.readouterr().err


def step(*argv: str) -> repair.Step:
    finding = Finding(code="x", area="files", level=Level.ERROR, summary="x")
    return repair.Step(finding=finding, fix=run(*argv))


def test_nothing_runs_without_a_yes(tmp_path: Path) -> None:
    target = tmp_path / "made"
    steps = (step(sys.executable, "-c", f"open({str(target)!r}, 'w')"),)

    def no_answer(_: str) -> str:
        raise EOFError

    assert repair.apply(steps, no_answer, print) == "nothing was changed"
    assert repair.apply(steps, lambda _: "n", print) == "nothing was changed"
    assert not target.exists()
    assert repair.apply(steps, lambda _: "y", print) is None
    assert target.exists()


def test_the_rest_is_left_when_a_command_fails(tmp_path: Path) -> None:
    target = tmp_path / "made"
    steps = (
        step(sys.executable, "-c", "raise SystemExit(3)"),
        step(sys.executable, "-c", f"open({str(target)!r}, 'w')"),
    )
    assert "ended with 3" in str(repair.apply(steps, lambda _: "yes", print))
    assert not target.exists()
    assert "cannot be started" in str(
        repair.apply((step("/no/such/program"),), lambda _: "y", print)
    )


@pytest.mark.parametrize(
    ("fix", "runs"),
    [
        (run(*PIP, "install", "x"), True),
        (run("/v/bin/python3.11", "-m", "pip", "install", "x"), True),
        (run("uv", "pip", "install", "x"), True),
        (run("rm", "-r", "/x"), False),
        (run("sudo", "pip", "install", "x"), False),
        (Fix(argv=(), shell="unset LD_PRELOAD", why=""), False),
        (Fix(argv=(*PIP, "install", "x"), why="", safety=Safety.MANUAL), False),
        (Fix(argv=(), why="", shell="x", steps=((*PIP, "uninstall", "x"), ("rm", "x"))), False),
    ],
)
def test_only_installers_are_run(fix: Fix, runs: bool) -> None:
    assert repair.is_runnable(fix) is runs
