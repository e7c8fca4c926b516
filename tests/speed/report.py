"""Time, memory and size of a large report: `python tests/speed/report.py [--cells 2000] [--against COMMIT]`.

Builds and writes the report of a made-up run in a process of its own. With `--against`, an older commit does the same
in a worktree beside this tree, the two take turns, and the medians of their ratios are printed: of seconds of processor
time (other work on the machine does not enter it) and of the peak of resident memory. Both have their modules and
templates compiled, as everybody has them but the first time. Goals: 5 s, 15 MB of page,
0.7 times the memory and half the time of commit 2c9357a. Where there is a Chromium, the page is opened and
scrolled from top to bottom.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from html import unescape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS, MEGABYTES, MEMORY_RATIO, TIME_RATIO = 5.0, 15.0, 0.7, 0.5
WRITE_RUN = """
import sys
from pathlib import Path
sys.path[:0] = [".", "tests/bench"]
from report_runs import MODELS, write_run
folder, cells = Path(sys.argv[1]), int(sys.argv[2])
write_run(folder, models=tuple(
    (f"{MODELS[n % len(MODELS)][0]}_{n}", *MODELS[n % len(MODELS)][1:]) for n in range(cells // 2)
))
"""
"""Each tree writes its run itself: an older one does not read the records of a newer one."""
SCROLL = """(async () => {
  const frames = [], height = document.documentElement.scrollHeight;
  let last = performance.now();
  for (let step = 0; step <= 60; step++) {
    scrollTo({ top: height * step / 60, behavior: "instant" });
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
  }
  frames.sort((a, b) => a - b);
  return [frames[30], frames[frames.length - 1]];
})()"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one process took that made the report."""

    wall: float
    processor: float
    peak: int
    """Bytes of resident memory."""


def main() -> int:
    """Print the figures; 1 when a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep the page here")
    parser.add_argument("--against", metavar="COMMIT", help="compare with this commit")
    parser.add_argument("--rounds", type=int, default=5, help="turns of both trees")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch, "report.html")
        run = write_run(ROOT, Path(scratch, "20261124-000000-large"), arguments.cells)
        cost = measure(ROOT, run, page)
        size = page.stat().st_size / 1e6
        print(f"{arguments.cells:,} cells: {cost.wall:.2f} s (goal {SECONDS:g}),")
        print(f"{cost.processor:.2f} s of processor time, peak {cost.peak / 1e6:.0f} MB,")
        print(f"page of {size:.1f} MB (goal {MEGABYTES:g})")
        missed = size > MEGABYTES or cost.processor > SECONDS
        if arguments.against:
            missed |= not compare(arguments, Path(scratch), run)
        look_if_possible(page.read_text(encoding="utf-8"))
        if arguments.keep:
            page.replace(arguments.keep)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return int(missed)


def write_run(tree: Path, folder: Path, cells: int) -> Path:
    """Let the tree write a made-up run of so many cells; return its folder."""
    command = [sys.executable, "-c", WRITE_RUN, str(folder), str(cells)]
    subprocess.run(command, cwd=tree, check=True)
    return folder


def measure(tree: Path, run: Path, page: Path) -> Cost:
    """Make the report of the run by the tree's own command."""
    command = [sys.executable, "-m", "bench", "report", str(run), "--format", "html"]
    began = time.perf_counter()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        [*command, "--out", str(page)], cwd=tree, env=environment, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{tree}: the report ended with {process.returncode}")
    return Cost(wall=wall, processor=used.ru_utime + used.ru_stime, peak=used.ru_maxrss * 1024)


def compare(arguments: argparse.Namespace, scratch: Path, run: Path) -> bool:
    """Print the ratios to the older commit; True when both goals are met."""
    tree = scratch / "older"
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "-q", "--detach", str(tree), arguments.against], check=True)
    try:
        before = write_run(tree, scratch / "20261124-000000-older", arguments.cells)
        measure(ROOT, run, scratch / "a.html")
        measure(tree, before, scratch / "b.html")
        pairs = [
            (measure(ROOT, run, scratch / "a.html"), measure(tree, before, scratch / "b.html"))
            for _ in range(arguments.rounds)
        ]
    finally:
        subprocess.run([*git, "remove", "--force", str(tree)], check=True)
    seconds = statistics.median(new.processor / old.processor for new, old in pairs)
    memory = statistics.median(new.peak / old.peak for new, old in pairs)
    middle = statistics.median(old.peak for _, old in pairs)
    print(f"against {arguments.against}, median of {arguments.rounds} turns:")
    print(f"time {seconds:.2f} times (goal {TIME_RATIO:g}),")
    print(f"memory {memory:.2f} times its {middle / 1e6:.0f} MB (goal {MEMORY_RATIO:g})")
    return seconds <= TIME_RATIO and memory <= MEMORY_RATIO


def look_if_possible(text: str) -> None:
    """Print seconds until the page is loaded, and milliseconds of a frame while it is scrolled."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "bench")]
    from pages import page

    from bench.netron.errors import BrowserMissing
    from bench.netron.server import Answer, Server

    policy = unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])
    answer = Answer(kind="text/html; charset=utf-8", body=text.encode(), policy=policy)
    try:
        with page() as seen, Server({"report.html": answer}) as server:
            began = time.perf_counter()
            seen.open(f"{server.address}report.html")
            loaded = time.perf_counter() - began
            middle, worst = seen.run(SCROLL)
    except BrowserMissing as error:
        print(f"not looked at: {error}")
        return
    print(f"loaded {loaded:.2f} s, a frame while scrolling {middle:.0f} ms, the worst {worst:.0f}")


if __name__ == "__main__":
    sys.exit(main())
