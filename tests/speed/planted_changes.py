"""What the gate says of changes whose truth is known: `python tests/speed/planted_changes.py [--only NAME ...]`.

Every change is made in a fresh checkout of this commit, and `pytest bench --against HEAD` is run there as a user runs
it, while a second process loads one core on and off. Printed are the exit code, the seconds and what was said; ends
with 1 if a change was judged wrongly, named nothing it should name, or took longer than it may.

With the second witness a gate takes two to eight minutes: the libraries are imported under Valgrind.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from gate import load
from house import checkout

REGRESSED = 1
OPTIONS = ("--models", "cnn", "--size", "tiny", "--backend", "eager", "--plan", "quick")
WITNESS = ("--witness", "instructions")
FORWARD = "logits: Tensor = self.head(self.features(x).flatten(1))"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One edit, and what the gate has to say about it."""

    name: str
    file: str
    before: str
    after: str
    exit_code: int
    words: tuple[str, ...]
    options: tuple[str, ...] = ()
    limit: float = 1800.0
    """Seconds that it may take."""


CHANGES = (
    Change(
        name="documentation",
        file="docs/ci.md",
        before="# ",
        after="# Of ",
        exit_code=0,
        words=("same bytes, nothing to measure",),
        limit=20.0,
    ),
    Change(
        name="a test of another part",
        file="tests/suite/test_units.py",
        before='"""',
        after='"""Again. ',
        exit_code=0,
        words=("same bytes, nothing to measure",),
        limit=20.0,
    ),
    Change(
        name="a comment in the measured module",
        file="suite/nets/cnn.py",
        before=FORWARD,
        after=f"{FORWARD}  # as in the example",
        exit_code=0,
        words=("1 NO-REGRESSION", "more work by"),
        options=WITNESS,
    ),
    Change(
        name="one elementwise operation, +2%",
        file="suite/nets/cnn.py",
        before=FORWARD,
        after=FORWARD.replace("(x)", "(x + 0.0)"),
        exit_code=REGRESSED,
        words=("work grew by", "operator add_Tensor"),
        options=WITNESS,
    ),
)


def judged(change: Change, ref: str) -> bool:
    """Run the gate over the change, print what came of it; True if all is as it should be."""
    with (
        tempfile.TemporaryDirectory(prefix="vitals-planted-") as name,
        checkout(ref, Path(name)) as tree,
    ):
        file = tree / change.file
        text = file.read_text(encoding="utf-8")
        if change.before not in text:
            raise SystemExit(
                f"{change.file} has no {change.before!r}: this script is older than the tree"
            )
        file.write_text(text.replace(change.before, change.after, 1), encoding="utf-8")
        began = time.monotonic()
        command = [sys.executable, "-m", "pytest", "bench", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, "--against", "HEAD", *OPTIONS, *change.options],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        seconds = time.monotonic() - began
    said = done.stdout + done.stderr
    missing = [words for words in change.words if words not in said]
    is_right = done.returncode == change.exit_code and not missing and seconds <= change.limit
    print(
        f"{'right' if is_right else 'WRONG':6} {change.name}: exit code {done.returncode}"
        f" (expected {change.exit_code}), {seconds:.0f} s, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    for line in said.splitlines():
        if any(words in line for words in change.words):
            print(f"       {line.strip()}", flush=True)
    if missing:
        print(f"       not said: {missing}; the last words:\n{said[-2000:]}", flush=True)
    return is_right


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [change.name for change in CHANGES]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--ref", default="HEAD", help="the commit that the changes are made to")
    parser.add_argument("--quiet", action="store_true", help="no second process")
    given = parser.parse_args()
    with load(quiet=given.quiet):
        found = [judged(change, given.ref) for change in CHANGES if change.name in given.only]
    return int(not all(found))


if __name__ == "__main__":
    sys.exit(main())
