"""Runs the commands that cure what was found, after a yes; or only shows them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from diagnostics.checkup import Checkup
from diagnostics.finding import Finding, Fix, Level, Safety
from diagnostics.install_commands import line

INSTALLERS = ("pip", "uv", "conda", "poetry")
"""Programs that are run; nothing else ever is: no drivers, no sudo, no rm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is to be done about one root cause."""

    finding: Finding
    fix: Fix | None
    """What will be run; None where a person has to act."""


def plan(checkup: Checkup) -> tuple[Step, ...]:
    """Return one step for each root cause that is a warning or worse, in causal order.

    A command that stands twice is run once.
    """
    steps: list[Step] = []
    seen: set[str] = set()
    for diagnosis in checkup.diagnoses:
        finding = diagnosis.finding
        if finding.level.rank < Level.WARN.rank:
            continue
        fix = next((item for item in finding.fixes if is_runnable(item)), None)
        if fix is not None and line(fix) in seen:
            continue
        seen.add(line(fix) if fix else "")
        steps.append(Step(finding=finding, fix=fix))
    return tuple(steps)


def is_runnable(fix: Fix) -> bool:
    """Return True for commands that change nothing but the examined environment, by its installer."""
    commands = fix.steps or ((fix.argv,) if fix.argv else ())
    return fix.safety is Safety.SAFE and bool(commands) and all(map(_is_installer, commands))


def _is_installer(argv: tuple[str, ...]) -> bool:
    program = argv[0].rpartition("/")[2] if argv else ""
    return program in INSTALLERS or (program.startswith("python") and argv[1:3] == ("-m", "pip"))


def shown(steps: tuple[Step, ...]) -> Iterator[str]:
    """Yield the plan, line by line."""
    if not steps:
        yield "Nothing to fix."
    for number, step in enumerate(steps, 1):
        yield f"{number}. {step.finding.summary}"
        if step.fix is not None:
            yield f"   run: {line(step.fix)}"
            yield f"        {step.fix.why}"
            continue
        for index, fix in enumerate(step.finding.fixes):
            yield f"   {'by hand:' if index == 0 else '     or:'} {line(fix)}"
        if not step.finding.fixes:
            yield "   by hand: no command is known"


def apply(
    steps: tuple[Step, ...], ask: Callable[[str], str], say: Callable[[str], None]
) -> str | None:
    """Run the plan after a yes. Return None when it was done, else why it was not."""
    runnable = [step.fix for step in steps if step.fix is not None]
    if not runnable:
        return "nothing of this can be run for you"
    count = f"{len(runnable)} command{'s' if len(runnable) != 1 else ''}"
    try:
        answer = ask(f"Run {count}? [y/N] ").strip().lower()
    except EOFError:
        answer = ""
    if answer not in ("y", "yes"):
        return "nothing was changed"
    for fix in runnable:
        for argv in fix.steps or (fix.argv,):
            say(f"$ {line(Fix(argv=argv, why=''))}")
            try:
                code = subprocess.run(argv, check=False).returncode
            except OSError as error:
                return f"{argv[0]} cannot be started: {error.strerror}; the rest was not run"
            if code:
                return f"the command ended with {code}; the rest was not run"
    return None
