"""What an install command would leave behind, worked out from the installed metadata before it is printed.

Nothing is fetched: a release that is not installed is known by its version alone, so its own requirements
count as unknown. What a command newly breaks among the packages that stay is what is reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from diagnostics.accelerator import accelerator_of
from diagnostics.dependencies import wanted_by
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level, Safety
from diagnostics.packages import twins_of
from diagnostics.records import Distribution
from diagnostics.requirement import Requirement, parse_requirement
from diagnostics.version import allows, can_both_hold

_WITH_VALUE = frozenset(
    {"--index-url", "--extra-index-url", "--python", "--no-binary", "-c", "-r", "--find-links"}
)
PARTNERS = ("torch", "torchvision", "torchaudio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One pip or uv command, taken apart."""

    installs: tuple[Requirement, ...] = ()
    removes: tuple[str, ...] = ()
    variant: str = ""
    """The folder of PyTorch's index that it installs from."""
    forced: bool = False
    """Replaces what is installed even where it fits."""


@dataclass(slots=True)
class _State:
    """The packages after a command: a version or a range, and requirements where they are known."""

    ranges: dict[str, str]
    """Name -> `==version` of what is known exactly, else the range that was asked for."""
    known: dict[str, Distribution]
    """Distributions whose metadata hold."""
    variants: dict[str, str] = field(default_factory=dict)
    """torch and its partners -> what they run on."""


def commands_of(fix: Fix) -> Iterator[Command]:
    """Yield the pip and uv commands of a fix; other programs are none."""
    for argv in fix.steps or (fix.argv,):
        words = list(argv)
        verb = next((word for word in words if word in ("install", "uninstall")), "")
        if "pip" not in words[:4] or not verb:
            continue
        rest = words[words.index(verb) + 1 :]
        values: dict[str, str] = {}
        plain: list[str] = []
        while rest:
            word = rest.pop(0)
            if word in _WITH_VALUE and rest:
                values[word] = rest.pop(0)
            elif not word.startswith("-"):
                plain.append(word)
        if verb == "uninstall":
            yield Command(removes=tuple(plain))
            continue
        found = (parse_requirement(word) for word in plain)
        yield Command(
            installs=tuple(item for item in found if item is not None),
            variant=values.get("--index-url", "").rstrip("/").rpartition("/")[2],
            forced=bool({"--force-reinstall", "--reinstall", "--upgrade"} & set(words)),
        )


def newly_broken(environment: Environment, fix: Fix) -> tuple[str, ...]:
    """Return what would no longer hold after the fix and holds now, one sentence each."""
    commands = tuple(commands_of(fix))
    if not commands or any(step[0] in ("conda", "poetry") for step in fix.steps if step):
        return ()  # a solver or a lock file decides
    by_name: dict[str, Distribution] = {}
    for item in environment.distributions:
        by_name.setdefault(item.name, item)
    before = _State(
        ranges={name: f"=={item.version}" for name, item in by_name.items()},
        known=by_name,
        variants={
            name: accelerator_of(environment.builds[name]).kind
            for name in PARTNERS
            if name in environment.builds
        },
    )
    after = replace(
        before,
        ranges=dict(before.ranges),
        known=dict(before.known),
        variants=dict(before.variants),
    )
    for command in commands:
        _apply(command, after)
    old = {key for key, _ in _conflicts(environment, before)}
    return tuple(text for key, text in _conflicts(environment, after) if key not in old)


def _apply(command: Command, state: _State) -> None:
    for name in command.removes:
        state.ranges.pop(name, None)
        state.known.pop(name, None)
        state.variants.pop(name, None)
    for wanted in command.installs:
        name, ranges = wanted.name, wanted.ranges.replace(" ", "")
        installed = state.known.get(name)
        fits = installed is not None and allows(ranges, installed.version)
        if fits and not command.forced:
            continue
        exact = fits and installed is not None and f"=={installed.version}" == ranges
        if not exact:
            state.known.pop(name, None)
            state.ranges[name] = ranges
        if name in PARTNERS and command.variant:
            state.variants[name] = _kind(command.variant)
        elif name in PARTNERS:
            # The package index serves CUDA builds.
            state.variants[name] = "cuda"


def _kind(variant: str) -> str:
    if variant.startswith("cu"):
        return "cuda"
    return variant.rstrip(".0123456789")


def _conflicts(environment: Environment, state: _State) -> Iterator[tuple[str, str]]:
    """(key, sentence) of everything that does not hold in a state."""
    for owner in state.known.values():
        for wanted in wanted_by(owner, "", environment):
            have = state.ranges.get(wanted.name)
            said = f"{owner.name} {owner.version} asks for {wanted.name}{wanted.ranges}"
            if have is None:
                if not any(name in state.ranges for name in twins_of(wanted.name)):
                    yield f"{owner.name}:{wanted.name}", f"{said}, and it would be gone"
            elif not _fits(wanted.ranges, have):
                yield f"{owner.name}:{wanted.name}", f"{said}, and {have or 'another'} would come"
    kinds = {name: kind for name, kind in state.variants.items() if kind}
    for name, kind in kinds.items():
        if kind != kinds.get("torch", kind):
            yield (
                f"variant:{name}",
                f"{name} would stay a {kind} build beside a {kinds['torch']} torch",
            )
    for name in state.ranges:
        for other in twins_of(name):
            if other in state.ranges and name < other:
                yield f"twins:{name}:{other}", f"{name} and {other} would own the same files"


def _fits(wanted: str, have: str) -> bool:
    if have.startswith("==") and "," not in have and not have.endswith("*"):
        return allows(wanted, have[2:])
    return can_both_hold(wanted, have)


def tried(environment: Environment, finding: Finding) -> Finding:
    """Return the finding with commands that would break something else marked for a person's eye.

    They go behind those that break nothing.
    """
    if not finding.fixes or finding.level.rank < Level.WARN.rank:
        return finding
    sound: list[Fix] = []
    doubtful: list[Fix] = []
    for fix in finding.fixes:
        broken = newly_broken(environment, fix) if fix.safety is Safety.SAFE else ()
        if broken:
            why = f"{fix.why}; but then {broken[0]}"
            doubtful.append(replace(fix, why=why, safety=Safety.MANUAL))
        else:
            sound.append(fix)
    return replace(finding, fixes=(*sound, *doubtful)) if doubtful else finding
