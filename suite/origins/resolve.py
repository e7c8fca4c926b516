"""References resolved to records, for the parent: described in a helper process, and kept by version and content."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from diagnostics.did_you_mean import did_you_mean
from suite import spec_codec
from suite.catalog import CatalogError
from suite.origins.describe import RUNNER, DescribeOptions, DescribeResult
from suite.origins.reference import KINDS, PYTHON, Reference
from suite.source_files import files_read_by
from suite.spec import ModelSpec
from suite.worker.client import Launcher, Worker
from suite.worker.job_options import JobOptions, Origin
from suite.worker.protocol import Job

SCHEMA: Final = 1
"""Incremented by a change after which descriptions have to be made again."""
DEADLINE: Final = 600.0
CACHE: Final = Path(".vitals", "cache", "origins")
"""Folder for descriptions, by default."""
TREE: Final = Path(__file__).parent


def resolve(
    references: Sequence[Reference],
    cache: Path | None,
    *,
    may_download: bool = False,
    worker: Callable[[], Worker] | None = None,
) -> dict[str, tuple[Origin, ModelSpec]]:
    """Return model -> origin and record, globs expanded, in the order asked.

    `cache` is a folder for descriptions. What is not there is described by `worker()`, which stays open, or by a
    launcher of its own. Raise CatalogError for a library that is missing, a name that does not exist, and whatever
    keeps a file from being read.
    """
    for kind in dict.fromkeys(reference.kind for reference in references):
        _need_package(kind)
    single = expand_globs(references, cache, worker)
    store = _Descriptions(cache)
    known = {r.text: store.get(r) for r in single}
    missing = [r for r in single if known[r.text] is None]
    if missing:
        found = _ask(
            DescribeOptions(texts=tuple(r.text for r in missing), may_download=may_download),
            worker,
        )
        if found.errors:
            text, message = next(iter(found.errors.items()))
            more = f" (and {len(found.errors) - 1} more)" if len(found.errors) > 1 else ""
            own = f"--models {_short(text)}: "
            told = message.removeprefix(own.removeprefix("--models "))
            raise CatalogError(f"{'' if told.startswith('--models ') else own}{told}{more}")
        known |= found.specs
        store.keep({r: found.specs[r.text] for r in missing})
    origins: dict[str, tuple[Origin, ModelSpec]] = {}
    for reference in single:
        data = known[reference.text]
        assert data is not None
        spec = spec_codec.from_dict(data)
        taken = origins.get(spec.name)
        if taken is not None and taken[0].text != reference.text:
            raise CatalogError(
                f"two models are called {spec.name!r}: {_short(taken[0].text)} and {_short(reference.text)};"
                " next: measure them in two runs"
            )
        origins[spec.name] = (Origin(text=reference.text, spec=data), spec)
    return origins


def expand_globs(
    references: Iterable[Reference],
    cache: Path | None,
    worker: Callable[[], Worker] | None = None,
) -> list[Reference]:
    """Return the references with each glob replaced by the names it matches; raise CatalogError if it matches none."""
    found: dict[Reference, None] = {}
    for reference in references:
        if not reference.is_glob:
            found[reference] = None
            continue
        names = names_of(reference.kind, cache, worker)
        hits = fnmatch.filter(names, reference.target)
        if not hits:
            raise CatalogError(
                f"--models {reference.text}: matches none of the {len(names)} models of {reference.kind}"
                f"{did_you_mean(reference.target.strip('*'), names, is_listed=False)};"
                f" next: python -m suite list '{reference.kind}:*'"
            )
        found.update(dict.fromkeys(Reference(kind=reference.kind, target=name) for name in hits))
    return list(found)


def names_of(
    kind: str, cache: Path | None, worker: Callable[[], Worker] | None = None
) -> tuple[str, ...]:
    """Return the names of the library's models; raise CatalogError if it is not installed."""
    _need_package(kind)
    store = _Descriptions(cache)
    whole = Reference(kind=kind, target="*")
    held = store.get(whole)
    if held is None:
        held = {"names": list(_ask(DescribeOptions(kinds=(kind,)), worker).names[kind])}
        store.keep({whole: held})
    return tuple(held["names"])


def must_be_named(reference: Reference, cache: Path | None) -> None:
    """Raise CatalogError with "did you mean" if a library has no such model; ids and files are not looked up."""
    if not KINDS[reference.kind].is_library or reference.path or "/" in reference.target:
        return
    names = names_of(reference.kind, cache)
    if reference.target not in names:
        raise CatalogError(
            f"{reference.kind} has no model {reference.target!r}"
            f"{did_you_mean(reference.target, names, is_listed=False)};"
            f" next: python -m suite list '{reference.kind}:*'"
        )


def _need_package(kind: str) -> None:
    package = KINDS[kind].package
    if not package:
        return
    try:
        version(package)
    except PackageNotFoundError:
        raise CatalogError(
            f"{kind}: models need {package}, which is not installed; next: pip install {package}"
        ) from None


def _ask(options: DescribeOptions, worker: Callable[[], Worker] | None = None) -> DescribeResult:
    own = Launcher() if worker is None else None
    asked = own or (worker and worker())
    assert asked is not None
    try:
        answer = asked.run(
            Job(runner=RUNNER, options=JobOptions().extended(options), deadline=DEADLINE)
        )
    finally:
        if own is not None:
            own.close()
    if answer.failure is not None:
        raise CatalogError(f"--models: {answer.failure.message}")
    return answer.read(DescribeResult)


def _short(text: str) -> str:
    """Return a reference as a user types it: a file by its name."""
    kind, _, target = text.partition(":")
    return text if KINDS[kind].is_library else Path(target).name


class _Descriptions:
    """Descriptions kept in a folder: one file per library and its version, or per file and its content."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._read: dict[str, dict[str, Any]] = {}
        self._keys: dict[str, str] = {}

    def get(self, reference: Reference) -> dict[str, Any] | None:
        """Return the description, or None if there is none of these versions and this content."""
        if self._folder is None:
            return None
        held: dict[str, Any] | None = self._held(reference).get(reference.text)
        return held

    def keep(self, found: Mapping[Reference, dict[str, Any]]) -> None:
        """Keep the descriptions; a folder that cannot be written is no error: they are made again."""
        if self._folder is None:
            return
        changed = {}
        for reference, data in found.items():
            held = self._held(reference)
            held[reference.text] = data
            changed[self._key(reference)] = held
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for key, held in changed.items():
                path = self._folder / f"{key}.json"
                partial = path.with_suffix(".partial")
                partial.write_text(json.dumps(held), encoding="utf-8")
                partial.replace(path)
        except OSError:
            return

    def _held(self, reference: Reference) -> dict[str, Any]:
        key = self._key(reference)
        if key not in self._read:
            try:
                assert self._folder is not None
                self._read[key] = json.loads((self._folder / f"{key}.json").read_text("utf-8"))
            except (OSError, ValueError):
                self._read[key] = {}
        return self._read[key]

    def _key(self, reference: Reference) -> str:
        path = reference.path
        place = f"{reference.kind} {path}"
        if place not in self._keys:
            parts = [str(SCHEMA), place, *_versions(reference.kind), *_sources()]
            if path is not None:
                parts += _content(reference.kind, path)
            digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
            self._keys[place] = f"{reference.kind}-{digest}"
        return self._keys[place]


def _versions(kind: str) -> list[str]:
    found = []
    for package in ("torch", *KINDS[kind].versions):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found


def _sources() -> list[str]:
    """Return digests of this package: another way to describe gives other descriptions."""
    files = [*sorted(TREE.glob("*.py")), TREE.parent / "spec.py", TREE.parent / "lifecycle.py"]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def _content(kind: str, path: Path) -> list[str]:
    files = files_read_by(path) if kind == PYTHON else sorted(_within(path))
    return [
        hashlib.sha256(file.read_bytes()).hexdigest()
        if kind == PYTHON
        else f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}"
        for file in files
    ]


def _within(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.iterdir() if file.is_file()]
