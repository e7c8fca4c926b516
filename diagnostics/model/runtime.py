"""Asks the installed ONNX Runtime, in a process of its own, whether it loads a file."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 60.0
SIZE_LIMIT = 2 * 10**9
"""Bytes of a model with its weights above which it is not loaded just to ask."""

PROGRAM = """
import sys
import onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
options.intra_op_num_threads = 1
try:
    onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
except Exception as error:
    print(onnxruntime.__version__)
    print(str(error)[:2000])
    sys.exit(7)
print(onnxruntime.__version__)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What ONNX Runtime did with a file."""

    version: str = ""
    """Empty when it could not be asked."""
    loads: bool = False
    message: str = ""
    """Its own words when it refused; else why it was not asked."""


def ask(path: Path, size: int) -> Answer:
    """Return whether a CPU session can be made of a file of `size` bytes (weights included)."""
    if size > SIZE_LIMIT:
        return Answer(message=f"the model has {size / 1e9:.1f} GB")
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        return Answer(message=f"it took more than {TIMEOUT_SECONDS:.0f} s")
    except OSError as error:
        return Answer(message=str(error))
    version, _, message = done.stdout.partition("\n")
    if done.returncode == 0:
        return Answer(version=version.strip(), loads=True)
    if done.returncode == 7:
        return Answer(version=version.strip(), message=message.strip())
    if done.returncode < 0:
        return Answer(message=f"its process was ended by signal {-done.returncode}")
    return Answer(message=(done.stderr.strip().splitlines() or ["it cannot be imported"])[-1])
