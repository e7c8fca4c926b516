"""Finds the package that owns a file which several packages installed."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.dependencies import closure, required_by
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import finding, listing
from diagnostics.install_commands import in_turn, install, remove
from diagnostics.packages import TWINS
from diagnostics.records import Overlap
from diagnostics.registry import check, need
from diagnostics.torch_build_choice import has_gpu, index_of

MANY_MODULES = 3
"""From so many shared Python files on, two packages are in each other's way."""


@check("files-claimed-twice", "No two packages own the same files", "files")
def claimed_twice(environment: Environment) -> Iterator[Finding]:
    """Two packages installed different files under the same paths.

    Why: the last one installed wins, and uninstalling either breaks the other. After an upgrade of
    torch, NVIDIA's packages for CUDA 12 and 13 overwrite each other. Cure: remove the one that
    nothing requires, and reinstall the other.
    """
    files = need(environment.files, "files were not compared")
    serious = [overlap for overlap in files.overlaps if _is_serious(overlap)]
    nvidia = [overlap for overlap in serious if overlap.first.startswith("nvidia-")]
    groups = [nvidia] if nvidia else []
    groups += _connected([overlap for overlap in serious if overlap not in nvidia])
    for overlaps in groups:
        yield _contest(environment, overlaps)
    for overlap in files.overlaps:
        if overlap not in serious:
            yield finding(
                Level.INFO,
                f"{overlap.first} and {overlap.second} both own {overlap.num_files} file(s)",
                subject=overlap.first,
                cause="both put them beside their packages",
                evidence={"for example": overlap.example},
            )


def _is_serious(overlap: Overlap) -> bool:
    code = overlap.num_files >= MANY_MODULES and overlap.example.endswith((".py", ".so"))
    twins = any({overlap.first, overlap.second} <= set(group) for group in TWINS)
    return bool(overlap.num_libraries) or code or twins


def _connected(overlaps: list[Overlap]) -> list[list[Overlap]]:
    """Return the overlaps grouped by shared packages: three builds of OpenCV are one finding."""
    groups: list[tuple[set[str], list[Overlap]]] = []
    for overlap in overlaps:
        names, rows = {overlap.first, overlap.second}, [overlap]
        for group in [group for group in groups if group[0] & names]:
            groups.remove(group)
            names, rows = names | group[0], group[1] + rows
        groups.append((names, rows))
    return [rows for _, rows in groups]


def _contest(environment: Environment, overlaps: list[Overlap]) -> Finding:
    """Return the finding for one group of overlaps, with the owner and one command."""
    kept, gone = _owners(environment, overlaps)
    names = tuple(dict.fromkeys(name for o in overlaps for name in (o.first, o.second)))
    wrong = [o for o in overlaps if o.on_disk not in kept and (o.on_disk or o.num_libraries)]
    needed = [name for name in kept if name in closure(environment, "torch")]
    count = sum(overlap.num_files for overlap in overlaps)
    says = f"{count} file(s); {listing(kept)} should have them"
    if wrong and needed:
        says += f", those of {listing(gone)} are there"
    codes = ("file-truncated", "file-missing", "dangling-lib-symlink", "dependency-unmet")
    return finding(
        Level.ERROR if wrong and needed else Level.WARN,
        f"{listing(names)} {'both' if len(names) == 2 else 'all'} own {says}",
        subject=overlaps[0].first,
        cause=_reason(environment, kept, gone),
        evidence={
            o.example: f"installed last by {o.on_disk or 'neither alone'}" for o in overlaps[:4]
        },
        fixes=(leave(environment, kept, gone),),
        explains=(
            *(f"{code}:{name}" for code in codes for name in names),
            *(f"extension-misbuilt:{name}" for name in names),
            *(("symbol-version-missing:nvidia-*", "deep-cuda*") if needed else ()),
        ),
    )


def _owners(
    environment: Environment, overlaps: list[Overlap]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return (packages to keep, packages to remove)."""
    wanted = closure(environment, "torch")
    gone: list[str] = []
    for overlap in overlaps:
        pair = [name for name in (overlap.first, overlap.second) if name not in gone]
        if len(pair) < 2:
            continue
        keep = choose(environment, pair, wanted, overlap.on_disk)
        gone += [name for name in pair if name != keep]
    names = dict.fromkeys(name for o in overlaps for name in (o.first, o.second))
    return tuple(name for name in names if name not in gone), tuple(dict.fromkeys(gone))


def choose(
    environment: Environment, names: list[str], wanted: object = (), on_disk: str = ""
) -> str:
    """Return the package to keep: torch's, else one that others require, else the one whose files
    are on the disk.
    """

    def claim(name: str) -> tuple[bool, bool, int, bool, bool, bool]:
        runtime = name.startswith("onnxruntime")
        return (
            isinstance(wanted, dict) and name in wanted,
            runtime and ("gpu" in name) == has_gpu(environment),
            len(required_by(environment, name)),
            name == on_disk,
            "contrib" in name,  # holds all that its smaller twin holds
            name == names[-1] and not runtime,
        )

    return max(names, key=claim)


def _reason(environment: Environment, kept: tuple[str, ...], gone: tuple[str, ...]) -> str:
    owners = tuple(dict.fromkeys(o for name in kept for o in required_by(environment, name)))
    asked = f"{listing(owners)} asks for {listing(kept)}" if owners else ""
    left = "an upgrade has left the packages of another CUDA behind"
    if all(name.startswith("nvidia-") for name in gone):
        return f"{left}; {asked}" if asked else left
    both = "they install into one folder, and the one installed last has won"
    return f"{both}; {asked}" if asked else both


def leave(environment: Environment, kept: tuple[str, ...], gone: tuple[str, ...]) -> Fix:
    """Return the command that removes some and then puts the files of the others back."""
    versions = environment.packages
    pins = [f"{name}=={versions[name]}" if name in versions else name for name in kept]
    variant = index_of(environment, kept[0])
    return in_turn(
        remove(environment, *gone, why=""),
        install(environment, *pins, why="", variant=variant, reinstall=True, dependencies=False),
        why=f"removes {listing(gone)}, then puts the files of {listing(kept)} back",
    )
