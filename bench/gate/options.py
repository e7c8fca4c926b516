"""The gate's options of `pytest bench`, and which cannot be combined."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.gate.cause import TIME
from bench.gate.errors import GateError
from bench.gate.witness import WITNESSES
from bench.instruments.options import DATALOADER, GENERATE, LATENCY, TRAINING
from diagnostics.did_you_mean import did_you_mean
from suite.runs.folder import is_run

GATED: Final = (LATENCY, TRAINING, DATALOADER, GENERATE)
"""Steps whose time can be compared."""
ALL: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOptions:
    """The gate's options as given."""

    against: str = ""
    python: str = ""
    selftest: bool = False
    is_strict: bool = False
    witness: str = TIME
    is_forced: bool = False
    """Whether to measure although nothing that is measured differs."""
    steps: tuple[str, ...] = (LATENCY,)
    """Steps whose time is compared."""

    @property
    def is_gate(self) -> bool:
        """True if two versions are to be compared."""
        return bool(self.against or self.python)


def add_options(parser: Any) -> None:
    """Adds `--against`, `--against-python` and `--selftest` to pytest's parser."""
    group = parser.getgroup("torch-vitals")
    group.addoption(
        "--against",
        default=None,
        metavar="REF",
        help="compare with a git ref (HEAD: the uncommitted changes) or another source tree; exit code 1 = regressed",
    )
    group.addoption(
        "--against-python",
        dest="against_python",
        default="",
        metavar="PATH",
        help="compare with another interpreter: should I upgrade torch?",
    )
    group.addoption(
        "--witness",
        default=TIME,
        metavar="NAME",
        help="time (default); instructions: count those of every row too, which sees one per cent on any"
        " machine; auto: those of rows that time cannot judge",
    )
    group.addoption(
        "--gated",
        default=LATENCY,
        metavar="STEPS",
        help=f"steps whose time is compared: {', '.join(GATED)}, or all",
    )
    group.addoption(
        "--anyway",
        action="store_true",
        help="measure although no file that is measured differs between the versions",
    )
    group.addoption(
        "--selftest",
        action="store_true",
        help="what a gate on this machine can see: false alarms, recall, minimum detectable effect",
    )


def parse_options(option: Any, arguments: list[str], started_in: Path) -> GateOptions:
    """Check the gate's options and files. Raises GateError naming the option.

    `--strict` belongs to pytest, so it is searched for among the arguments.
    """
    if option.against == "":
        raise GateError(
            "--against: is empty; expected a git ref or a folder. Next: if it is a variable of your CI, look whether"
            " it is set"
        )
    asked = GateOptions(
        against=option.against or "",
        python=_interpreter(option.against_python, started_in),
        selftest=option.selftest,
        is_strict="--strict" in arguments,
        witness=option.witness,
        is_forced=option.anyway,
        steps=_steps(option.gated),
    )
    if asked.witness not in WITNESSES:
        raise GateError(
            f"--witness {asked.witness}: expected {', '.join(WITNESSES)}{did_you_mean(asked.witness, WITNESSES)}"
        )
    if asked.witness != TIME and not (asked.is_gate or asked.selftest):
        raise GateError(
            f"--witness {asked.witness}: judges two versions; expected --against REF beside it, or --selftest"
        )
    if asked.selftest and asked.is_gate:
        raise GateError(
            "--selftest measures this machine, --against two versions: give one of them"
        )
    if asked.is_gate and option.resume is not None:
        raise GateError(
            "--against cannot be resumed: its two arms have to share their moments; leave --resume out"
        )
    if asked.against and is_run(started_in / asked.against):
        raise GateError(
            f"--against {asked.against}: is a recorded run, and times of another job cannot be compared with"
            " this one's; expected a git ref or a source tree."
            " Next: python -m bench history shows recorded runs side by side"
        )
    if asked.against and (started_in / asked.against).is_file():
        raise GateError(
            f"--against {asked.against}: is a file; expected a git ref or a folder with the other version"
        )
    return asked


def _steps(text: str) -> tuple[str, ...]:
    """Return the steps that are compared, in the order of GATED. Raises GateError for one that does not exist."""
    asked = [name.strip() for name in text.split(",")]
    for name in asked:
        if name not in (*GATED, ALL):
            raise GateError(
                f"--gated {name}: expected {', '.join(GATED)} or {ALL}{did_you_mean(name, [*GATED, ALL])}"
            )
    return GATED if ALL in asked else tuple(name for name in GATED if name in asked)


def _interpreter(path: str, started_in: Path) -> str:
    """Return the interpreter's path without resolving links: in a virtual environment it links to another one."""
    if not path:
        return ""
    found = shutil.which(path, path=os.environ.get("PATH")) if os.sep not in path else None
    place = Path(found) if found else Path(os.path.abspath(started_in / path))  # noqa: PTH100
    if place.is_dir():
        inside = [
            place / part for part in ("bin/python", "Scripts/python.exe") if (place / part).exists()
        ]
        if not inside:
            raise GateError(
                f"--against-python {path}: is a folder without bin/python; expected an interpreter"
                " or a virtual environment"
            )
        place = inside[0]
    if not place.is_file() or not os.access(place, os.X_OK):
        raise GateError(
            f"--against-python {path}: no such program; expected the path of a Python interpreter,"
            " e.g. other-venv/bin/python"
        )
    return str(place)
