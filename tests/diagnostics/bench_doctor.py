"""How long a visit takes, beside `python -m torch.utils.collect_env` in the same run.

    python tests/diagnostics/bench_doctor.py [--deep] [--repeat 5]
    python tests/diagnostics/bench_doctor.py --against 2c9357a    # an older commit, side by side

Bounds: static tier 1 s for 100 packages and 50,000 files, quick facts 0.15 s, `lint` and `model`
0.5 s, `--deep` 60 s, all on two cores. Exit status 1 when one is missed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
NUM_PACKAGES, NUM_FILES = 100, 50_000
SPEED_GOAL, MEMORY_GOAL = 0.70, 44
"""Of `--against`: processor seconds over the older commit's, and MB at the peak."""


def timed(
    command: list[str], repeat: int, cwd: Path = ROOT, **variables: str
) -> tuple[float, float, float]:
    """Median wall and processor seconds and MB at the peak, bytecode caches allowed as for any user."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(cwd)} | variables
    walls, busy, peaks = [], [], []
    with tempfile.TemporaryFile() as errors:
        for _ in range(repeat + 1):
            start = time.perf_counter()
            child = subprocess.Popen(
                command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=errors
            )
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            walls.append(time.perf_counter() - start)
            busy.append(usage.ru_utime + usage.ru_stime)
            peaks.append(usage.ru_maxrss / 1024)
            if child.returncode not in (0, 1):
                errors.seek(0)
                sys.exit(f"{' '.join(command)} ended with {child.returncode}: {errors.read()!r}")
    # The first one warms the caches.
    return (
        statistics.median(walls[1:]),
        statistics.median(busy[1:]),
        statistics.median(peaks[1:]),
    )


def against(commit: str, repeat: int) -> int:
    """Time this tree and an older commit in turn, and print the ratios; 1 when a goal is missed.

    Processor seconds are what to compare on a busy machine; both arms take turns, so that other
    load falls on both, and each ratio is the median over pairs of neighbouring runs. The GPU is a stand-in: the
    driver's libraries of `real/stubs.py`, compiled here.
    """
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder) / "old"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(old), commit], check=True, capture_output=True)
        try:
            large = large_environment(Path(folder) / "large")
            stub = {"LD_LIBRARY_PATH": str(fake_driver(Path(folder) / "driver"))}
            doctor = [sys.executable, "-m", "diagnostics"]
            rows: dict[str, tuple[list[str], dict[str, str]]] = {
                "static tier, this environment": (doctor, {}),
                "static tier, with a GPU": (doctor, stub),
                "static tier, 100 x 500 files": ([*doctor, "--python", str(large)], {}),
            }
            print(
                f"{'':32}{'wall':>8}{'cpu':>8}{'MB':>8}   this tree over {commit}, {repeat} pairs"
            )
            missed = False
            for name, (command, variables) in rows.items():
                pairs = []
                for number in range(repeat):
                    arms = (ROOT, old) if number % 2 else (old, ROOT)
                    seen = {root: timed(command, 1, cwd=root, **variables) for root in arms}
                    pairs.append((seen[ROOT], seen[old]))
                wall, cpu = (
                    statistics.median(mine[part] / theirs[part] for mine, theirs in pairs)
                    for part in (0, 1)
                )
                peak = statistics.median(mine[2] for mine, _ in pairs)
                # The goals are for an environment of this size; the last row only shows how it grows.
                is_missed = command == doctor and (cpu > SPEED_GOAL or peak > MEMORY_GOAL)
                missed |= is_missed
                mark = " MISSED" if is_missed else ""
                print(f"{name:32}{wall:8.2f}{cpu:8.2f}{peak:8.1f}{mark}")
            print(f"goals: cpu {SPEED_GOAL}, {MEMORY_GOAL} MB; load {os.getloadavg()[0]:.1f}")
        finally:
            subprocess.run([*git, "remove", "--force", str(old)], check=True, capture_output=True)
    return int(missed)


def fake_driver(folder: Path) -> Path:
    """A folder with stand-ins of the driver's two libraries."""
    sys.path.insert(0, str(Path(__file__).with_name("real")))
    import stubs
    from fake_machine import compile_library

    compile_library(folder / "libcuda.so.1", stubs.CUDA)
    compile_library(folder / "libnvidia-ml.so.1", stubs.NVML)
    return folder


def large_environment(folder: Path) -> Path:
    """A virtual environment with 100 distributions of 500 files each."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    each = NUM_FILES // NUM_PACKAGES
    for package in range(NUM_PACKAGES):
        name = f"package{package}"
        rows = []
        for number in range(each):
            path = f"{name}/part{number % 20}/module{number}.py"
            text = f"VALUE = {number}\n"
            target = site / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            digest = hashlib.sha256(text.encode()).hexdigest()
            rows.append(f"{path},sha256={digest},{len(text)}")
        info = site / f"{name}-1.0.dist-info"
        info.mkdir()
        needs = f"Requires-Dist: package{(package + 1) % NUM_PACKAGES}>=1.0\n"
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n{needs}\n")
        (info / "RECORD").write_text("\n".join(rows) + "\n")
    return folder / "bin" / "python"


def main() -> int:
    """0 when every bound is kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--deep", action="store_true", help="time the deep tier, too")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--against", metavar="COMMIT", help="time an older commit side by side")
    options = parser.parse_args()
    if options.against:
        return against(options.against, options.repeat)
    doctor = [sys.executable, "-m", "diagnostics"]
    quick = "from diagnostics.gather import gather; gather(quick=True)"
    rows = [
        ("static tier, this environment", doctor, 1.0),
        ("quick facts, with start-up", [sys.executable, "-c", quick], 0.25),
        ("lint", [*doctor, "lint", "pip install torch==2.0.0 torchvision==0.10.0"], 0.5),
        ("model", [*doctor, "model", str(ROOT / "README.md")], 0.5),
    ]
    if options.deep:
        rows.append(("--deep", [*doctor, "--deep"], 60.0))
    with tempfile.TemporaryDirectory() as folder:
        python = large_environment(Path(folder) / "large")
        rows.insert(1, ("static tier, 100 x 500 files", [*doctor, "--python", str(python)], 1.0))
        rival, rival_busy, _ = timed(
            [sys.executable, "-m", "torch.utils.collect_env"], max(1, options.repeat // 2)
        )
        print(f"{'':32}{'seconds':>9}{'bound':>8}{'cpu s':>8}   collect_env takes")
        print(f"{'torch.utils.collect_env':32}{rival:9.2f}{'':8}{rival_busy:8.2f}")
        missed = False
        for name, command, bound in rows:
            seconds, busy, _ = timed(command, 1 if name == "--deep" else options.repeat)
            missed |= seconds > bound
            mark = " MISSED" if seconds > bound else ""
            print(f"{name:32}{seconds:9.2f}{bound:8.2f}{busy:8.2f}   {rival / seconds:.1f} x{mark}")
    load = os.getloadavg()[0]
    print(f"median of {options.repeat}, load {load:.1f} on {os.cpu_count()} processors")
    if load > (os.cpu_count() or 1):
        print("the machine was busy: wall seconds are too high, compare the processor seconds")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
