"""The commands `explain FILE|-` and `run -- COMMAND`."""

from __future__ import annotations

import argparse
import codecs
import sys
from pathlib import Path

from diagnostics.explain.explainer import explain
from diagnostics.explain.output import USAGE, exit_code, show
from diagnostics.explain.watched import CANNOT_RUN, watch
from diagnostics.finding import Finding
from diagnostics.redact import for_this_machine

LIMIT = 64 * 2**20
"""Bytes of a file that are read: longer logs are cut in the middle."""


def main(arguments: list[str]) -> int:
    """Explain a file or standard input: 0 no error found, 1 errors, 2 usage.

    An error that no row knows counts as an error.
    """
    parser = argparse.ArgumentParser(
        prog="python -m diagnostics explain",
        description="Explains the errors in a text: cause, and the command that cures it.",
    )
    parser.add_argument("file", help="a log or saved traceback; - reads standard input")
    parser.add_argument("--json", action="store_true", help="findings as JSON")
    parser.add_argument(
        "--no-redact", action="store_true", help="leave names, addresses and paths in the JSON"
    )
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    parser.add_argument("--python", default=sys.executable, help="interpreter for the fixes")
    options = _parsed(parser, arguments)
    if options is None:
        return USAGE if not {"-h", "--help"} & set(arguments) else 0
    name = "stdin" if options.file == "-" else options.file
    try:
        text = _read(options.file)
    except OSError as error:
        print(f"python -m diagnostics explain: cannot read {name}: {error}", file=sys.stderr)
        return USAGE
    findings = explain(text, source=name, python=options.python, unknown=True)
    redactor = for_this_machine() if options.json and not options.no_redact else None
    nothing = f"No known error in {name}."
    show(findings, in_json=options.json, nothing=nothing, redactor=redactor)
    return exit_code(findings, strict=options.strict)


def main_run(arguments: list[str]) -> int:
    """Run a command, show its output as it comes, and explain it when it fails.

    The exit code is the command's; 128 + n when signal n ended it, 127 when it cannot be
    started, 2 for usage. `--json` prints the findings on standard output after the command's.
    """
    in_json = "--json" in arguments[: _separator(arguments)]
    command = arguments[_separator(arguments) + 1 :]
    before = [item for item in arguments[: _separator(arguments)] if item != "--json"]
    if not command or before:
        print(
            "usage: python -m diagnostics run [--json] -- COMMAND [ARGUMENT ...]", file=sys.stderr
        )
        return 0 if {"-h", "--help"} & set(before) else USAGE
    result = watch(command)
    if result.code == CANNOT_RUN and not result.text:
        print(f"python -m diagnostics run: {result.reason}", file=sys.stderr)
        return CANNOT_RUN
    if result.code == 0 and not in_json:
        return 0
    # A killed process leaves no text of its own; the shell would have written this line.
    text = f"{result.text}\n{result.reason}\n" if result.reason else result.text
    failed = result.code != 0
    findings = explain(text, source="output", python=sys.executable, unknown=True) if failed else []
    nothing = f"The command failed (exit code {result.code}); its output holds no known error."
    _show(findings, in_json=in_json, nothing=nothing)
    return result.code


def _show(findings: list[Finding], *, in_json: bool, nothing: str) -> None:
    # Text goes to standard error: standard output stays the command's own.
    stream = None if in_json else sys.stderr
    redactor = for_this_machine() if in_json else None
    show(findings, in_json=in_json, nothing=nothing, stream=stream, redactor=redactor)


def _separator(arguments: list[str]) -> int:
    return arguments.index("--") if "--" in arguments else len(arguments)


def _parsed(parser: argparse.ArgumentParser, arguments: list[str]) -> argparse.Namespace | None:
    try:
        return parser.parse_args(arguments)
    except SystemExit:
        return None


def _read(name: str) -> str:
    data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    if len(data) > LIMIT:
        data = data[: LIMIT // 2] + b"\n" + data[-LIMIT // 2 :]
    return _decoded(data)


def _decoded(data: bytes) -> str:
    """The text of a log; PowerShell's `>` writes UTF-16 with a byte order mark."""
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and b"\0" in data[2:64]:
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")
