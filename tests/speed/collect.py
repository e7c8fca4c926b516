"""How long collecting takes: the whole catalogue, and 1,000 names against an older commit.

python tests/speed/collect.py               the catalogue: wall clock beside a pytest that collects one empty file
python tests/speed/collect.py 2c9357a       1,000 names of timm here, against 1,000 records there

The first prints the median of `pytest bench --collect-only`; goal: 1 s or less. The older commit knows no names of
libraries: what it could collect is a models file with 1,000 records of the same form, and this commit collects that
file too. Rounds alternate; the names have been described before, as from the second run on. Processor seconds of the
command and its processes; goal: 1.2 times the older ones or less.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from house import checkout

ROUNDS = 7
NUM_NAMES = 1000
TURNS = 5
GOAL = 1.2
ROOT = Path(__file__).parents[2]
RECORDS = """
from suite.spec import Export, ModelSpec, Size


def build():
    raise RuntimeError("is not built when it is collected")


MODELS = tuple(
    ModelSpec(
        name=f"mine_{{number:04d}}",
        family="mine",
        task="image_classification",
        build=build,
        outputs=("logits",),
        sizes={{"base": Size(inputs={{"side": 224, "channels": 3, "classes": 1000}})}},
        export=Export(dynamic={{"x": {{0: "batch"}}}}),
        source="https://github.com/huggingface/pytorch-image-models",
    )
    for number in range({count})
)
"""


def median_seconds(arguments: list[str], folder: Path) -> float:
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=folder,
            capture_output=True,
            check=False,
        )
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def catalogue() -> None:
    whole = median_seconds(["bench", "--collect-only", "-q"], ROOT)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing(): pass\n")
        empty = median_seconds(["--collect-only", "-q"], Path(folder))
    print(f"pytest bench --collect-only: {whole:.2f} s; pytest with one empty test: {empty:.2f} s")
    print(f"ratio: {whole / empty:.1f}x; goal of 1 s:", "met" if whole <= 1 else "MISSED")


def processor_seconds(tree: Path, arguments: list[str]) -> float:
    """Processor seconds of a collection by that tree's code, its processes included."""
    command = [sys.executable, "-m", "pytest", "bench", "--collect-only", "-q", *arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(
            f"{' '.join(command[:8])} ...: exit code {done.returncode}\n{done.stdout[-800:]}{done.stderr[-800:]}"
        )
    print(f"  {tree.name}: {done.stdout.strip().splitlines()[-1]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def thousand(ref: str) -> None:
    names = _names()
    with tempfile.TemporaryDirectory() as name, checkout(ref, Path(name)) as base:
        file = Path(name, "many.py")
        file.write_text(RECORDS.format(count=NUM_NAMES), encoding="utf-8")
        out = ["--out", str(Path(name, "out"))]
        records = [*out, "--models-from", str(file), "--models", "mine_*"]
        arms = {
            f"records at {ref}": (base, records),
            "records here": (ROOT, records),
            "names of timm here": (ROOT, [*out, "--models", names]),
        }
        found: dict[str, list[float]] = {arm: [] for arm in arms}
        for turn in range(TURNS + 1):  # the first describes the names, and does not count
            for arm, (tree, arguments) in arms.items():
                seconds = processor_seconds(tree, arguments)
                if turn:
                    found[arm].append(seconds)
    middle = {arm: statistics.median(values) for arm, values in found.items()}
    first = next(iter(middle.values()))
    for arm, seconds in middle.items():
        ratio = seconds / first
        told = (
            ""
            if arm.endswith(ref)
            else f", {ratio:.2f} times, goal of {GOAL}: {'met' if ratio <= GOAL else 'MISSED'}"
        )
        print(f"{NUM_NAMES} {arm}: {seconds:.2f} s of processor time{told}")


def _names() -> str:
    """The first 1,000 models of timm, with commas."""
    code = f"import timm; print(','.join(f'timm:{{n}}' for n in sorted(timm.list_models())[:{NUM_NAMES}]))"
    listed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return listed.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ref", nargs="?", default="", help="older commit: 1,000 names against it")
    asked = parser.parse_args()
    if asked.ref:
        thousand(asked.ref)
    else:
        catalogue()


if __name__ == "__main__":
    main()
