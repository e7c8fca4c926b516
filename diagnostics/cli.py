"""The doctor's command line: gathers, examines, renders, and returns the exit code."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from diagnostics.checkup import Checkup
from diagnostics.did_you_mean import did_you_mean
from diagnostics.doctor import FACTS_MISSING, UnknownCode, chosen, run
from diagnostics.environment import Environment
from diagnostics.facts.interpreter import NotAPython
from diagnostics.gather import gather
from diagnostics.options import COMMANDS, Misuse, codes, parser, silenced
from diagnostics.registry import Check, checks
from diagnostics.render import terminal

if TYPE_CHECKING:
    from diagnostics.redact import Redactor

USAGE = 2
DELEGATES = {
    "explain": ("diagnostics.explain.cli", "main"),
    "run": ("diagnostics.explain.cli", "main_run"),
    "lint": ("diagnostics.lint.cli", "main"),
    "model": ("diagnostics.model.cli", "main"),
    "fit": ("diagnostics.fit.cli", "main"),
    "mcp": ("diagnostics.mcp_server", "main"),
}


def main(arguments: Sequence[str]) -> int:
    """0 no errors, 1 errors (`--strict`: warnings too), 2 usage, 3 a check crashed, 4 could not look."""
    try:
        if arguments and arguments[0] in DELEGATES:
            module, name = DELEGATES[arguments[0]]
            return int(getattr(importlib.import_module(module), name)(list(arguments[1:])))
        _known(arguments)
        options = parser().parse_args(list(arguments))
        return _visit(options)
    except (Misuse, UnknownCode, NotAPython) as error:
        print(f"python -m diagnostics: {error}", file=sys.stderr)
        print("python -m diagnostics --help shows the options", file=sys.stderr)
        return USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _known(arguments: Sequence[str]) -> None:
    """Raise Misuse for a first word that is no command: argparse knows `report` alone and would offer nothing else."""
    word = next(iter(arguments), "-")
    if not word.startswith("-") and word not in COMMANDS:
        raise Misuse(f"{word}: no such command{did_you_mean(word, COMMANDS)}")


def _visit(options: argparse.Namespace) -> int:
    start = time.perf_counter()
    form = options.format or ("json" if options.json else "")
    form = form or ("markdown" if options.command == "report" else "text")
    if options.dry_run and not options.fix:
        raise Misuse("--dry-run goes with --fix")
    if options.fix and form != "text":
        raise Misuse("--fix prints text: leave --json, --format and report out")
    if options.fix and options.facts and not options.dry_run:
        raise Misuse("--facts is another machine: --fix goes with it only as --fix --dry-run")
    ignored = (*codes(options.ignore), *silenced(Path.cwd()))
    selected = chosen(codes(options.select), ignored)
    if not options.deep and not options.facts:
        selected = tuple(item for item in selected if not item.deep)
    if options.list:
        _list(selected if options.select or options.ignore else checks(), form)
        return 0
    environment = _facts(options, commit=form != "text" or bool(options.save_facts))
    wants_redactor = not options.no_redact and (form != "text" or options.save_facts)
    redactor = _redactor(environment) if wants_redactor else None
    excused = not any(item.code == FACTS_MISSING for item in chosen((), ignored))
    checkup = _examine(environment, selected, options, start, excused=excused)
    if options.save_facts:
        _save(checkup.environment, options.save_facts, redactor)
    if options.fix:
        return _repair(checkup, selected, options, excused=excused)
    _show(checkup, form, redactor, verbose=options.verbose)
    return checkup.exit_code


def _repair(
    checkup: Checkup, selected: tuple[Check, ...], options: argparse.Namespace, *, excused: bool
) -> int:
    """Show the plan, run it after a yes, look again; the exit code is the second look's."""
    from diagnostics.repair import apply, plan, shown

    steps = plan(checkup)
    for row in shown(steps):
        print(row)
    if options.dry_run or not steps:
        return checkup.exit_code
    reason = apply(steps, input, lambda text: print(text, flush=True))
    if reason:
        print(f"{reason}.")
        return checkup.exit_code
    after = _examine(
        gather(options.python, commit=False),
        selected,
        options,
        time.perf_counter(),
        excused=excused,
    )
    print()
    _print_text(after, verbose=options.verbose)
    return after.exit_code


def _facts(options: argparse.Namespace, *, commit: bool) -> Environment:
    if not options.facts:
        return gather(options.python, commit=commit)
    if options.python or options.deep:
        raise Misuse("--facts replays another machine: --python and --deep cannot go with it")
    try:
        text = sys.stdin.read() if options.facts == "-" else Path(options.facts).read_text("utf-8")
        data = json.loads(text)
    except (OSError, ValueError) as error:
        raise Misuse(
            f"{options.facts} holds no facts: {error}; make them with --save-facts"
        ) from None
    # The JSON report carries the facts as well.
    inner = data.get("environment", data) if isinstance(data, dict) else data
    try:
        return Environment.from_dict(inner)
    except ValueError as error:
        raise Misuse(
            f"{options.facts} holds no facts: {error}; make them with --save-facts"
        ) from None


def _examine(
    environment: Environment,
    selected: tuple[Check, ...],
    options: argparse.Namespace,
    start: float,
    *,
    excused: bool,
) -> Checkup:
    if options.deep:
        from diagnostics.deep.trials import ATTEMPTS, attempt

        static = [run(item, environment) for item in selected if not item.deep]
        wanted = {item.code.removeprefix("deep-") for item in selected if item.deep}
        trials = attempt(
            environment,
            static,
            tuple(item for item in ATTEMPTS if item.name in wanted),
            imports="import" in wanted,
        )
        environment = dataclasses.replace(environment, trials=trials)
    results = tuple(run(item, environment) for item in selected)
    return Checkup(
        environment=environment,
        results=results,
        strict=options.strict,
        excused=excused,
        seconds=time.perf_counter() - start,
    )


def _redactor(environment: Environment) -> Redactor:
    from diagnostics.redact import for_this_machine

    labels = (build.version for build in environment.builds.values())
    return for_this_machine({*environment.packages.values(), *labels})


def _save(environment: Environment, path: str, redactor: Redactor | None) -> None:
    data = environment.as_dict()
    text = json.dumps(redactor.data(data) if redactor else data, indent=1)
    try:
        Path(path).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise Misuse(f"the facts cannot be saved: {error}") from None


def _show(checkup: Checkup, form: str, redactor: Redactor | None, *, verbose: bool) -> None:
    if form == "json":
        from diagnostics.render import document

        print(json.dumps(document.document(checkup, redactor), indent=1))
    elif form == "markdown":
        from diagnostics.render import markdown

        print(markdown.report(checkup, redactor))
    else:
        _print_text(checkup, verbose=verbose)


def _print_text(checkup: Checkup, *, verbose: bool) -> None:
    """Paths stay as they are here: the commands have to work when pasted."""
    encoding = (sys.stdout.encoding or "").lower()
    unicode = "utf" in encoding
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    paint = terminal.ansi if colour else terminal.plain
    for row in terminal.lines(checkup, verbose=verbose, paint=paint, unicode=unicode):
        print(row if unicode else row.encode("ascii", "replace").decode())


def _list(every: tuple[Check, ...], form: str) -> None:
    if form == "markdown":
        from diagnostics.render import markdown

        print(markdown.checks_page(every), end="")
    elif form == "json":
        rows = [
            {"code": c.code, "title": c.title, "area": c.area, "deep": c.deep, **c.doc}
            for c in every
        ]
        print(json.dumps(rows, indent=1))
    else:
        width = max((len(item.code) for item in every), default=0)
        for item in every:
            print(f"{item.code:{width}}  {item.title}{' (--deep)' if item.deep else ''}")
