"""What this tree costs against an older commit: `python tests/speed/house.py REF [--rounds 3] [--only NAME ...]`.

Both trees are driven from outside, by their commands, in turns (A B, B A, ...) on one machine, each by the interpreter
that runs this script. Prints medians and ratios of
  collect       `pytest bench --collect-only`
  doctor        `python -m diagnostics`
  first sample  `pytest bench` of `mlp` at tiny, from its start to the record of its latency (wall time)
  run memory    peak resident memory of that pytest process (workers are others)
  report        `python -m bench report` of a made-up run of 2,000 cells
  report memory peak resident memory of that process
Other times are CPU seconds, own and of what they start: on a busy machine wall time says more of its neighbours.
Goals: times within 1.05, memory within 0.70 of the older commit. Ends with 1 where one is missed.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CELLS = 2000
TIME_GOAL, MEMORY_GOAL = 1.05, 0.70
GOALS = {
    "collect": TIME_GOAL,
    "doctor": TIME_GOAL,
    "first sample": TIME_GOAL,
    "run memory": MEMORY_GOAL,
    "report": TIME_GOAL,
    "report memory": MEMORY_GOAL,
}
PEAK = """
import atexit, os, runpy, sys
def peak():
    # Not ru_maxrss: that of a new program begins with the peak of the process that started it.
    status = open("/proc/self/status").read()
    open(os.environ["PEAK_FILE"], "w").write(status.split("VmHWM:")[1].split()[0])
atexit.register(peak)
sys.path.insert(0, "")
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
MAKE_RUN = """
import sys
from pathlib import Path
sys.path[:0] = ["", "tests/bench"]
from report_runs import MODELS, write_run
rows = [MODELS[n % len(MODELS)] for n in range(int(sys.argv[2]) // 2)]
write_run(Path(sys.argv[1]), models=tuple((f"{row[0]}_{n}", *row[1:]) for n, row in enumerate(rows)))
"""


def start(tree: Path, *command: str, **variables: str) -> subprocess.Popen:
    """The command of that tree, by this interpreter, silent."""
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def cpu_seconds(process: subprocess.Popen, allowed: tuple[int, ...] = (0,)) -> float:
    """CPU seconds of the process and its children, once it has ended; raises RuntimeError for another exit code."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        raise RuntimeError(f"{process.args} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def with_peak(tree: Path, scratch: Path, *command: str) -> tuple[float, float]:
    """CPU seconds and peak resident MB of `python -m COMMAND`."""
    file = scratch / "peak"
    seconds = cpu_seconds(start(tree, "-c", PEAK, *command, PEAK_FILE=str(file)))
    return seconds, int(file.read_text()) / 1024


def collect(tree: Path, scratch: Path) -> dict[str, float]:
    """Collection of the whole catalogue."""
    return {"collect": cpu_seconds(start(tree, "-m", "pytest", "bench", "--collect-only", "-q"))}


def doctor(tree: Path, scratch: Path) -> dict[str, float]:
    """The doctor's quick examination; 1 is a finding."""
    return {"doctor": cpu_seconds(start(tree, "-m", "diagnostics"), allowed=(0, 1))}


def run(tree: Path, scratch: Path) -> dict[str, float]:
    """A tiny run from its start to its first latency, and the memory of its parent to the end."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=scratch) as out:
        began = time.perf_counter()
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(0.01):
                for file in Path(out).glob("runs/*/records.jsonl"):
                    lines = file.read_text().splitlines()
                    steps = [json.loads(line)["step"] for line in lines if line.endswith("}")]
                    if "latency" in steps:
                        found["first sample"] = time.perf_counter() - began
                        return

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            arguments = ("--models", "mlp", "--size", "tiny", "--backend", "eager")
            options = (*arguments, "--plan", "quick", "--out", out)
            _, found["run memory"] = with_peak(
                tree, scratch, "pytest", "bench", "-q", "-p", "no:cacheprovider", *options
            )
        finally:
            is_over.set()
            watcher.join()
    return found


def report(tree: Path, scratch: Path) -> dict[str, float]:
    """The report of a large run that the tree's own test folder makes."""
    folder = scratch / f"{tree.name}-run" / "20261124-000000-large"
    if not folder.exists():
        cpu_seconds(start(tree, "-c", MAKE_RUN, str(folder), str(CELLS)))
    page = str(scratch / "report.html")
    command = ("bench", "report", str(folder), "--format", "html", "--out", page)
    seconds, peak = with_peak(tree, scratch, *command)
    return {"report": seconds, "report memory": peak}


MEASUREMENTS = {"collect": collect, "doctor": doctor, "run": run, "report": report}


@contextlib.contextmanager
def checkout(ref: str, folder: Path):
    """The files of that commit below `folder`, as long as the block lasts."""
    tree = folder / "base"
    git = ("git", "-C", str(ROOT), "worktree")
    subprocess.run([*git, "add", "--quiet", "--detach", str(tree), ref], check=True)
    try:
        yield tree
    finally:
        subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ref", help="the older commit")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, default=list(MEASUREMENTS))
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="vitals-speed-") as name,
        checkout(given.ref, Path(name)) as base,
    ):
        scratch = Path(name)
        seen = defaultdict(lambda: {"base": [], "head": []})
        trees = {"base": base, "head": ROOT}
        for measure in (MEASUREMENTS[only] for only in given.only):
            for number in range(given.rounds + 1):
                order = list(trees.items())[:: -1 if number % 2 else 1]
                for arm, tree in order:
                    for what, value in measure(tree, scratch).items():
                        if number:  # the first one waits for files and writes the byte code
                            seen[what][arm].append(value)
    failed = False
    print(
        f"{'':14} {'base':>9} {'here':>9} {'ratio':>6}  goal   ({given.ref}, {given.rounds} rounds)"
    )
    for what, sides in seen.items():
        base, head = statistics.median(sides["base"]), statistics.median(sides["head"])
        # The pairs of one round have met the same moment of the machine.
        pairs = zip(sides["base"], sides["head"], strict=True)
        ratio = statistics.median(after / before for before, after in pairs)
        unit = "MB" if what.endswith("memory") else "s"
        is_met = ratio <= GOALS[what]
        failed |= not is_met
        print(
            f"{what:14} {base:6.2f} {unit:2} {head:6.2f} {unit:2} {ratio:6.2f}"
            f"  {GOALS[what]:.2f} {'met' if is_met else 'MISSED'}"
        )
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
