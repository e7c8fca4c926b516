"""Install commands for the examined interpreter in the words of the installer that it uses."""

from __future__ import annotations

import shlex

from diagnostics.environment import Environment
from diagnostics.finding import Fix
from diagnostics.requirement import normalise

INDEX = "https://download.pytorch.org/whl/"


def installer(environment: Environment, name: str = "torch") -> str:
    """`pip`, `uv` or `conda`: who owns the package, else who fills the environment."""
    by_name = {item.name: item.installer for item in reversed(environment.distributions)}
    conda_names = {normalise(item.name) for item in environment.conda}
    alias = {"torch": "pytorch"}.get(name, name)
    owner = by_name.get(normalise(name), "")
    if {normalise(name), alias} & conda_names and owner in ("", "conda"):
        return "conda"
    if owner in ("pip", "uv"):
        return owner
    votes = [item.installer for item in environment.distributions if item.installer]
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
) -> Fix:
    """The command that installs the requirements into the examined interpreter.

    `variant` such as `cu126` or `cpu` picks PyTorch's own index. `reinstall` is needed where the
    installed version compares equal to the wanted one, or where files are damaged.
    """
    tool = installer(environment, _name(requirements[0]))
    if tool == "conda" and not variant:
        pinned = [item.replace("==", "=") for item in requirements]
        flags = ["--force-reinstall"] if reinstall else []
        return Fix(
            argv=("conda", "install", "-y", "-p", environment.python.prefix, *flags, *pinned),
            why=why,
        )
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


def remove(environment: Environment, *names: str, why: str) -> Fix:
    """The command that uninstalls the packages from the examined interpreter."""
    tool = installer(environment, names[0])
    if tool == "conda":
        return Fix(
            argv=("conda", "remove", "-y", "--force", "-p", environment.python.prefix, *names),
            why=why,
        )
    if tool == "uv":
        python = environment.python.executable
        return Fix(argv=("uv", "pip", "uninstall", "--python", python, *names), why=why)
    return Fix(
        argv=(environment.python.executable, "-m", "pip", "uninstall", "-y", *names), why=why
    )


def in_turn(*fixes: Fix, why: str) -> Fix:
    """One line that runs several commands, each only when the one before it went well."""
    return Fix(argv=(), shell=" && ".join(line(fix) for fix in fixes), why=why)


def line(fix: Fix) -> str:
    """What to paste into a shell."""
    return fix.shell or shlex.join(fix.argv)


def _installing(environment: Environment, tool: str) -> tuple[str, ...]:
    python = environment.python.executable
    if tool == "uv":
        return ("uv", "pip", "install", "--python", python)
    return (python, "-m", "pip", "install")


def _name(requirement: str) -> str:
    return requirement.partition("[")[0].split("=")[0].split("<")[0].split(">")[0].split("~")[0]
