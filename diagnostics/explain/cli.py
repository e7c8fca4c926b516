"""The commands `explain FILE|-` and `run -- COMMAND`."""

from __future__ import annotations

import argparse
import codecs
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from diagnostics.explain.explainer import explain
from diagnostics.explain.output import USAGE, exit_code, show
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


# Runs a command, passes its output on, and keeps the parts that may explain a failure.

CANNOT_RUN = 127
HEAD, TAIL = 2 * 2**20, 8 * 2**20
"""Bytes kept from the beginning and from the end of the output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A finished command: its exit code and its output."""

    code: int
    """Its exit code; 128 + n when signal n ended it; 127 when it could not be started."""
    text: str
    """Its output and errors in the order of their arrival; a long one lacks its middle."""
    reason: str = ""
    """The shell's word for the end, such as `Killed`; empty for an ordinary exit."""


class Tape:
    """Keeps the first and the last bytes of a stream of unknown length."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._head = bytearray()
        self._tail = bytearray()

    def add(self, data: bytes) -> None:
        """Appends bytes; may be called from several threads."""
        with self._lock:
            room = HEAD - len(self._head)
            self._head += data[:room]
            self._tail += data[room:] if room < len(data) else b""
            if len(self._tail) > 2 * TAIL:
                del self._tail[:-TAIL]

    def text(self) -> str:
        """What was kept."""
        with self._lock:
            return bytes(self._head + self._tail).decode("utf-8", "replace")


def watch(command: Sequence[str]) -> Watched:
    """Run the command to its end and pass its output on at once. Never raises for its failure."""
    tape = Tape()
    try:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except (OSError, ValueError) as error:
        return Watched(code=CANNOT_RUN, text="", reason=f"cannot start {command[0]}: {error}")
    pumps = [
        threading.Thread(target=_pump, args=(child.stdout, sys.stdout, tape), daemon=True),
        threading.Thread(target=_pump, args=(child.stderr, sys.stderr, tape), daemon=True),
    ]
    for pump in pumps:
        pump.start()
    code = _wait(child)
    for pump in pumps:
        # A grandchild may hold the pipe open after the command itself has ended.
        pump.join(timeout=2)
    if code < 0:
        name = signal.strsignal(-code) or f"signal {-code}"
        return Watched(code=128 - code, text=tape.text(), reason=name)
    return Watched(code=code, text=tape.text())


def _wait(child: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            # The terminal has sent it to the command too; its own handling decides.
            continue


def _pump(source: IO[bytes] | None, sink: object, tape: Tape) -> None:
    if source is None:
        return
    buffer = getattr(sink, "buffer", None)
    while data := _read_some(source):
        tape.add(data)
        if buffer is not None:
            buffer.write(data)
            buffer.flush()
        elif hasattr(sink, "write"):
            sink.write(data.decode("utf-8", "replace"))


def _read_some(source: IO[bytes]) -> bytes:
    read1 = getattr(source, "read1", source.read)
    data: bytes = read1(65536)
    return data
