"""Install commands for the examined interpreter in the words of the installer that it uses."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Fix
from diagnostics.requirement import normalise, parse_requirement

INDEX = "https://download.pytorch.org/whl/"
TORCH_FAMILY = frozenset({"torch", "torchvision", "torchaudio", "triton"})
CONDA_NAMES = {
    "torch": "pytorch",
    "onnxruntime-gpu": "onnxruntime",
    "opencv-python": "opencv",
    "opencv-python-headless": "opencv",
    "opencv-contrib-python": "opencv",
}
"""Name on the package index -> name of the conda package, where they differ."""
KNOWN_INSTALLERS = ("pip", "uv", "conda", "poetry")


def installer(environment: Environment, name: str = "torch") -> str:
    """Return `pip`, `uv`, `conda` or `poetry`: who owns the package, else who owns the environment."""
    name = normalise(name)
    owners = {item.name: item.installer for item in reversed(environment.distributions)}
    conda_names = {normalise(item.name) for item in environment.conda}
    owner = owners.get(name, "")
    if owner in KNOWN_INSTALLERS:
        return owner
    if {name, CONDA_NAMES.get(name, name)} & conda_names and not owner:
        return "conda"
    # torch's partners and libraries come from where torch came from.
    if name in TORCH_FAMILY and owners.get("torch") in KNOWN_INSTALLERS:
        return owners["torch"]
    if name in TORCH_FAMILY and {"pytorch", "libtorch"} & conda_names:
        return "conda"
    votes = [item.installer for item in environment.distributions]
    if votes.count("poetry") > max(votes.count("pip"), votes.count("uv")):
        return "poetry"
    if votes.count("uv") > votes.count("pip") or not environment.python.has_pip:
        return "uv"
    return "pip"


def install(
    environment: Environment,
    *requirements: str,
    why: str,
    variant: str = "",
    reinstall: bool = False,
    dependencies: bool = True,
    upgrade: bool = False,
    keeps_torch: bool = False,
) -> Fix:
    """Return the command that installs the requirements into the examined interpreter.

    `keeps_torch` names the installed torch as well, so that an installer does not move the CUDA
    libraries that torch pins.

    `variant` such as `cu126`, `rocm6.4` or `cpu` picks PyTorch's own index. `reinstall` is needed
    where the installed version compares equal to the wanted one, or where files are damaged.
    """
    tool = installer(environment, _name(requirements[0]))
    if keeps_torch and tool != "conda" and "torch" in environment.packages:
        requirements = (*requirements, f"torch=={environment.packages['torch']}")
    if tool == "conda":
        return _conda_install(environment, requirements, variant, why, reinstall, dependencies)
    if tool == "poetry":
        return _poetry_install(environment, requirements, variant, why, reinstall)
    argv = [*_installing(environment, tool)]
    if reinstall:
        argv.append("--reinstall" if tool == "uv" else "--force-reinstall")
    if not dependencies:
        argv.append("--no-deps")
    if upgrade:
        argv.append("--upgrade")
    argv += requirements
    if variant:
        argv += ["--index-url", f"{INDEX}{variant}"]
    return Fix(argv=tuple(argv), why=why)


def rebuild(environment: Environment, requirement: str, why: str) -> Fix:
    """Return the command that compiles a package against the installed torch."""
    name = _name(requirement)
    tool = "uv" if installer(environment, name) == "uv" else "pip"
    again = ("--reinstall",) if tool == "uv" else ("--force-reinstall", "--no-cache-dir")
    return Fix(
        argv=(
            *_installing(environment, tool),
            *again,
            "--no-deps",
            "--no-build-isolation",
            "--no-binary",
            name,
            requirement,
        ),
        why=why,
    )


def remove(environment: Environment, *names: str, why: str) -> Fix:
    """Return the command that uninstalls the packages from the examined interpreter."""
    tool = installer(environment, names[0])
    python = environment.python.executable
    if tool == "conda":
        conda = tuple(dict.fromkeys(CONDA_NAMES.get(name, name) for name in names))
        return Fix(
            argv=("conda", "remove", "-y", "--force", "-p", environment.python.prefix, *conda),
            why=why,
        )
    if tool == "uv" or (tool == "poetry" and not environment.python.has_pip):
        return Fix(argv=("uv", "pip", "uninstall", "--python", python, *names), why=why)
    return Fix(argv=(python, "-m", "pip", "uninstall", "-y", *names), why=why)


def in_turn(*fixes: Fix, why: str) -> Fix:
    """Return one line that runs several commands, each only when the one before it succeeded."""
    steps = tuple(step for fix in fixes for step in (fix.steps or (fix.argv,)) if step)
    return Fix(argv=(), shell=" && ".join(line(fix) for fix in fixes), why=why, steps=steps)


def line(fix: Fix) -> str:
    """Return what to paste into a shell."""
    return fix.shell or shlex.join(fix.argv)


def _installing(environment: Environment, tool: str) -> tuple[str, ...]:
    python = environment.python.executable
    if tool == "uv":
        return ("uv", "pip", "install", "--python", python)
    return (python, "-m", "pip", "install")


def _conda_install(
    environment: Environment,
    requirements: tuple[str, ...],
    variant: str,
    why: str,
    reinstall: bool,
    dependencies: bool,
) -> Fix:
    channels = {item.channel for item in environment.conda if item.name in ("pytorch", "libtorch")}
    argv = ["conda", "install", "-y", "-p", environment.python.prefix]
    argv += ["-c", "conda-forge"] if "conda-forge" in channels else []
    argv += ["--force-reinstall"] if reinstall and not variant else []
    argv += ["--no-deps"] if not dependencies and not variant else []
    return Fix(argv=(*argv, *_conda_specs(requirements, variant)), why=why)


def _conda_specs(requirements: tuple[str, ...], variant: str) -> Iterator[str]:
    """The requirements as conda's match specifications; the variant is part of torch's build string."""
    kind = "cuda*" if variant.startswith("cu") else f"{variant.rstrip('.0123456789')}*"
    for requirement in requirements:
        found = parse_requirement(requirement)
        if found is None:
            yield requirement
            continue
        name = CONDA_NAMES.get(found.name, found.name)
        if variant and name == "pytorch":
            # conda itself picks the CUDA version that the driver can run (its package __cuda).
            yield f"{name}=*=*{kind}"
        elif variant:
            yield name
        else:
            ranges = found.ranges.replace(" ", "")
            single = ranges.startswith("==") and "," not in ranges
            yield name + (f"={ranges[2:]}" if single else ranges)


def _poetry_install(
    environment: Environment,
    requirements: tuple[str, ...],
    variant: str,
    why: str,
    reinstall: bool,
) -> Fix:
    """Poetry's own words, run in the project's folder: the lock file stays the truth."""
    prefix = environment.python.prefix
    project, _, folder = prefix.rpartition("/")
    here = ("--directory", project) if folder == ".venv" and project else ()
    names = tuple(dict.fromkeys(_name(item) for item in requirements))
    installed = [name for name in names if normalise(name) in environment.packages]
    if reinstall and not variant and len(installed) == len(names):
        away = remove(environment, *names, why="")
        back = Fix(argv=("poetry", "install", *here), why="")
        return in_turn(away, back, why=f"{why}, as the lock file has it")
    if not variant:
        return Fix(argv=("poetry", "add", *here, *requirements), why=why)
    source = f"pytorch-{variant.replace('.', '')}"
    steps = (
        Fix(
            argv=(
                *("poetry", "source", "add", *here, "--priority", "explicit"),
                *(source, f"{INDEX}{variant}"),
            ),
            why="",
        ),
        Fix(argv=("poetry", "add", *here, "--source", source, *requirements), why=""),
    )
    return in_turn(*steps, why=why)


def _name(requirement: str) -> str:
    found = parse_requirement(requirement)
    return found.name if found else requirement
