"""`python -m bench COMMAND`: what can be done with runs after they are measured."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from bench import advise
from bench.graph_diff import command as graphs
from bench.history import command as history
from bench.output.console import tolerate_encoding
from bench.report import command as report
from bench.review import command as review

COMMANDS: Final = {
    "report": (report, "show an earlier run: terminal, HTML, Markdown or JSON"),
    "graphs": (graphs, "compare two ONNX graphs: nodes, operators, bytes, weights, pictures"),
    "review": (review, "look at every graph in Netron with our numbers, and compare them"),
    "advise": (advise, "which state of a model to ship under limits, from stored runs"),
    "history": (history, "draw trends over many runs, find what changed; record, import, export"),
}
"""Name -> (module with `configure(parser)` and `main(arguments) -> exit code`, one line of help)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Look at benchmark runs. To make one: pytest bench",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        module.configure(commands.add_parser(name, help=text, description=text))
    for stream in (sys.stdout, sys.stderr):
        tolerate_encoding(stream)
    arguments = parser.parse_args(argv)
    module, _ = COMMANDS[arguments.command]
    return int(module.main(arguments))


if __name__ == "__main__":
    sys.exit(main())
