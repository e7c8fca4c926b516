"""The default job of this tree beside that of an older commit: `python tests/speed/main_job.py REF [--size SIZE]`.

Both run `pytest bench` by this interpreter, one after the other on one machine, each from an empty output folder: cold
export cache, no history. The older commit is checked out into a worktree. Prints the seconds of each by phase and the
ratios, the CPU seconds (a busy machine stretches the others), and the pairs of backends that each of the two decided:
  set-up     from the start to the first step: collection, doctor, imports
  exporting  to the end of the last export (here with the graphs' analysis beside it, if the tree does so)
  measuring  to the end of the last step
  analysis   to the last file about a graph: spreads, profile, pictures
  report     to the prompt
A phase that overlaps another counts up to where the next begins. Behind them come the seconds of steps by kind, and of
the exports by phase, from both runs' records (exports overlap each other), and in how many moments the expected rest
was within 30%, or a thirtieth of the run, from its first tenth on. Options that are not named here go to both runs as
they are: `--models NAMES --size tiny --plan quick --data DIR`. Ends with 1 where a run broke, a step here did not pass,
or a pair that the older commit decided is open here.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from house import checkout
from run_split import expected_rest, kinds_of, rest_hits, split_table

ROOT = Path(__file__).resolve().parents[2]
STEP = re.compile(r"^\[\s*\d+/\d+\] \S+ (?P<outcome>.+?)  (?P<cell>\S+)  (?P<step>\S.*?)  ")
PHASES = ("set-up", "exporting", "measuring", "analysis", "report")
DECIDED = ("faster", "slower")
EXIT_CODES = (0, 1)
"""All passed, and some step did not: the older commit's own faults are no reason to compare nothing."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run, as seen from outside."""

    seconds: dict[str, float]
    """Phase -> wall seconds."""
    cpu_seconds: float
    """User and system time of the process and all that it started."""
    exit_code: int
    report: dict
    """Its own tree's JSON report."""
    kinds: dict[str, float]
    """Kind of step -> seconds of all its records."""
    rest: tuple[int, int]
    """Moments in which the expected rest was right, and moments."""

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def run_job(tree: Path, scratch: Path, options: list[str]) -> Job:
    """Run the default job of that tree to its prompt, and its JSON report; raises RuntimeError if it broke."""
    out = scratch / "out"
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "pytest", "bench", "-p", "no:cacheprovider"]
    began_at, began = time.time(), time.perf_counter()
    log = (scratch / "terminal.txt").open("wb")
    with (
        log,
        subprocess.Popen(
            [*command, *options, "--out", str(out)],
            cwd=tree,
            env=environment,
            stdout=log,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stderr is not None
        ends: list[tuple[str, float]] = []
        first = 0.0
        expected: list[tuple[float, float]] = []
        for line in process.stderr:  # a blocking read: nothing polls beside a timed cell
            if (rest := expected_rest(line)) is not None:
                expected.append((time.perf_counter() - began, rest))
            if found := STEP.match(line):
                ends.append((found["step"], time.perf_counter() - began))
                first = first or ends[0][1]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    total = time.perf_counter() - began
    runs = sorted((out / "runs").glob("*/records.jsonl"))
    if process.returncode not in EXIT_CODES or not runs or not ends:
        raise RuntimeError(
            f"`pytest bench {' '.join(options)}` of {tree} ended with {process.returncode}; expected"
            f" {' or '.join(map(str, EXIT_CODES))} and a run folder; its output is in {log.name}"
        )
    folder = runs[-1].parent
    opening = _seconds_of_first(runs[-1])
    marks = {
        "set-up": max(0.0, first - opening),
        "exporting": max((at for step, at in ends if step == "export"), default=first - opening),
        "measuring": max((at for step, at in ends if step != "export"), default=0.0),
        "analysis": _newest(folder) - began_at,
        "report": total,
    }
    seconds, before = {}, 0.0
    for phase in PHASES:
        end = max(before, min(marks[phase], total))
        seconds[phase], before = end - before, end
    text = subprocess.run(
        [sys.executable, "-m", "bench", "report", str(folder), "--format", "json"],
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    return Job(
        seconds=seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        exit_code=process.returncode,
        report=json.loads(text),
        kinds=kinds_of(runs[-1]),
        rest=rest_hits(expected, total),
    )


def _seconds_of_first(records: Path) -> float:
    """Seconds of the step that ended first."""
    with records.open(encoding="utf-8") as lines:
        return float(json.loads(next(lines)).get("seconds") or 0.0)


def _newest(folder: Path) -> float:
    """When the last file about a graph was written; 0 without one."""
    return max((f.stat().st_mtime for f in folder.glob("anatomy/*") if f.is_file()), default=0.0)


def speedups(report: dict) -> dict[tuple[str, str], dict]:
    """(row, backend) -> its speed-up over eager."""
    return {(row["id"], s["backend"]): s for row in report["rows"] for s in row["speedups"]}


def pair_lines(base: Job, head: Job) -> tuple[list[str], list[str]]:
    """Return (a line per pair of backends, the pairs that base decided and head did not)."""
    before, after = speedups(base.report), speedups(head.report)
    lines, lost = [], []
    for key in dict.fromkeys((*before, *after)):
        one, two = before.get(key), after.get(key)
        name = " ".join(key)
        lines.append(f"{name:56} {_ratio(one):>34} {_ratio(two):>34}")
        if one and one["verdict"] in DECIDED and (two is None or two["verdict"] not in DECIDED):
            lost.append(name)
    return lines, lost


def _ratio(speedup: dict | None) -> str:
    if speedup is None:
        return "-"
    low, high = speedup["low"], speedup["high"]
    interval = f" ({low:.2f} to {high:.2f})" if low and high else " (no interval)"
    return f"{speedup['verdict']} {speedup['ratio']:.2f}{interval}"


def table(ref: str, base: Job, head: Job) -> list[str]:
    """The seconds by phase, in all, and of the processor, with their ratios."""
    rows = [(phase, base.seconds[phase], head.seconds[phase]) for phase in PHASES]
    rows += [("in all", base.total, head.total), ("CPU", base.cpu_seconds, head.cpu_seconds)]
    lines = [f"{'':10} {ref[:12]:>12} {'here':>12} {'ratio':>6}"]
    for what, before, after in rows:
        ratio = f"{after / before:6.2f}" if before > 0.05 else "     -"
        lines.append(f"{what:10} {before:10.1f} s {after:10.1f} s {ratio}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ref", help="the older commit")
    parser.add_argument(
        "--keep",
        metavar="FILE",
        help="write both reports there as JSON, too, and both runs' records beside it",
    )
    parser.add_argument(
        "--data", metavar="FOLDER", help="the option of both runs, which run elsewhere"
    )
    given, options = parser.parse_known_args()
    if given.data:
        options += ["--data", os.path.abspath(given.data)]
    with (
        tempfile.TemporaryDirectory(prefix="vitals-speed-") as name,
        checkout(given.ref, Path(name)) as tree,
    ):
        jobs = {}
        for arm, place in (("base", tree), ("head", ROOT)):
            scratch = Path(name, f"{arm}-job")
            scratch.mkdir()
            jobs[arm] = run_job(place, scratch, options)
            print(f"{arm}: {jobs[arm].total:.0f} s, exit code {jobs[arm].exit_code}", flush=True)
            if given.keep:
                (records,) = (scratch / "out" / "runs").glob("*/records.jsonl")
                shutil.copy(records, f"{given.keep}.{arm}.jsonl")
            shutil.rmtree(scratch / "out")  # gigabytes, which crowd the other's page cache
    base, head = jobs["base"], jobs["head"]
    print("\n".join(table(given.ref, base, head)))
    print("\n".join(["", *split_table(given.ref, base.kinds, head.kinds)]))
    for name, job in ((given.ref[:12], base), ("here", head)):
        right, moments = job.rest
        share = f" ({right / moments:.0%})" if moments else ""
        print(f"expected rest of {name} right in {right} of {moments} moments{share}")
    lines, lost = pair_lines(base, head)
    print(f"\n{'pair':56} {given.ref[:12]:>34} {'here':>34}")
    print("\n".join(lines))
    print(f"\ndecided there and open here: {', '.join(lost) or 'none'}")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if given.keep:
        told = {"base": base.report, "head": head.report}
        Path(given.keep).write_text(json.dumps(told, indent=1), encoding="utf-8")
    return int(bool(lost) or head.exit_code != 0)


if __name__ == "__main__":
    sys.exit(main())
