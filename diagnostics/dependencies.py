"""Compares Requires-Dist of every installed package, extras included, with what is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from diagnostics.accelerator import counted_as
from diagnostics.environment import Environment
from diagnostics.records import Distribution
from diagnostics.requirement import Requirement, applies, normalise, parse_requirement
from diagnostics.version import allows

_ONLY_FOR_EXTRA = re.compile(
    r"^[^;]*;(?:(?!\bor\b)[^()]|\([^()]*\))*?(?<![\w.])extra\s*==\s*['\"]([^'\"]+)['\"]\s*$"
)
"""A line whose marker ends with an extra that no `or` outside of parentheses makes optional."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """One dependency that is missing or out of range."""

    owner: str
    owner_version: str
    name: str
    wanted: str
    """As an installer takes it, such as `nvidia-cudnn-cu13==9.26.0.51`."""
    found: str
    """The installed version, "" when there is none."""


def unmet(environment: Environment) -> tuple[Lack, ...]:
    """Return every declared dependency that does not hold; optional extras count where another
    package asks for them.
    """
    by_name: dict[str, Distribution] = {}
    for item in environment.distributions:
        by_name.setdefault(item.name, item)
    known = markers(environment)
    queue: list[tuple[str, str]] = [(name, "") for name in by_name]
    done: set[tuple[str, str]] = set()
    found: dict[tuple[str, str], Lack] = {}
    while queue:
        name, extra = queue.pop()
        if (name, extra) in done:
            continue
        done.add((name, extra))
        owner = by_name[name]
        for wanted in _wanted(owner, extra, known):
            have = by_name.get(wanted.name)
            if have is not None:
                queue += [(have.name, item) for item in wanted.extras]
            if have is None or not _allowed(wanted.ranges, have.version):
                lack = Lack(
                    owner=owner.name,
                    owner_version=owner.version,
                    name=wanted.name,
                    wanted=f"{wanted.name}{wanted.ranges.replace(' ', '')}",
                    found=have.version if have else "",
                )
                found.setdefault((owner.name, wanted.name), lack)
    return tuple(found.values())


def _allowed(ranges: str, version: str) -> bool:
    return any(allows(ranges, item) for item in counted_as(version))


def closure(environment: Environment, name: str) -> dict[str, Requirement]:
    """Return what a distribution asks for, directly and through what that asks for, by name."""
    by_name: dict[str, Distribution] = {}
    for item in environment.distributions:
        by_name.setdefault(item.name, item)
    found: dict[str, Requirement] = {}
    queue = [(name, "")]
    seen: set[tuple[str, str]] = set()
    while queue:
        owner, extra = queue.pop()
        if (owner, extra) in seen or owner not in by_name:
            continue
        seen.add((owner, extra))
        for wanted in wanted_by(by_name[owner], extra, environment):
            found.setdefault(wanted.name, wanted)
            queue += [(wanted.name, item) for item in ("", *wanted.extras)]
    return found


def required_by(environment: Environment, name: str) -> tuple[str, ...]:
    """Return the installed distributions that ask for a package, extras that are in use included."""
    return tuple(
        dict.fromkeys(
            item.name
            for item in environment.distributions
            if item.name != name
            and any(
                wanted.name == name
                for extra in ("", *_extras_in_use(environment, item.name))
                for wanted in wanted_by(item, extra, environment)
            )
        )
    )


def _extras_in_use(environment: Environment, name: str) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            extra
            for item in environment.distributions
            for line in item.requires
            if name in line and (wanted := parse_requirement(line)) and wanted.name == name
            for extra in wanted.extras
        )
    )


def wanted_by(owner: Distribution, extra: str, environment: Environment) -> Iterator[Requirement]:
    """Yield what a distribution asks for here; under an extra, what that extra adds."""
    return _wanted(owner, extra, markers(environment))


def _wanted(owner: Distribution, extra: str, known: dict[str, str]) -> Iterator[Requirement]:
    with_extra, without = known | {"extra": extra}, known | {"extra": ""}
    for line in owner.requires:
        only_for = _ONLY_FOR_EXTRA.search(line)
        # Most lines of large packages are of other extras: they need not be taken apart.
        if only_for and (not extra or normalise(only_for[1]) != normalise(extra)):
            continue
        if extra and "extra" not in line:
            continue
        wanted = parse_requirement(line)
        if wanted is None or not applies(wanted.marker, with_extra):
            continue
        # Under an extra only what the extra adds: the rest was seen without it.
        if not extra or not applies(wanted.marker, without):
            yield wanted


def markers(environment: Environment) -> dict[str, str]:
    """Return the marker variables of the examined interpreter (PEP 508)."""
    version = environment.python.version
    system = environment.system.system
    return {
        "python_version": ".".join(version.split(".")[:2]),
        "python_full_version": version,
        "implementation_name": environment.python.implementation,
        "platform_python_implementation": {"cpython": "CPython", "pypy": "PyPy"}.get(
            environment.python.implementation, environment.python.implementation
        ),
        "sys_platform": {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}.get(
            system, system.lower()
        ),
        "platform_system": system,
        "platform_machine": environment.python.machine or environment.system.machine,
        "os_name": "nt" if system == "Windows" else "posix",
    }
