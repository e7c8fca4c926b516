"""Coverage-guided fuzzing of every reader with atheris: inputs that reach new code are kept and changed further.

    python tests/faults/fuzz.py --inputs 10000        # in all, spread over the readers, each in a process of its own

Prints one JSON line a reader. Without atheris (a wheel for Linux on x86-64, Python 3.11 to 3.13) it says so and ends
with 3. What is found is an error of ours: an exception that is no sentence, 20 s of processor, or more memory than ten
times the file and 24 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

MISSING = 3
"""Exit code where atheris is not installed."""
OURS = ("suite", "bench", "diagnostics")
"""Packages whose branches guide the search."""
SECONDS = 600


def fuzz(name: str, inputs: int, seeds: Path) -> None:
    """Fuzz one reader in this process; libFuzzer ends it with its own exit code."""
    import atheris

    with atheris.instrument_imports(include=[*OURS], enable_loader_override=False):
        from guards import Guard
        from readers import accept, readers

        reader = next(one for one in readers() if one.name == name)
        for source in reader.sources:
            accept(reader, source)  # what is imported on the way is then instrumented as well
    counts = [0, 0]

    def one(data: bytes) -> None:
        counts[0] += 1
        try:
            with Guard(reader.name, len(data)):
                counts[1] += accept(reader, data)
        except BaseException:
            print(f"@@found {data!r}", file=sys.stderr)
            traceback.print_exc()  # last: the end is what is kept
            raise
        finally:
            if counts[0] % 10 == 0:
                Path(seeds.parent, "counts").write_text(json.dumps(counts))

    options = [f"-runs={inputs}", "-max_len=65536", "-print_final_stats=0", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={seeds.parent}/", str(seeds)], one)
    atheris.Fuzz()


def fuzz_apart(name: str, inputs: int, sources: list[bytes]) -> dict[str, object]:
    """Fuzz one reader in a process of its own; how many inputs there were, and what was found."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        seeds = Path(folder, "seeds")
        seeds.mkdir()
        for number, source in enumerate(sources):
            (seeds / str(number)).write_bytes(source)
        done = subprocess.run(
            [sys.executable, __file__, "--reader", name, "--inputs", str(inputs), "--seeds", seeds],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env={**os.environ, "TMPDIR": folder},
            errors="replace",
        )
        counts = [0, 0]
        if Path(folder, "counts").exists():
            counts = json.loads(Path(folder, "counts").read_text())
        found = done.stderr[-6000:] if done.returncode else ""
    return {"reader": name, "inputs": max(counts[0], 0), "read": counts[1], "found": found}


def main() -> int:
    """Fuzz all readers, or the one that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--reader", default="")
    parser.add_argument("--seeds", type=Path)
    asked = parser.parse_args()
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("atheris is not installed: pip install 'torch-vitals[fuzz]'", file=sys.stderr)
        return MISSING
    if asked.seeds is not None:
        fuzz(asked.reader, asked.inputs, asked.seeds)
        return 0
    from readers import readers, remove_folder

    known = [one for one in readers() if asked.reader in one.name]
    failed = False
    for reader in known:
        result = fuzz_apart(reader.name, asked.inputs // len(known), list(reader.sources))
        failed |= bool(result["found"])
        print(json.dumps(result), flush=True)
    remove_folder()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
