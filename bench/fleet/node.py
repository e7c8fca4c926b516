"""A node's side of a fleet: says what machine it is, and measures a unit, sending each record as soon as it is there.

Runs in a Ray worker process, which never imports torch: cells run in forks of a launcher, as on one machine.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from bench.fleet.content import ContentStore, parts_of, placed, sha256_of
from bench.fleet.kinds import NodeFacts
from bench.fleet.task import FilePart, JobTask, Message, UnitTask
from bench.fleet.tree import version_of
from bench.steps import STEPS
from diagnostics.codec import decode_as, encode
from suite import spec_codec
from suite.engine.run import described, diagnosis
from suite.engine.run_config import RunConfig
from suite.engine.session import Session
from suite.import_root import TREE
from suite.record import Record, record_from_dict
from suite.runs.store import RunFolder
from suite.worker.client import Launcher, LauncherError, Worker
from suite.worker.job_options import JobOptions
from suite.worker.protocol import Job

Send = Callable[[Message], None]
"""Sends a message to the driver and returns when it has arrived."""
Fetch = Callable[[str], Iterable[bytes]]
"""Returns the parts of the content with that hash."""

ESSENTIAL: Final = ("torch",)
"""Modules without which a node measures nothing: if one cannot be imported, its units are tried elsewhere."""

_LAUNCHERS: Final[dict[str, Worker]] = {}
"""The launcher of this Ray worker process; it goes on for the next unit, imports and all."""


class NodeUnfit(RuntimeError):
    """Error raised if this node cannot measure, whatever the cell; the unit is tried elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a node keeps what it needs again."""

    folder: Path

    @classmethod
    def of(cls, node: str) -> Place:
        """Return this node's folder; several nodes of a simulated fleet may share a machine."""
        top = Path(tempfile.gettempdir()) / f"torch-vitals-fleet-{os.getuid()}"
        return cls(folder=top / node[:16])

    @property
    def content(self) -> ContentStore:
        """Files by their hash."""
        return ContentStore(self.folder / "content")

    @property
    def cache(self) -> Path:
        """The node's own caches of exports and states."""
        return self.folder / "cache"


@contextlib.contextmanager
def turn_at(folder: Path, *, alone: bool) -> Iterator[None]:
    """Wait for this machine and hold it: alone while anything is measured, beside others otherwise.

    A file lock, because the kernel frees it when its holder dies. Ray alone would not do: it gives a processor away
    again while its holder waits for an object, and two drivers may each think the node theirs.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "measuring.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


def take_priority() -> str:
    """Give this process the priority of the node's own Ray process; return what is to be told if that is refused.

    Ray starts its workers at nice 15, so that a cell would be measured behind every other process of the machine. Only
    root may go back; others start the node with RAY_worker_niceness=0.
    """
    wanted = os.getpriority(os.PRIO_PROCESS, os.getppid())
    if os.getpriority(os.PRIO_PROCESS, 0) <= wanted:
        return ""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, wanted)
        return ""
    return (
        f"cells are measured at nice {os.getpriority(os.PRIO_PROCESS, 0)}, behind every other process there;"
        " next: RAY_worker_niceness=0 ray start ..."
    )


def prepare(node: str, host: str, label: str, num_cpus: float, num_gpus: float) -> dict[str, Any]:
    """Return the facts of this node as data, see `NodeFacts`; a problem is a field of them."""
    from importlib.util import find_spec

    from diagnostics.gather import gather

    place = Place.of(node)
    place.content.clear_old()
    _clear_units(place.folder)
    environment = gather(quick=True)
    lacking = [name for name in ESSENTIAL if find_spec(name) is None]
    problem = (
        f"{', '.join(lacking)} cannot be imported there; next: install what the driver has"
        if lacking
        else ""
    )
    return encode(  # type: ignore[no-any-return]
        NodeFacts(
            node=node,
            host=host,
            label=label,
            num_cpus=num_cpus,
            num_gpus=num_gpus,
            version=version_of(TREE),
            machine=described(environment),
            problem=problem,
            caution=take_priority(),
        )
    )


def run_unit(data: Mapping[str, Any], node: str, send: Send, fetch: Fetch) -> None:
    """Measure the unit; every record is sent when it is there, after the files that it names.

    Raises NodeUnfit if the node is not fit to; failures of cells are records.
    """
    task = decode_as(UnitTask, data)
    place = Place.of(node)
    with turn_at(place.folder, alone=task.is_timed):
        outbox = Outbox(task=task, node=node, send=send)
        outbox.begin()
        folder = place.folder / f"unit-{os.getpid()}" / f"{task.attempt}" / task.run_id
        run = RunFolder(folder)
        try:
            for part in (run.onnx, run.logs):
                part.mkdir(parents=True, exist_ok=True)
            _bring(task, place, run, fetch)
            outbox.seen |= {path for path in folder.rglob("*") if path.is_file()}
            session = _session(task, place, run)
            session.on_begin = lambda cell, step: outbox.begin(f"{cell.id}/{step}")
            session.on_end = lambda record: outbox.record(record, run)
            for planned in task.steps:
                session.measure(planned.cell, planned.step)
            outbox.files(run, (run.logs, run.onnx))
            outbox.end()
        finally:
            shutil.rmtree(folder.parents[1], ignore_errors=True)


def run_job(data: Mapping[str, Any], node: str) -> dict[str, Any]:
    """Return the answer to a job that belongs to no cell, as data; the machine is held alone."""
    task = decode_as(JobTask, data)
    with turn_at(Place.of(node).folder, alone=True):
        answer = _worker(task.worker, task.preload, Path(tempfile.gettempdir())).run(
            Job.from_json(task.job)
        )
    return {"outcome": answer.outcome.value, "result": encode(answer.result)}


@dataclass(slots=True, kw_only=True)
class Outbox:
    """Sends what an attempt brings."""

    task: UnitTask
    node: str
    send: Send
    seen: set[Path] = field(default_factory=set)
    """Files that the driver has."""

    def _tell(self, **what: Any) -> None:
        task = self.task
        self.send(
            Message(
                run_id=task.run_id, unit=task.unit, attempt=task.attempt, node=self.node, **what
            )
        )

    def begin(self, step: str = "") -> None:
        """Tell that the attempt, or a step of it, begins."""
        self._tell(step=step)

    def end(self) -> None:
        """Tell that nothing else comes."""
        self._tell(is_end=True)

    def record(self, record: Record, run: RunFolder) -> None:
        """Send a record, after the files that it names; raise NodeUnfit if it tells of the node and not of the cell."""
        failure = record.failure
        if failure is not None and failure.kind == "launcher":
            raise NodeUnfit(failure.message)
        named = [artifact.path for artifact in record.artifacts]
        named += [failure.log] if failure is not None and failure.log else []
        for path in (run.path / name for name in named):
            beside = path.parent.glob(f"{path.stem}*") if path.parent == run.onnx else (path,)
            self.files(run, sorted(beside))
        self._tell(record=record.as_dict())

    def files(self, run: RunFolder, paths: Iterable[Path]) -> None:
        """Send the files, and those in the folders, that the driver does not have."""
        for top in paths:
            for path in sorted(top.rglob("*")) if top.is_dir() else (top,):
                if path.is_file() and path not in self.seen:
                    self.seen.add(path)
                    self._file(run, path)

    def _file(self, run: RunFolder, path: Path) -> None:
        name, digest = path.relative_to(run.path).as_posix(), sha256_of(path)
        before: FilePart | None = None
        for number, data in enumerate(parts_of(path)):
            if before is not None:
                self._tell(part=before)
            before = FilePart(path=name, number=number, data=data)
        assert before is not None  # an empty file has one empty part
        self._tell(part=FilePart(path=name, number=before.number, data=before.data, sha256=digest))


def _session(task: UnitTask, place: Place, run: RunFolder) -> Session:
    """Return the session in which the unit's steps run, with the driver's inputs at their places here."""
    options = JobOptions.from_dict(moved(task.options, task, place))
    worker = _worker(task.worker, task.preload, run.logs)
    _must_be_fit(worker)
    steps = [(planned.cell, planned.step) for planned in task.steps]
    return Session(
        request=RunConfig(
            specs={name: spec_codec.from_dict(spec) for name, spec in task.specs.items()},
            options=options,
            deadline=task.deadline,
            cold_replicates=task.cold_replicates,
            cache=str(place.cache / "onnx"),
            states=str(place.cache / "states"),
        ),
        folder=run,
        worker=worker,
        steps=STEPS,
        environment_id=task.environment_id,
        diagnose=diagnosis,
        records={r.key: r for r in map(record_from_dict, task.known)},
        cells=tuple(dict.fromkeys(cell for cell, _ in steps)),
        planned=frozenset(f"{cell.id}/{step}" for cell, step in steps),
        sync_seconds=float("inf"),  # the driver keeps them
    )


def moved(value: Any, task: UnitTask, place: Place) -> Any:
    """Return the data with the paths of the task's inputs as they are on this node."""
    tops = sorted({f.path for f in task.files if f.is_input}, key=len, reverse=True)
    return _moved(
        value, {str(p): str(placed(p, place.folder / "inputs")) for p in _with_parents(tops)}
    )


def _with_parents(paths: Iterable[str]) -> list[str]:
    """Return the paths and the folders above them, longest first, but for the root."""
    found = {str(p) for path in paths for p in (Path(path), *Path(path).parents) if p.name}
    return sorted(found, key=len, reverse=True)


def _moved(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        kind, colon, rest = value.partition(":")
        head, target = (kind + colon, rest) if rest.startswith("/") else ("", value)
        path, more, name = target.partition(":")
        if not path.startswith("/") or path not in places:
            return value
        return f"{head}{places[path]}{more}{name}"
    if isinstance(value, Mapping):
        return {key: _moved(item, places) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_moved(item, places) for item in value]
    return value


def _bring(task: UnitTask, place: Place, run: RunFolder, fetch: Fetch) -> None:
    """Put the task's files at their places; what this node has is not sent again."""
    for file in task.files:
        if not place.content.has(file.sha256):
            place.content.add(file.sha256, fetch(file.sha256))
        target = (
            placed(file.path, place.folder / "inputs") if file.is_input else run.path / file.path
        )
        if file.is_input and target.is_file() and sha256_of(target) != file.sha256:
            target.unlink()  # an earlier version of the user's file
        place.content.place(file.sha256, target)


def _worker(maker: str, preload: Iterable[str], logs: Path) -> Worker:
    """Return this process's worker, which takes the next unit, too."""
    known = _LAUNCHERS.get(maker)
    if known is None:
        take_priority()
        if maker:
            module, _, name = maker.partition(":")
            known = getattr(import_module(module), name)(logs)
        else:
            known = Launcher(preload=tuple(preload))
        _LAUNCHERS[maker] = known
    elif isinstance(known, Launcher):
        known.preload(tuple(preload))
    return known


def _must_be_fit(worker: Worker) -> None:
    """Raise NodeUnfit if the launcher does not start or lacks what every cell needs."""
    if not isinstance(worker, Launcher):
        return
    try:
        failed: Mapping[str, str] = worker.wait_until_ready().get("failed") or {}
    except LauncherError as error:
        raise NodeUnfit(str(error)) from error
    for name in ESSENTIAL:
        if name in failed:
            raise NodeUnfit(f"{name} cannot be imported there: {failed[name]}")


def _clear_units(folder: Path) -> None:
    """Remove the folders of units whose process is gone: its node was killed."""
    with contextlib.suppress(OSError):
        for path in folder.glob("unit-*"):
            pid = path.name.removeprefix("unit-")
            if pid.isdigit() and not Path("/proc", pid).exists():
                shutil.rmtree(path, ignore_errors=True)
