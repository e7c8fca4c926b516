"""Messages about Python modules that are not there: which distribution brings them, or why not."""

from __future__ import annotations

from diagnostics.explain.known.distributions import (
    DISTRIBUTIONS,
    OPTIONAL_STANDARD,
    OWN_MODULES,
    REMOVED_STANDARD,
    distribution_of,
    is_known,
)
from diagnostics.explain.row import do, pip, row, rows, run, sh

_OWN = "|".join(sorted(OWN_MODULES))
_KNOWN_AT_RUN = (
    r"/[\w./-]{0,200}python[\d.]{0,8}(?:\.exe)?: No module named (?P<name>[A-Za-z]\w{0,80})$"
)

_MISSING = (
    r"No module named '(?P<name>[A-Za-z_]\w{0,80})'(?!; )",
    r"ImportError: No module named (?P<name>[A-Za-z_]\w{0,80})$",
    _KNOWN_AT_RUN,
)


def _distribution(values: dict[str, str]) -> dict[str, str]:
    return {"package": distribution_of(values.get("name", ""))}


def _unlisted(values: dict[str, str]) -> dict[str, str]:
    name = values.get("name", "")
    package = distribution_of(name)
    if DISTRIBUTIONS.get(name) == "":
        hint = "No package index has ready wheels of it: build it as its repository tells."
    else:
        hint = (
            f"The import name is usually the distribution's name ({package}); look it up, since "
            "another project may have taken that name."
        )
    return {"package": package, "hint": hint}


def _removed(values: dict[str, str]) -> dict[str, str]:
    since, instead = REMOVED_STANDARD.get(values.get("name", ""), ("", ""))
    return {"since": since, "instead": instead}


ROWS = rows(
    "install",
    row(
        "module-missing",
        *_MISSING,
        summary="The module {name} is not installed in the Python that ran this.",
        cause="The distribution {package} brings it: it is missing, or the command used another "
        "Python than the one that it was installed for.",
        cures=(
            pip("install {package}", "installs it for this very interpreter"),
            sh("which -a python pip", "shows whether python and pip belong together"),
        ),
        derive=_distribution,
        when=lambda values: is_known(values["name"]),
        is_fallback=True,
    ),
    row(
        "module-unlisted",
        *_MISSING,
        summary="The module {name} is not installed in the Python that ran this.",
        cause="{hint} A file of your own is found only in the folder of the script or on PYTHONPATH.",
        cures=(
            do(
                "look {name} up on pypi.org or in the project's README, then pip install "
                "{package} or the name given there",
                "brings the right package",
            ),
            sh("which -a python pip", "shows whether python and pip belong together"),
        ),
        derive=_unlisted,
        when=lambda values: not is_known(values["name"]),
        is_fallback=True,
    ),
    row(
        "checkpoint-module-missing",
        rf"No module named '(?P<name>{_OWN})(?:\.[\w.]{{1,80}})?'",
        summary="The module {name} of a project was not found.",
        cause="Projects have a folder of this name themselves: the program was started outside of "
        "its project's folder, or a whole model was pickled inside that project.",
        cures=(
            sh("export PYTHONPATH=$PWD", "finds the folder, when run in the project's root"),
            pip("install --no-deps -e .", "installs the project, where it has a pyproject.toml"),
            do(
                "load the file in that project and save state_dict()",
                "frees saved weights from the project's code",
            ),
        ),
        is_symptom=True,
    ),
    row(
        "submodule-missing",
        r"No module named '(?P<name>(?P<top>[A-Za-z_]\w{0,80})\.[\w.]{1,120})'(?!; )",
        summary="{top} is installed, but its part {name} is not there.",
        cause="The code was written for another version of {top}: the part was moved, removed, or is "
        "newer than the installed release. An extra or a compiled part can be missing as well.",
        cures=(
            run("{python} -m pip show {top}", "tells the installed version"),
            do(
                "look {name} up in the release notes of {top}; upgrade the package that imports "
                "it, or pin the version it was written for",
                "makes the two fit",
            ),
        ),
        is_fallback=True,
    ),
    row(
        "pkg-resources-removed",
        r"No module named '?pkg_resources'?",
        summary="The package still uses pkg_resources, which setuptools 82 removed.",
        cause="setuptools dropped pkg_resources in February 2026; Python's importlib.metadata and "
        "importlib.resources took its place.",
        cures=(
            pip('install "setuptools<82"', "brings the last release that has it"),
            sh(
                "echo 'setuptools<82' > build-constraints.txt && "
                "export PIP_CONSTRAINT=$PWD/build-constraints.txt "
                "UV_BUILD_CONSTRAINT=$PWD/build-constraints.txt",
                "for an error while a package is built: its build environment takes its own copy",
            ),
            do("upgrade the package that imports it", "newer releases do without"),
        ),
        links=("https://setuptools.pypa.io/en/stable/history.html#v82-0-0",),
    ),
    row(
        "deprecated-distutils",
        r"No module named '(?:numpy\.)?distutils",
        summary="The package still uses distutils, which Python 3.12 removed.",
        cause="The release was not made for this Python.",
        cures=(
            pip("install setuptools", "brings a replacement for distutils"),
            do("upgrade the package that imports it", "newer releases do without"),
        ),
    ),
    row(
        "stdlib-removed",
        rf"No module named '(?P<name>{'|'.join(sorted(REMOVED_STANDARD))})'",
        summary="Python {since} removed the module {name} from the standard library.",
        cause="The package that imports it was written for an older Python; in its place: {instead}.",
        cures=(
            do("upgrade the package that imports {name}", "newer releases do without"),
            run("uv venv --python 3.11", "makes an environment with a Python that has it"),
        ),
        derive=_removed,
    ),
    row(
        "stdlib-not-built",
        rf"No module named '(?P<name>{'|'.join(sorted(OPTIONAL_STANDARD))})'",
        summary="This Python was built without {name}.",
        cause="Its build did not find the C library that the module wraps (libbz2, liblzma, "
        "libffi, sqlite, OpenSSL, Tk, readline or zlib); pip cannot bring it.",
        cures=(
            run("uv python install 3.12", "brings a Python that has all of them"),
            do(
                "install the -dev package (libbz2-dev, liblzma-dev, libffi-dev, libsqlite3-dev, "
                "libssl-dev, tk-dev) and build Python again",
                "for pyenv and self-built Pythons",
            ),
        ),
    ),
)
