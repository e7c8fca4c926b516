"""`python -m bench graphs A.onnx B.onnx`: compare two graphs in the terminal, as JSON or as an HTML page."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.graph_diff.compare import compare
from bench.graph_diff.difference import Difference
from bench.graph_diff.document import to_json
from bench.graph_diff.weights import compare_files
from bench.netron.errors import DEADLINE, PictureError
from bench.onnx_graph.axes import parse_sizes
from bench.onnx_graph.errors import GraphError
from bench.onnx_graph.read import read
from bench.onnx_graph.record import Graph
from bench.output.console import print_to, write_text
from diagnostics.atomic_write import write_whole

if TYPE_CHECKING:
    from bench.graph_diff.pictures import Pair

DEFAULT: Final = Path("graphs.html")
DIFFERENT: Final = 1
TROUBLE: Final = 2
NEW_OBJECTS: Final = 50_000
"""New objects after which Python searches for cycles, instead of its 700 or 2,000."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("before", type=Path, metavar="A.onnx")
    parser.add_argument("after", type=Path, metavar="B.onnx")
    parser.add_argument(
        "--format",
        choices=("terminal", "json", "html"),
        help="default: terminal, or html with --pictures",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=f"write here instead (default for html: {DEFAULT})",
    )
    parser.add_argument(
        "--pictures",
        action="store_true",
        help="both graphs side by side as Netron draws them, differences coloured (needs Chromium)",
    )
    parser.add_argument(
        "--axes",
        default="",
        metavar="SIZES",
        help="sizes of open axes for the MACs, e.g. batch=1,sequence=128, or INPUT:AXIS=SIZE for an axis without a"
        " name (default: a batch of 1)",
    )
    parser.add_argument(
        "--no-weights",
        action="store_true",
        help="compare the graphs alone; no file of weights is needed",
    )
    parser.add_argument(
        "--deadline",
        type=float,
        default=DEADLINE,
        metavar="SECONDS",
        help=f"for each picture (default: {DEADLINE:g})",
    )
    parser.add_argument(
        "--exit-code",
        action="store_true",
        help=f"end with {DIFFERENT} when the graphs differ, as diff does",
    )


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let Python search for cycles rarely: nearly all objects stay until the comparison is written, and each search
    goes through them again. It is not stopped: the passes of a long loop leave cycles behind.
    """
    before = gc.get_threshold()
    gc.set_threshold(NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@_rare_collections()
def main(arguments: argparse.Namespace) -> int:
    """Compare the two files; return 0 on success, 1 with --exit-code if they differ, 2 on an error.

    A comparison whose pictures could not be drawn is shown without them, and returns 2.
    """
    pictures, missing = None, ""
    try:
        difference = _compared(arguments)
        if arguments.pictures:
            from bench.graph_diff.pictures import draw  # with the browser's client

            pictures = draw(difference, deadline=arguments.deadline)
    except PictureError as error:
        missing = str(error)
        print(f"python -m bench graphs: {error}", file=sys.stderr)
    except (GraphError, ValueError) as error:
        print(f"python -m bench graphs: {error}", file=sys.stderr)
        return TROUBLE
    try:
        _show(difference, pictures, missing, arguments)
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
    except OSError as error:
        place = error.filename or arguments.out
        print(
            f"python -m bench graphs: {place} cannot be written ({error.strerror});"
            " name another file with --out",
            file=sys.stderr,
        )
        return TROUBLE
    if missing:
        return TROUBLE
    return DIFFERENT if arguments.exit_code and not difference.is_empty else 0


def _compared(arguments: argparse.Namespace) -> Difference:
    sizes = parse_sizes(arguments.axes) if arguments.axes else None
    before, after = (read(path, sizes=sizes) for path in (arguments.before, arguments.after))
    _warn_of_unknown_axes(sizes or {}, (before, after))
    return compare(before, after) if arguments.no_weights else compare_files(before, after)


def _warn_of_unknown_axes(sizes: Mapping[str, int], graphs: Sequence[Graph]) -> None:
    """Warn of sizes for axes that neither graph has."""
    axes = dict.fromkeys(name for graph in graphs for name in graph.open_axes)
    known = {f"{v.name}:{n}" for g in graphs for v in g.inputs for n in range(len(v.shape or ()))}
    unknown = [name for name in sizes if name not in axes and name not in known]
    if unknown:
        print(
            f"python -m bench graphs: --axes: no open axis is called {', '.join(unknown)};"
            f" open: {', '.join(axes) or 'none'}",
            file=sys.stderr,
        )


def _show(
    difference: Difference, pictures: Pair | None, missing: str, arguments: argparse.Namespace
) -> None:
    match arguments.format or ("html" if arguments.pictures else "terminal"):
        case "html":
            from bench.graph_diff.html import to_html

            out = arguments.out or DEFAULT
            write_whole(out, to_html(difference, pictures, missing=missing))
            print(out)
        case "json":
            write_text(to_json(difference), arguments.out)
        case _:
            from bench.graph_diff.terminal import render

            print_to(arguments.out, lambda console: render(difference, console))
            if arguments.pictures:
                from bench.graph_diff.html import to_html

                write_whole(DEFAULT, to_html(difference, pictures, missing=missing))
                print(f"Pictures: {DEFAULT}")
