"""Is the interpreter itself one that PyTorch can be installed into."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import by_hand, finding, listing
from diagnostics.install_commands import install
from diagnostics.registry import Skipped, check
from diagnostics.tables import torch_releases
from diagnostics.version import allows


@check("python-has-no-wheel", "torch has wheels for this Python", "python")
def python_has_no_wheel(environment: Environment) -> Iterator[Finding]:
    """The Python is older or newer than any torch wheel.

    Why: installers then say `No matching distribution found for torch`.
    Cure: an environment with a Python that the wanted torch was built for.
    """
    parts = environment.python.version.split(".")
    if len(parts) < 2 or not parts[1].isdigit():
        raise Skipped("the Python's version is not known")
    minor = (int(parts[0]), int(parts[1]))
    oldest, newest = torch_releases.NEWEST.python
    if "torch" in environment.packages or oldest <= minor <= newest:
        return
    usable = torch_releases.newest_for(minor)
    if minor > newest:
        level, news = Level.WARN, "newer than every Python in the table"
    elif usable:
        level, news = Level.INFO, f"torch {usable.torch} is the newest with a wheel for it"
    else:
        level, news = Level.ERROR, "no torch wheel exists for it"
    best = f"{newest[0]}.{newest[1]}"
    yield finding(
        level,
        f"Python {environment.python.version}: {news}",
        cause=f"torch {torch_releases.NEWEST.torch} has wheels for Python "
        f"{oldest[0]}.{oldest[1]} to {best} (table of {torch_releases.DATED})",
        evidence={environment.python.executable: environment.python.version},
        fixes=(
            Fix(
                argv=("uv", "venv", "--python", best, ".venv"),
                why="makes an environment with a Python that has wheels",
            ),
        ),
    )


@check("requires-python", "Installed packages accept this Python", "python")
def requires_python(environment: Environment) -> Iterator[Finding]:
    """A package says that it does not run on this Python.

    Why: it was forced in, or the environment was made for another Python.
    Cure: install a version of it for this Python.
    """
    version = environment.python.version
    bad = [
        item
        for item in environment.distributions
        if item.requires_python and version and not allows(item.requires_python, version)
    ]
    if bad:
        names = [f"{item.name} {item.version} ({item.requires_python})" for item in bad]
        yield finding(
            Level.ERROR,
            f"Python {version} is refused by {listing(names)}",
            cause="the package's metadata exclude this Python",
            evidence={
                item.directory: f"Requires-Python {item.requires_python}" for item in bad[:3]
            },
            fixes=(
                install(
                    environment,
                    *(item.name for item in bad),
                    why="lets the installer pick versions for this Python",
                    reinstall=True,
                ),
            ),
        )


@check("pep668", "Installs are allowed here", "python")
def pep668(environment: Environment) -> Iterator[Finding]:
    """The interpreter belongs to the operating system and refuses installs.

    Why: installers stop with `error: externally-managed-environment`.
    Cure: a virtual environment.
    """
    marker = environment.python.externally_managed
    if marker:
        yield finding(
            Level.INFO,
            "this Python belongs to the operating system: installs into it are refused",
            cause="the distribution marks it EXTERNALLY-MANAGED (PEP 668)",
            evidence={marker: "present"},
            fixes=(
                Fix(
                    argv=(environment.python.executable, "-m", "venv", ".venv"),
                    why="makes a virtual environment; install into that",
                ),
            ),
        )


@check("glibc-too-old", "The C library is new enough", "python")
def glibc_too_old(environment: Environment) -> Iterator[Finding]:
    """The C library is older than what the wheels were built for, or is not glibc.

    Why: installers skip such wheels (`from versions: ...` shows only old ones), and libraries
    copied in by force do not load. Cure: a newer distribution or container, or an older torch.
    """
    family, _, version = environment.python.libc.partition(" ")
    if environment.python.manylinux_veto:
        yield finding(
            Level.WARN,
            "a _manylinux.py tells installers to refuse wheels",
            cause="the hook of PEP 600 can hide every recent wheel",
            evidence={environment.python.manylinux_veto: "present"},
            fixes=(
                by_hand(
                    f"mv {environment.python.manylinux_veto} "
                    f"{environment.python.manylinux_veto}.off",
                    "lets installers judge by the real C library",
                ),
            ),
        )
    if environment.system.system != "Linux" or not family:
        return
    if family in ("glibc", "libc") and version and not allows(">=2.28", version):
        yield finding(
            Level.ERROR,
            f"glibc {version} is too old for current torch wheels (2.28)",
            cause="torch >= 2.7 is built for manylinux_2_28",
            evidence={"libc": environment.python.libc},
            fixes=(
                by_hand(
                    f"{environment.python.executable} -m pip install 'torch<2.7' torchvision",
                    "the last series for manylinux2014; or use a newer distribution or container",
                ),
            ),
        )
    elif family not in ("glibc", "libc"):
        yield finding(
            Level.ERROR,
            f"{family} is not glibc: there are no torch wheels for it",
            cause="PyTorch publishes manylinux wheels only",
            evidence={"libc": environment.python.libc},
            fixes=(by_hand("use a Debian or Ubuntu based image", "brings glibc"),),
        )


@check("user-site-or-pythonpath-shadow", "Each package is installed once on the path", "python")
def shadowed_distribution(environment: Environment) -> Iterator[Finding]:
    """A package is installed in two folders of the search path in different versions.

    Why: the first one wins, often from the user site or PYTHONPATH, and mixes with the rest:
    `module 'torch._C' has no attribute ...`. Cure: remove one, or set PYTHONNOUSERSITE=1.
    """
    seen: dict[str, list[tuple[str, str]]] = {}
    for item in environment.distributions:
        place = item.directory.rpartition("/")[0]
        seen.setdefault(item.name, []).append((place, item.version))
    for name, places in seen.items():
        if len({version for _, version in places}) < 2:
            continue
        first, second = places[0], places[1]
        same_folder = first[0] == second[0]
        user = environment.python.user_site == first[0]
        fix = (
            by_hand("export PYTHONNOUSERSITE=1", "leaves the user site out")
            if user
            else by_hand(f"rm -r {first[0]}/{name.replace('-', '_')}-*", "after a look at both")
        )
        if same_folder:
            fix = install(environment, name, why="leaves one version", reinstall=True)
        yield finding(
            Level.ERROR
            if name in ("torch", "numpy", "torchvision") and not same_folder
            else Level.WARN,
            f"{name} is installed twice: {first[1]} hides {second[1]}",
            subject=name,
            cause="an interrupted upgrade" if same_folder else "two folders of the search path",
            evidence=dict(places),
            fixes=(fix,),
        )


@check("broken-metadata", "Package metadata can be read", "python")
def broken_metadata(environment: Environment) -> Iterator[Finding]:
    """A metadata folder lacks METADATA, Name or Version.

    Why: installers refuse to touch such a package and dependency checks cannot see it.
    Cure: remove the folder and install the package again.
    """
    for item in environment.distributions:
        if not item.flaw:
            continue
        yield finding(
            Level.WARN,
            f"the metadata of {item.name} cannot be used",
            subject=item.name,
            cause="an interrupted install or uninstall",
            evidence={item.directory: item.flaw},
            fixes=(by_hand(f"rm -r {item.directory}", "then install the package again"),),
        )
