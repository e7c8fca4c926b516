"""The command `model FILE`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from diagnostics.explain.output import USAGE, exit_code, show
from diagnostics.finding import Finding
from diagnostics.model import limits
from diagnostics.model.inspection import inspect


def main(arguments: list[str]) -> int:
    """Say why model files cannot be loaded, or what they are: 0 no error, 1 errors, 2 usage."""
    parser = argparse.ArgumentParser(
        prog="python -m diagnostics model",
        description="Why Netron or ONNX Runtime cannot load a model, read from its bytes. The "
        "installed ONNX Runtime is asked too, unless --runtime names another version.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a model of any format")
    parser.add_argument("--json", action="store_true", help="findings as JSON")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    parser.add_argument("--runtime", metavar="VERSION", help="judge for this ONNX Runtime version")
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:
        return USAGE if stop.code else 0
    runtime = options.runtime or limits.installed()
    # Another version than the installed one cannot be asked, only looked up.
    asks = runtime is not None and runtime == limits.installed()
    findings: list[Finding] = []
    for name in options.files:
        try:
            findings += inspect(Path(name), runtime=runtime, asks=asks)
        except OSError as error:
            print(f"python -m diagnostics model: cannot read {name}: {error}", file=sys.stderr)
            return USAGE
    show(findings, in_json=options.json, nothing="No problem found.")
    return exit_code(findings, strict=options.strict)
