"""`python -m suite list`: the catalogue as a table, for the terminal or as Markdown; `show MODEL`: one model's tree."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from diagnostics.control_codes import calm_errors
from suite import check, new, show
from suite.catalog import CatalogError, builtin_specs, select
from suite.origins.reference import Reference, parse
from suite.origins.resolve import CACHE, expand_globs, must_be_named
from suite.spec import ModelSpec

SHOW = "tree of a model's modules with parameters, shapes, MACs and the spread of its weights"
CHECK = "whether models build, run and answer as their records say: seconds, nothing is measured"
NEW = "a complete, commented record for a name or a function of a file, to start from"
HEAD = ("model", "task", "parameters", "source")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m suite", description="The catalogue of models.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="every built-in model, or those of a library")
    listing.add_argument(
        "names", nargs="*", metavar="NAMES", help="e.g. 'timm:*vit*', 'hf:*', 'bert*'"
    )
    listing.add_argument("--format", choices=("terminal", "md"), default="terminal")
    show.configure(commands.add_parser("show", help=SHOW, description=SHOW))
    new.configure(commands.add_parser("new", help=NEW, description=NEW))
    check.configure(commands.add_parser("check", help=CHECK, description=CHECK))
    asked = parser.parse_args(arguments)
    with calm_errors():
        return _run(asked)


def _run(asked: argparse.Namespace) -> int:
    if asked.command == "new":
        return new.main(asked)
    if asked.command == "check":
        return check.main(asked)
    if asked.command == "show":
        return show.main(asked)
    try:
        specs, others = chosen(asked.names)
    except CatalogError as error:
        print(f"python -m suite list: {error}", file=sys.stderr)
        return 2
    if specs and asked.format == "md":
        print(to_markdown(specs))
    elif specs:
        _print_table(specs)
    for reference in others:
        print(reference.text)
    return 0


def chosen(words: Sequence[str]) -> tuple[tuple[ModelSpec, ...], list[Reference]]:
    """Return the built-in models and the names of libraries that the words ask for; without words, all built-in ones.

    Raise CatalogError for a word that matches nothing.
    """
    specs = builtin_specs()
    asked = [word for text in words for word in text.replace(",", " ").split()]
    references = [parse(word, [s.name for s in specs]) for word in asked]
    patterns = [w for w, found in zip(asked, references, strict=True) if found is None]
    here = select(specs, patterns) if patterns or not asked else ()
    others = expand_globs((r for r in references if r is not None), CACHE)
    for reference in others:
        must_be_named(reference, CACHE)
    return here, others


def rows_of(specs: Sequence[ModelSpec]) -> list[tuple[str, str, str, str]]:
    """Return one row per model, in catalogue order: name, task, published parameters at base, source."""
    return [
        (
            spec.name,
            spec.task.replace("_", " "),
            f"{spec.parameters:,}" if spec.parameters is not None else "",
            spec.source,
        )
        for spec in specs
    ]


def to_markdown(specs: Sequence[ModelSpec]) -> str:
    """Return the README's table of models."""
    lines = ["| model | task | parameters | |", "|---|---|--:|---|"]
    lines += [
        f"| `{name}` | {task} | {parameters} | [source]({source}) |"
        for name, task, parameters, source in rows_of(specs)
    ]
    return "\n".join(lines)


def _print_table(specs: Sequence[ModelSpec]) -> None:
    from rich.table import Table

    from suite.calm_console import calm_console

    table = Table(*HEAD, box=None, pad_edge=False)
    table.columns[2].justify = "right"
    for row in rows_of(specs):
        table.add_row(*row)
    calm_console().print(table)


if __name__ == "__main__":
    sys.exit(main())
