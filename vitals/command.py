"""The command `vitals`: every command of the three packages by one name, from any folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One word behind `vitals`."""

    runner: str
    """`module:function`, imported when the word is typed: it takes arguments and returns an exit code."""
    prefix: tuple[str, ...] = ()
    """Arguments in front of the user's."""
    text: str
    """What it does, in one line of help."""


DOCTOR: Final = "diagnostics.cli:main"
RUNS: Final = "bench.__main__:main"
MODELS: Final = "suite.__main__:main"
MEASURE: Final = "vitals.pytest_run:main"

COMMANDS: Final = {
    "doctor": Command(runner=DOCTOR, text="what is wrong with this Python, PyTorch and CUDA"),
    "bench": Command(runner=MEASURE, prefix=("bench",), text="measure models, leave one report"),
    "suite": Command(
        runner=MEASURE,
        prefix=("suite",),
        text="take models through their life: train, prune, quantize, export",
    ),
    "gate": Command(
        runner="vitals.pytest_run:gate", text="fail where this version is slower than REF"
    ),
    "report": Command(runner=RUNS, prefix=("report",), text="show an earlier run"),
    "review": Command(runner=RUNS, prefix=("review",), text="look at graphs in Netron"),
    "graphs": Command(runner=RUNS, prefix=("graphs",), text="compare two ONNX graphs"),
    "advise": Command(runner=RUNS, prefix=("advise",), text="which state of a model to ship"),
    "why": Command(runner=RUNS, prefix=("why",), text="why a graph is slow in ONNX Runtime"),
    "tune": Command(runner=RUNS, prefix=("tune",), text="measure which lane of a model to ship"),
    "history": Command(runner=RUNS, prefix=("history",), text="trends over many runs"),
    "list": Command(runner=MODELS, prefix=("list",), text="the models that are built in"),
    "show": Command(runner=MODELS, prefix=("show",), text="the tree of a model's modules"),
    "check": Command(
        runner=MODELS,
        prefix=("check",),
        text="whether a file of models, or a name, builds and runs",
    ),
    "new": Command(runner=MODELS, prefix=("new",), text="write a record of a model to start from"),
    "explain": Command(runner=DOCTOR, prefix=("explain",), text="an error text to its cause"),
    "lint": Command(
        runner=DOCTOR, prefix=("lint",), text="an installation before it is made: does it fit?"
    ),
    "model": Command(runner=DOCTOR, prefix=("model",), text="why a model file does not load"),
    "fit": Command(runner=DOCTOR, prefix=("fit",), text="whether a model fits a GPU's memory"),
    "run": Command(runner=DOCTOR, prefix=("run",), text="run a command, explain what goes wrong"),
    "mcp": Command(runner=DOCTOR, prefix=("mcp",), text="serve the doctor's checks to programs"),
}
"""Word -> command, in the order of the help."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name and return its exit code; 2 if there is none of that name."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"torch-vitals {version('torch-vitals')}")
        return 0
    command = COMMANDS.get(words[0])
    if command is None:
        print(f"vitals {words[0]}: no such command{_near(words[0])}", file=sys.stderr)
        return 2
    module, _, function = command.runner.partition(":")
    try:
        run = getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        # The doctor needs the standard library alone; everything else says what is missing.
        print(
            f"vitals {words[0]}: {error.name} is not installed."
            f" Next: {sys.executable} -m pip install torch-vitals",
            file=sys.stderr,
        )
        return 2
    return int(run([*command.prefix, *words[1:]]))


def usage() -> str:
    """Return the help: every command in one line."""
    width = max(map(len, COMMANDS))
    rows = [f"  {name:{width}}  {command.text}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: vitals COMMAND [OPTIONS]",
            "",
            *rows,
            "",
            "vitals COMMAND --help shows its options",
        ]
    )


def _near(word: str) -> str:
    from difflib import get_close_matches  # an error may take its time

    near = get_close_matches(word, COMMANDS, n=2, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else f"; expected {', '.join(COMMANDS)}"
