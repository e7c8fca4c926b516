"""`python -m bench COMMAND`: what can be done with runs after they are measured."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from bench.output.console import tolerate_encoding
from diagnostics.control_codes import calm_errors

COMMANDS: Final = {
    "report": ("bench.report.command", "show an earlier run: terminal, HTML, Markdown or JSON"),
    "graphs": (
        "bench.graph_diff.command",
        "compare two ONNX graphs: nodes, operators, bytes, weights, pictures",
    ),
    "review": (
        "bench.review.command",
        "look at every graph in Netron with our numbers, and compare them",
    ),
    "advise": (
        "bench.advise",
        "which state of a model to ship under limits, from stored runs",
    ),
    "why": (
        "bench.why",
        "why a graph or a lane is slow: the cause, its evidence, the cure",
    ),
    "tune": (
        "bench.tune.command",
        "which lane to ship under limits, measured now, with a bundle that repeats it",
    ),
    "history": (
        "bench.history.command",
        "draw trends over many runs, find what changed; record, import, export",
    ),
}
"""Name -> (module with `configure(parser)` and `main(arguments) -> exit code`, one line of help). A module is imported
when its command is named: together they take longer than most commands."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Look at benchmark runs. To make one: pytest bench",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    named = next(iter(sys.argv[1:] if argv is None else argv), "")
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        if name == named:
            import_module(module).configure(command)
    for stream in (sys.stdout, sys.stderr):
        tolerate_encoding(stream)
    arguments = parser.parse_args(argv)
    module, _ = COMMANDS[arguments.command]
    with calm_errors():
        return int(import_module(module).main(arguments))


if __name__ == "__main__":
    code = main()
    gc.freeze()  # the process ends: a large report need not be searched for cycles once more
    sys.exit(code)
