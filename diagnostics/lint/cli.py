"""The command `lint "pip install ..."|FILE`."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from pathlib import Path

from diagnostics.explain.output import USAGE, exit_code, show
from diagnostics.finding import Finding
from diagnostics.lint import command, requirement_files
from diagnostics.lint.plan import Plan, wish
from diagnostics.lint.rules import judge
from diagnostics.requirement import applies
from diagnostics.tables.torch_releases import DATED, Python


def main(arguments: list[str]) -> int:
    """Judges a command or file: 0 nothing impossible, 1 errors, 2 usage."""
    parser = argparse.ArgumentParser(
        prog="python -m diagnostics lint",
        description="Judges an install command, requirements.txt or pyproject.toml, offline.",
    )
    parser.add_argument("target", nargs="+", help='"pip install torch==2.0.0 ..." or a file')
    parser.add_argument("--python-version", metavar="X.Y", help="default: the running Python")
    parser.add_argument("--json", action="store_true", help="findings as JSON")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    try:
        options, rest = parser.parse_known_args(arguments)
        python = _python(options.python_version)
        findings = lint(" ".join([*options.target, *rest]), python)
    except SystemExit as stop:
        return USAGE if stop.code else 0
    except (ValueError, OSError) as error:
        print(f"python -m diagnostics lint: {error}", file=sys.stderr)
        return USAGE
    version = f"{python[0]}.{python[1]}"
    nothing = f"Nothing impossible for Python {version} (releases as of {DATED})."
    show(findings, in_json=options.json, nothing=nothing)
    return exit_code(findings, strict=options.strict)


def lint(target: str, python: Python) -> list[Finding]:
    """The findings about a command or a file.

    Raises OSError when a file cannot be read, ValueError when the text is no command, no
    requirement and no file.
    """
    found: list[Finding] = []
    for plan in plans(target):
        for finding in judge(_applying(plan, python), python):
            if finding not in found:
                found.append(finding)
    return found


def plans(target: str) -> list[Plan]:
    """What a command, a list of requirements, or a file asks for."""
    if not command.looks_like_command(target) and _is_path(target):
        return requirement_files.read(Path(target))
    whole = wish(target)
    if whole is not None and whole.marker:
        return [Plan(wishes=(whole,), source="command", is_command=True)]
    plan, files = command.read(target)
    found = [item for name in files for item in requirement_files.read(Path(name))]
    wishes = (*plan.wishes, *(one for item in found for one in item.wishes))
    indexes = (*plan.indexes, *(index for item in found for index in item.indexes))
    return [replace(plan, wishes=wishes, indexes=indexes)]


def _is_path(target: str) -> bool:
    return bool(re.search(r"\.(?:txt|toml|in|cfg|lock)$|[/\\]", target)) or Path(target).is_file()


def _applying(plan: Plan, python: Python) -> Plan:
    """The plan with the requirements whose marker holds on Linux for this Python."""
    version = f"{python[0]}.{python[1]}"
    known = {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    kept = tuple(item for item in plan.wishes if not item.marker or applies(item.marker, known))
    return replace(plan, wishes=kept)


def _python(text: str | None) -> Python:
    if text is None:
        return sys.version_info.major, sys.version_info.minor
    found = re.fullmatch(r"(\d+)\.(\d+)(?:\.\d+)?", text.strip())
    if found is None:
        raise ValueError(f"--python-version {text!r}: expected a version such as 3.12")
    return int(found[1]), int(found[2])
