"""Checks free space and write access where installs, caches and compilers write."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.finding_builders import by_hand, export, finding, gib
from diagnostics.registry import check

ROOM_FOR_TORCH = 10 << 30
"""A CUDA build with its libraries takes 5.4 GB and is unpacked beside its download."""
NEARLY_FULL = 1 << 30
VARIABLES = {
    "temporary": "TMPDIR",
    "extensions": "TORCH_EXTENSIONS_DIR",
    "inductor": "TORCHINDUCTOR_CACHE_DIR",
    "triton": "TRITON_CACHE_DIR",
}


@check("disk-full-install", "Disks have room", "storage")
def disk_room(environment: Environment) -> Iterator[Finding]:
    """A disk that installs or runs write to is almost full.

    Why: `No space left on device`, often halfway through an install. Cure: free some space, or move
    TMPDIR and the caches to another disk.
    """
    seen: set[tuple[int, int]] = set()
    for disk in environment.disks:
        if disk.free < 0 or (disk.total, disk.free) in seen:
            continue
        seen.add((disk.total, disk.free))
        if disk.free < NEARLY_FULL:
            level = Level.WARN
        elif disk.free < ROOM_FOR_TORCH and disk.purpose in ("environment", "temporary"):
            level = Level.INFO
        else:
            continue
        yield finding(
            level,
            f"{gib(disk.free)} free for the {disk.purpose} ({disk.path})",
            subject=disk.purpose,
            cause="installing a CUDA build of torch takes about 10 GB for a while",
            evidence={disk.path: f"{gib(disk.free)} free of {gib(disk.total)}"},
            fixes=(
                by_hand(
                    f"TMPDIR=/big/disk {environment.python.executable} -m pip install "
                    f"--no-cache-dir ...",
                    "unpacks elsewhere and keeps no copy",
                ),
            ),
        )


@check("tmp-noexec", "Compiled code can be run from the caches", "storage")
def caches(environment: Environment) -> Iterator[Finding]:
    """A folder for compiled code is not writable or mounted noexec.

    Why: torch.compile and extensions cannot load what they have just built. Cure: set the variable
    to another folder.
    """
    for disk in environment.disks:
        variable = VARIABLES.get(disk.purpose)
        if variable is None or (disk.writable and not disk.noexec):
            continue
        why = "mounted noexec" if disk.noexec else f"not writable ({disk.blocker})"
        yield finding(
            Level.WARN,
            f"the folder for {disk.purpose} files is {why}",
            subject=disk.purpose,
            cause="code that is compiled there cannot be loaded" if disk.noexec else "permissions",
            evidence={disk.path: why},
            fixes=(export(f"export {variable}=$HOME/tmp-torch", "any folder of yours"),),
            explains=("deep-compile", "deep-extension"),
        )


@check("environment-writable", "Fixes can be installed", "storage")
def environment_writable(environment: Environment) -> Iterator[Finding]:
    """This user cannot write to the environment's folder.

    Why: installs fail, or go to the user site, whose packages then take precedence. Cure: create an
    environment of your own.
    """
    for disk in environment.disks:
        if disk.purpose == "environment" and not disk.writable and disk.is_directory:
            yield finding(
                Level.INFO,
                "this user cannot install into the environment",
                evidence={disk.path: "not writable"},
                fixes=(by_hand("python3 -m venv .venv", "an environment of your own"),),
            )
