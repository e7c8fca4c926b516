"""Collecting the facts about the machine and the examined Python: an `Environment`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from diagnostics.environment import Environment
from diagnostics.facts import (
    builds,
    distributions,
    frame,
    gpu,
    hub,
    interpreter,
    linkage,
    measurement_noise,
    ports,
    record,
    repository,
    shadows,
    storage,
    system,
    toolchain,
    variables,
)
from diagnostics.facts.loader import Loader
from diagnostics.facts.timed_collector import Slot, collect
from diagnostics.records import Distribution, Driver, Interpreter, Repository, System


def gather(python: str | None = None, *, quick: bool = False, commit: bool = True) -> Environment:
    """Collect the facts about this machine and about `python` (this interpreter when None).

    `quick` leaves out the walks over RECORDs and libraries and takes under 150 ms; without `commit`
    git is not asked about the current folder, which no check reads. A collector
    that fails or is late leaves its default and a line in `errors`. Raises
    `facts.interpreter.NotAPython` when `python` names no interpreter.
    """
    errors: dict[str, str] = {}
    path = interpreter.locate(python) if python else None
    chosen = collect("variables", variables.watched, {}, errors)
    loader = Loader(library_path=_library_path(chosen))
    probe = gpu.Probe(loader, quick=quick)
    describe_commit = repository.describe if commit else Repository
    beside = {
        "gpu": _slot("gpu", partial(gpu.devices, probe), seconds=gpu.LONGEST_SECONDS),
        "git": _slot("git", describe_commit, seconds=3.0),
        "quiet": _slot("quiet", measurement_noise.describe, seconds=2.0),
    }
    subject = _python(path, errors)
    facts: dict[str, Any] = {"python": subject, "variables": chosen}
    facts["system"] = collect("system", system.describe, System(), errors)
    installed = partial(distributions.installed, subject.site_packages, subject.pythonpath)
    if quick:
        named = partial(distributions.versions, subject.site_packages)
        facts["packages"] = collect("packages", named, {}, errors)
    else:
        facts["distributions"] = collect("packages", installed, (), errors, seconds=10.0)
        facts["packages"] = {d.name: d.version for d in reversed(facts["distributions"])}
        conda = partial(distributions.conda_packages, subject.prefix)
        facts["conda"], conda_files = collect("conda", conda, ((), frozenset()), errors)
        facts |= _walks(subject, facts["distributions"], conda_files, loader, errors)
        around = partial(frame.describe, subject, facts["distributions"], chosen, loader)
        facts["frame"] = collect("frame", around, None, errors)
    gpus, driver = beside["gpu"].result(((), Driver()), errors)
    facts |= {"gpus": gpus, "driver": driver}
    build = partial(
        builds.describe,
        (*subject.pythonpath, *subject.site_packages),
        loader,
        architectures=bool(gpus),
    )
    facts["builds"] = collect("builds", build, {}, errors)
    facts |= _surroundings(subject, chosen, facts["packages"], errors, quick=quick)
    facts["git"] = beside["git"].result(Repository(), errors)
    facts["quiet"] = beside["quiet"].result(None, errors)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Environment(gathered_at=now, quick=quick, errors=errors, **facts)


def _slot(name: str, collector: Callable[[], Any], *, seconds: float) -> Slot[Any]:
    return Slot(name, collector, seconds=seconds)


def _python(path: str | None, errors: dict[str, str]) -> Interpreter:
    unknown = Interpreter(executable=path or "", version="")
    subject: Interpreter
    subject, failure = collect(
        "python",
        partial(interpreter.describe, path),
        (unknown, ""),
        errors,
        seconds=interpreter.LONGEST_SECONDS,
    )
    if failure:
        errors["python"] = failure
    return subject


def _library_path(chosen: dict[str, str]) -> tuple[str, ...]:
    return tuple(part for part in chosen.get("LD_LIBRARY_PATH", "").split(":") if part)


def _walks(
    subject: Interpreter,
    found: tuple[Distribution, ...],
    conda_files: frozenset[str],
    loader: Loader,
    errors: dict[str, str],
) -> dict[str, Any]:
    """RECORD against the disk, then the libraries that the RECORDs name."""
    survey = collect(
        "files", partial(record.survey, found, conda_files), None, errors, seconds=30.0
    )
    if survey is None:
        return {}
    files, libraries = survey
    walk = partial(linkage.walk, libraries, subject, loader, found)
    return {"files": files, "linkage": collect("linkage", walk, None, errors, seconds=30.0)}


def _surroundings(
    subject: Interpreter,
    chosen: dict[str, str],
    packages: dict[str, str],
    errors: dict[str, str],
    *,
    quick: bool,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "disks": collect("disks", partial(storage.disks, subject, chosen), (), errors),
    }
    if quick:
        return found
    find = partial(shadows.shadows, subject, chosen)
    tools = partial(toolchain.describe, subject, chosen)
    bind = partial(ports.describe, chosen, netron="netron" in packages)
    leftovers = partial(distributions.leftovers, subject.site_packages)
    return found | {
        "shadows": collect("shadows", find, (), errors),
        "toolchain": collect("toolchain", tools, None, errors),
        "hub": collect("hub", partial(hub.describe, chosen), None, errors),
        "ports": collect("ports", bind, None, errors),
        "leftovers": collect("leftovers", leftovers, (), errors),
    }
