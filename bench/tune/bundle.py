"""The reproduction bundle: the chosen lane as files and a script that runs and checks it without this project."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.instruments.options import BundleOptions
from bench.instruments.results import BundleResult
from bench.output.json_text import to_json
from bench.paired_ratio import PROCESS_SPREAD
from bench.tune.lanes import Candidate
from diagnostics.codec import encode
from suite.axes import QUANTIZE, VARIANTS
from suite.engine.session import Session

RUNNER: Final = "bench.instruments.bundle:run"
SCRIPT: Final = "run.py"
FACTS: Final = "bundle.json"
REPLAYS: Final = 5
"""Fresh processes whose times give the latency interval."""
DEADLINE: Final = 300.0
"""Seconds that one replay may take: a compilation is part of it."""
AGREES, DIFFERS, SLOWER = 0, 1, 2
"""Exit codes of the script: answers and latency are as recorded; answers differ; latency is outside of its interval."""
QUANTIZED_TOLERANCE: Final = 0.05
TOLERANCES: Final = {"float32": 1e-3, "bfloat16": 0.03, "float16": 0.01}
"""Dtype -> relative error of an output, as a norm, within which another CPU's kernels answer the same."""

TEMPLATE: Final = '''\
"""{title}: does it still answer, and run, as it was measured?

python run.py: exit code 0 yes, 1 other answers, 2 another latency. Python {python}, {pins}.
"""
import json, sys, time
from importlib.metadata import version
from pathlib import Path
import numpy as np
{imports}

here = Path(__file__).resolve().parent
facts = json.loads((here / "bundle.json").read_text())
for name, pinned in facts["versions"].items():
    if version(name) != pinned:
        print(f"! {{name}} is {{version(name)}} and was {{pinned}}: pip install -r requirements.txt")
inputs = dict(np.load(here / "inputs.npz"))
expected = [array.astype(np.float64) for array in np.load(here / "outputs.npz").values()]
{lines}

found = [np.asarray(array, dtype=np.float64) for array in arrays(call())]
is_alike = [one.shape for one in found] == [one.shape for one in expected]
norm = np.linalg.norm
error = max((norm(a - b) / (norm(b) or 1) for a, b in zip(found, expected)), default=0) if is_alike else np.inf
times, end = [], time.perf_counter() + facts["seconds"]
while len(times) < 20 or time.perf_counter() < end:
    begin = time.perf_counter()
    call()
    times.append(time.perf_counter() - begin)
seconds = float(np.median(times[len(times) // 2 :]))  # the first half warms it up
low, high = facts.get("latency") or (0, np.inf)
agrees, is_in = bool(error <= facts["tolerance"]), low <= seconds <= high
print(f"outputs {{'agree' if agrees else 'DIFFER'}}: relative error {{error:.2g}} of {{facts['tolerance']:g}}")
where = f"{{'in' if is_in else 'OUTSIDE OF'}} {{1e3 * low:.4g}} to {{1e3 * high:.4g}} ms"
print(f"latency {{1e3 * seconds:.4g}} ms, {{where}}")
if "--json" in sys.argv:
    print(json.dumps({{"seconds": seconds, "error": float(error)}}))
sys.exit(1 if not agrees else 0 if is_in else 2)
'''


class BundleError(RuntimeError):
    """The bundle could not be written, or does not answer as the lane did; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle on disk that has been replayed."""

    folder: Path
    latency: tuple[float, float]
    """Interval in seconds in which the latency of one more fresh process lies, 95%."""
    error: float
    """Largest relative error of an output in the replays."""


def write_bundle(
    session: Session, candidate: Candidate, folder: Path, title: str, facts: Mapping[str, Any]
) -> Bundle:
    """Write the lane to `folder` and replay it in fresh processes, whose times give its latency interval.

    `facts` are written down beside. Raises BundleError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(
            f"--bundle {folder}: cannot be written ({error.strerror}); name another folder"
        ) from error
    cell, own = candidate.cell, {"made_in": "float32" if candidate.cell.dtype != "float32" else ""}
    record = session.job(
        cell,
        "bundle",
        runner=RUNNER,
        result=BundleResult,
        options={
            **encode(BundleOptions(folder=str(folder.resolve()))),
            "threads": candidate.threads,
            **own,
        },
    )
    made = record.result
    if not record.outcome.has_run or not isinstance(made, BundleResult):
        failure = record.failure
        raise BundleError(failure.message.strip() if failure else record.outcome.value)
    is_quantized = VARIANTS[cell.variant].stage == QUANTIZE
    known = {
        "title": title,
        "cell": cell.as_dict(),
        "threads": candidate.threads,
        "python": platform.python_version(),
        "versions": made.versions,
        "tolerance": QUANTIZED_TOLERANCE if is_quantized else TOLERANCES[cell.dtype],
        "seconds": 1.0,
        **facts,
    }
    (folder / SCRIPT).write_text(script_of(title, made), encoding="utf-8")
    pins = "".join(f"{name}=={version}\n" for name, version in made.versions.items())
    (folder / "requirements.txt").write_text(pins, encoding="utf-8")
    (folder / FACTS).write_text(to_json(known), encoding="utf-8")
    answers = [replay(folder) for _ in range(REPLAYS)]
    interval = prediction([answer["seconds"] for answer in answers])
    (folder / FACTS).write_text(to_json({**known, "latency": interval}), encoding="utf-8")
    return Bundle(folder=folder, latency=interval, error=max(answer["error"] for answer in answers))


def script_of(title: str, made: BundleResult) -> str:
    """Return the script that replays the bundle."""
    return TEMPLATE.format(
        title=title,
        python=platform.python_version(),
        pins=", ".join(f"{name} {version}" for name, version in made.versions.items()),
        imports="\n".join(made.imports),
        lines="\n".join(made.lines),
    )


def replay(folder: Path) -> dict[str, float]:
    """Run the script in a fresh process that cannot see this project's folder; raises BundleError if it answers
    otherwise than the lane did.
    """
    hidden = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(
            [sys.executable, "-P", str((folder / SCRIPT).resolve()), "--json"],
            cwd=folder,
            env=hidden,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"{folder / SCRIPT} was not done after {DEADLINE:g} s") from error
    if done.returncode != AGREES:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise BundleError(f"{folder / SCRIPT}: {said[-1] if said else done.returncode}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def prediction(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the interval in which the time of one more process lies, 95%: Student's t on the logarithms, and no
    narrower than two processes of equal code differ. Raises ValueError for fewer than two values.
    """
    from scipy.stats import t

    logs, num = [math.log(value) for value in seconds], len(seconds)
    if num < 2:
        raise ValueError(f"an interval of {num} values; expected two or more")
    mean = math.fsum(logs) / num
    variance = math.fsum((value - mean) ** 2 for value in logs) / (num - 1)
    half = float(t.ppf(0.975, num - 1)) * math.sqrt(variance * (1 + 1 / num))
    half = math.hypot(half, math.log1p(PROCESS_SPREAD))
    return math.exp(mean - half), math.exp(mean + half)
