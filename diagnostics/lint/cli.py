"""The command `lint "pip install ..."|FILE`."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from pathlib import Path

from diagnostics.explain.output import ERRORS, USAGE, exit_code, show
from diagnostics.finding import Finding, Level
from diagnostics.lint import command, requirement_files
from diagnostics.lint.plan import Plan, Reading, marker_variables, wish
from diagnostics.lint.python_rules import dotted, lowest_python
from diagnostics.lint.rules import as_finding, judge
from diagnostics.requirement import applies
from diagnostics.tables.torch_releases import DATED, Python
from diagnostics.version import allows

SUFFIXES = r"\.(?:txt|toml|in|cfg|lock|py|ya?ml|ipynb|sh|dockerfile|json)$"


def main(arguments: list[str]) -> int:
    """Judge a command or file: 0 nothing impossible, 1 errors, 2 usage or something was not read."""
    parser = argparse.ArgumentParser(
        prog="python -m diagnostics lint",
        description="Judges an install command, a requirements file, a project, a lock file, an "
        "environment.yaml or a Dockerfile, offline.",
    )
    parser.add_argument("target", nargs="+", help='"pip install torch==2.0.0 ..." or a file')
    parser.add_argument("--python-version", metavar="X.Y", help="default: the running Python")
    parser.add_argument("--json", action="store_true", help="findings as JSON")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    try:
        options, rest = parser.parse_known_args(arguments)
        python = _python(options.python_version)
        reading = read(" ".join([*options.target, *rest]))
    except SystemExit as stop:
        return USAGE if stop.code else 0
    except (ValueError, OSError) as error:
        print(f"python -m diagnostics lint: {error}", file=sys.stderr)
        return USAGE
    findings, unread, code = _judged(reading, python, strict=options.strict)
    versions = {dotted(python_of(plan, python)) for plan in reading.plans} or {"?"}
    nothing = (
        f"Nothing impossible for Python {', '.join(sorted(versions))} (releases as of {DATED})."
    )
    show([*findings, *unread], in_json=options.json, nothing=nothing)
    return code


def judge_target(
    target: str, python_version: str | None = None, *, strict: bool = False
) -> tuple[list[Finding], list[Finding], int]:
    """Return the findings about a command or a file, what of it was not read, and the exit code.

    Raises OSError when a file cannot be read, ValueError for a target or a version that is none.
    """
    return _judged(read(target), _python(python_version), strict=strict)


def _judged(
    reading: Reading, python: Python, *, strict: bool
) -> tuple[list[Finding], list[Finding], int]:
    findings = judge_all(reading, python)
    unread = [not_read(reason) for reason in dict.fromkeys(reading.not_read)]
    code = exit_code(findings, strict=strict)
    return findings, unread, USAGE if unread and code != ERRORS else code


def not_read(reason: str) -> Finding:
    """Return the finding for something that was not understood, so that it is not judged."""
    return Finding(
        code="not-read",
        area="versions",
        level=Level.WARN,
        summary=f"Not read: {reason}.",
        cause="Nothing is known about it, so that it may be impossible all the same.",
    )


def lint(target: str, python: Python) -> list[Finding]:
    """Return the findings about what could be read of a command or a file.

    Raises OSError when a file cannot be read, ValueError when the text is no command, no
    requirement and no file.
    """
    return judge_all(read(target), python)


def judge_all(reading: Reading, python: Python) -> list[Finding]:
    """Return the findings of all plans, each once, worst first."""
    found: list[Finding] = []
    for plan in reading.plans:
        own = python_of(plan, python)
        for finding in judge(_applying(plan, own), own):
            if finding not in found:
                found.append(finding)
    found += [as_finding("", note) for note in reading.notes]
    return sorted(found, key=lambda item: -item.level.rank)


def read(target: str) -> Reading:
    """Return what a command, a list of requirements, or a file asks for."""
    if not command.looks_like_command(target) and _is_path(target):
        return requirement_files.read(Path(target))
    whole = wish(target)
    if whole is not None and whole.marker:
        return Reading(plans=[Plan(wishes=(whole,), source="command", is_command=True)])
    return command.read(target, requirement_files.read)


def python_of(plan: Plan, python: Python) -> Python:
    """Return the Python to judge a plan for: the one it names itself, else the given one.

    A project that excludes the given Python is judged for the oldest that it allows.
    """
    if plan.python is not None:
        return plan.python
    if plan.requires_python and not allows(plan.requires_python, f"{dotted(python)}.99"):
        return lowest_python(plan.requires_python) or python
    return python


def _is_path(target: str) -> bool:
    return bool(re.search(SUFFIXES + r"|[/\\]", target)) or Path(target).exists()


def _applying(plan: Plan, python: Python) -> Plan:
    """Return the plan with the requirements whose marker holds on Linux for this Python."""
    known = marker_variables(python)
    kept = tuple(item for item in plan.wishes if not item.marker or applies(item.marker, known))
    return replace(plan, wishes=kept)


def _python(text: str | None) -> Python:
    if text is None:
        return sys.version_info.major, sys.version_info.minor
    found = re.fullmatch(r"(\d+)\.(\d+)(?:\.\d+)?", text.strip())
    if found is None:
        raise ValueError(f"--python-version {text!r}: expected a version such as 3.12")
    return int(found[1]), int(found[2])
