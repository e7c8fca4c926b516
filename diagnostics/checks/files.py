"""Compares the installed files with the RECORDs of their packages."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import finding, listing
from diagnostics.install_commands import in_turn, install
from diagnostics.records import Damage, Loss
from diagnostics.registry import check, need
from diagnostics.torch_build_choice import index_of

CODE = (".py", ".so", ".pyd", ".dll", ".json", ".cubin", ".bc", ".h")
NVIDIA = "nvidia-"
MANY = 3
"""From so many damaged packages on, one finding tells of all of them."""
TRIALS: dict[str, tuple[str, ...]] = {
    "torchvision": ("deep-vision",),
    "transformers": ("deep-transformers",),
    "tokenizers": ("deep-import:transformers", "deep-transformers"),
    "netron": ("deep-netron",),
    "onnx": ("deep-onnx*", "deep-export"),
    "numpy": ("deep-*",),
    "sympy": ("deep-*",),
    "typing-extensions": ("deep-*",),
}
"""Beginning of a distribution's name -> trials that fail when its files are damaged."""


def _repair(environment: Environment, name: str) -> Fix:
    version = environment.packages.get(name, "")
    return install(
        environment,
        f"{name}=={version}" if version else name,
        why=f"puts the files of {name} back",
        variant=index_of(environment, name),
        reinstall=True,
        dependencies=False,
    )


def _imports(name: str) -> tuple[str, ...]:
    """Return the trials that fail when a distribution's files are damaged."""
    if name.startswith(NVIDIA) or name in ("torch", "triton", "cuda-toolkit"):
        return ("deep-*", "library-missing:*", "nvidia-lib-missing:*", "extension-misbuilt:" + name)
    stem = name.replace("-", "_")
    own = (f"deep-import:{stem}", f"library-missing:{name}", f"extension-misbuilt:{name}")
    return own + next((t for start, t in TRIALS.items() if name.startswith(start)), ())


@check("file-missing", "No installed file is missing", "files")
def file_missing(environment: Environment) -> Iterator[Finding]:
    """A file that a package installed is gone.

    Why: it was deleted, an install was interrupted, or a package that shared it was removed:
    `cannot open shared object file`, `No module named ...`. Cure: install that package again.
    """
    rows = [
        (loss, damages)
        for loss, damages in _losses(environment, ("missing", "dangling", "unreadable"))
        if loss.num_missing and not (damages and all(d.kind == "dangling" for d in damages))
    ]
    if sum(any(_is_code(d.path) for d in damages) for _, damages in rows) >= MANY:
        names = [loss.distribution for loss, _ in rows]
        yield _many_missing(environment, names, [damages[0] for _, damages in rows if damages])
        return
    for loss, damages in rows:
        name = loss.distribution
        yield finding(
            Level.ERROR if any(_is_code(d.path) for d in damages) else Level.INFO,
            f"{name} has lost {loss.num_missing} of its {loss.num_files} files"
            if loss.num_missing > 1
            else f"{name} has lost {_short(damages, environment)}",
            subject=name,
            cause="deleted after the install, or the install broke off",
            evidence={d.path: d.kind for d in damages[:4]},
            fixes=(_repair(environment, name),),
            explains=_imports(name),
        )


def _many_missing(environment: Environment, names: list[str], examples: list[Damage]) -> Finding:
    """Return one finding, with one command, for files of several packages that were lost together."""
    own = [name for name in names if index_of(environment, name)]
    plain = [name for name in names if name not in own]
    again = install(
        environment,
        *(f"{name}=={environment.packages.get(name, '')}".removesuffix("==") for name in plain),
        why="puts the files of all of them back",
        reinstall=True,
        dependencies=False,
    )
    return finding(
        Level.ERROR,
        f"{len(names)} packages have lost files: {listing(names)}",
        subject=names[0],
        cause="a folder was deleted, or an install or a copy broke off",
        evidence={damage.path: damage.kind for damage in examples[:4]},
        fixes=(*((again,) if plain else ()), *(_repair(environment, name) for name in own)),
        explains=tuple(dict.fromkeys(code for name in names for code in _imports(name))),
    )


@check("dangling-lib-symlink", "No library link points nowhere", "files")
def dangling(environment: Environment) -> Iterator[Finding]:
    """A library is a symbolic link whose target no longer exists.

    Why: the loader reports `cannot open shared object file` although `ls` shows the file. Cure:
    install the owner again.
    """
    for loss, damages in _losses(environment, ("dangling",)):
        broken = [damage for damage in damages if damage.kind == "dangling"]
        if not broken:
            continue
        name = loss.distribution
        yield finding(
            Level.ERROR,
            f"{_short(broken, environment)} of {name} is a link that points nowhere",
            subject=name,
            cause="the file behind the link was moved or deleted",
            evidence={damage.path: "dangling link" for damage in broken[:4]},
            # pip fails halfway when it has to uninstall a link that points nowhere.
            fixes=(
                in_turn(
                    Fix(argv=("rm", *(damage.path for damage in broken)), why=""),
                    _repair(environment, name),
                    why=f"removes the dead link, then puts the files of {name} back",
                ),
            ),
            explains=(*_imports(name), f"file-missing:{name}"),
        )


@check("file-truncated", "No installed file was cut short", "files")
def truncated(environment: Environment) -> Iterator[Finding]:
    """A code file or library has another size than when it was installed.

    Why: a full disk or a broken copy: `file too short`, `SyntaxError`, a crash. Edited text or data
    files are information only. Cure: install its package again.
    """
    for loss, damages in _losses(environment, ("size",)):
        changed = [damage for damage in damages if damage.kind == "size"]
        if not loss.num_changed or not changed:
            continue
        name = loss.distribution
        worst = [d for d in changed if _is_library(d.path) or (d.found == 0 and _is_code(d.path))]
        edited = [damage for damage in changed if damage.path.endswith(".py")]
        if worst:
            level, verb = Level.ERROR, "was cut short or replaced"
        elif edited:
            level, verb = Level.WARN, "was edited"
        else:
            level, verb = Level.INFO, "was edited (only data)"
        shown = worst or edited or changed
        yield finding(
            level,
            f"{_short(shown, environment)} of {name} {verb}",
            subject=name,
            cause="a full disk, a broken copy, or an edit in place",
            evidence={
                damage.path: f"{damage.found} bytes, installed with {damage.expected}"
                for damage in shown[:4]
            },
            fixes=(_repair(environment, name),) if level is not Level.INFO else (),
            explains=_imports(name) if level is Level.ERROR else (),
        )


def _losses(
    environment: Environment, kinds: tuple[str, ...]
) -> Iterator[tuple[Loss, list[Damage]]]:
    files = need(environment.files, "files were not compared")
    for loss in files.losses:
        yield (
            loss,
            [
                damage
                for damage in files.damages
                if damage.distribution == loss.distribution and damage.kind in kinds
            ],
        )


def _is_library(path: str) -> bool:
    return ".so" in path.rpartition("/")[2]


def _is_code(path: str) -> bool:
    return _is_library(path) or path.endswith(CODE)


def _short(damages: list[Damage], environment: Environment) -> str:
    roots = sorted((f"{root}/" for root in environment.python.site_packages), key=len)
    names = []
    for damage in damages:
        fit = next((root for root in reversed(roots) if damage.path.startswith(root)), "")
        names.append(damage.path[len(fit) :])
    return listing(names, 2)


@check("interrupted-install", "No install was interrupted", "files")
def interrupted(environment: Environment) -> Iterator[Finding]:
    """pip has left folders whose name begins with `~`.

    Why: an uninstall or upgrade was interrupted after it had moved the old files away; the package
    may be missing or incomplete. Cure: delete them and install the package again.
    """
    if environment.leftovers:
        names = [path.rpartition("/")[2] for path in environment.leftovers]
        yield finding(
            Level.WARN,
            f"an install or uninstall broke off and left {listing(names)}",
            cause="pip moves files aside under such names and was stopped before it removed them",
            evidence=dict.fromkeys(environment.leftovers[:4], "left behind"),
            fixes=(
                Fix(argv=("rm", "-r", *environment.leftovers), why="deletes what was set aside"),
            ),
        )
