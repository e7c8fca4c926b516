"""The driver's loop: hands units to nodes, stores what comes back, and tries elsewhere what a node has lost."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

from bench.fleet.cluster import ClusterNode, Ended
from bench.fleet.content import SentFile
from bench.fleet.kinds import Kind
from bench.fleet.ledger import MAX_ATTEMPTS, Ledger
from bench.fleet.task import FilePart, Message, PlannedStep, UnitTask
from bench.fleet.units import Unit, unit_name, units_of
from suite import spec_codec
from suite.axes import CPU
from suite.cell import Cell
from suite.engine.run import Run, preload_for
from suite.outcome import Outcome
from suite.record import Failure, Record, record_from_dict

POLL_SECONDS: Final = 0.5
"""How long the driver waits for a message before it looks whether attempts have ended."""
LOOK_SECONDS: Final = 2.0
"""How often the driver asks which nodes are alive."""
SILENCE_SECONDS: Final = 120.0
"""Beyond the deadline of a job: an attempt that tells nothing for so long is given up, its node may hang."""
Handle = tuple[str, str, int]
"""Run, unit and attempt."""


class Cluster(Protocol):
    """What the driver needs of a cluster: `RayCluster`, or a scripted one."""

    def nodes(self) -> list[ClusterNode]:
        """Return the nodes that are alive."""
        ...

    def share(self, path: Path, name: str) -> SentFile:
        """Make a file's content available to nodes."""
        ...

    def submit(
        self, handle: Any, task: UnitTask, nodes: Sequence[str], num_cpus: float, num_gpus: float
    ) -> None:
        """Start an attempt on one of the nodes."""
        ...

    def messages(self, seconds: float) -> list[Message]:
        """Return what has come; wait up to `seconds` for the first."""
        ...

    def ended(self) -> list[Ended]:
        """Return the attempts that have ended."""
        ...

    def cancel(self, handle: Any) -> None:
        """Give an attempt up."""
        ...

    def forget(self, handle: Any) -> None:
        """Take no more notice of an attempt that has told everything."""
        ...


@dataclass(slots=True)
class Draft:
    """A file of which parts have come."""

    path: Path
    digest: Any = field(default_factory=hashlib.sha256)

    def add(self, data: bytes) -> None:
        """Append a part."""
        self.digest.update(data)
        with self.path.open("ab") as file:
            file.write(data)

    def finish(self, target: Path, sha256: str) -> None:
        """Give the file its name; raise ValueError if its content is not what the node sent."""
        if self.digest.hexdigest() != sha256:
            self.path.unlink(missing_ok=True)
            raise ValueError(
                f"{target.name}: the content that arrived is not the one that was sent"
            )
        self.path.replace(target)


@dataclass(slots=True)
class Attempt:
    """An attempt that goes on."""

    nodes: tuple[str, ...]
    """Nodes that may take it."""
    node: str = ""
    """The node that has taken it; empty = none has yet."""
    heard_at: float = 0.0
    """Monotonic time of its latest message."""
    drafts: dict[str, Draft] = field(default_factory=dict)
    """Path -> file that is on its way."""


@dataclass(slots=True, kw_only=True)
class KindRun:
    """The run of one kind of machine."""

    kind: Kind
    run: Run
    units: Mapping[str, Unit]
    ledger: Ledger
    todo: deque[str]
    """Names of units to be tried, in order."""
    known: dict[str, list[str]] = field(default_factory=dict)
    """Unit that is not done -> keys of the records of its cells."""
    preload: tuple[str, ...] = ()
    """Modules that every node's launcher imports."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the run as data."""
    attempts: dict[Handle, Attempt] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: Kind, run: Run, planned: Sequence[tuple[Cell, str]]) -> KindRun:
        """Return the kind's part of the fleet's work; steps of a resumed run that have their record are not owed."""
        session = run.session
        known: dict[str, list[str]] = {}
        for key in session.records:
            name = unit_name(Cell.parse(key.rpartition("/")[0]))
            known.setdefault(name, []).append(key)
        units = units_of(planned)
        ledger = Ledger.of(units, set(session.records))
        session.pending |= {key for account in ledger.accounts.values() for key in account.owed}
        todo = deque(name for name, account in ledger.accounts.items() if account.owed)
        return cls(
            kind=kind,
            run=run,
            units={unit.name: unit for unit in units},
            ledger=ledger,
            todo=todo,
            known=known,
            preload=preload_for(run.selection, session.steps),
            options=session.request.options.as_dict(),
        )


@dataclass(slots=True, kw_only=True)
class Fleet:
    """All kinds of a fleet at work."""

    cluster: Cluster
    kinds: Sequence[KindRun]
    inputs: Sequence[Path] = ()
    """Files of the user's that every unit needs: see `content.input_files`."""
    worker: str = ""
    """See `UnitTask.worker`."""
    on_begin: Callable[[str, str], None] = lambda where, what: None
    """Told of the node and the step that begins there."""
    clock: Callable[[], float] = time.monotonic
    is_stopped: bool = False
    error: str = ""
    """Why the driver ended before its work; empty = it did not."""
    shared: tuple[SentFile, ...] | None = None
    alive: dict[str, ClusterNode] = field(default_factory=dict)
    looked_at: float = float("-inf")

    def serve(self) -> None:
        """Work until every unit is done or given up, or `stop` was called; never raises.

        An error of the cluster as a whole ends it and is told in `error`: what has its record keeps it.
        """
        try:
            while not self.is_stopped and any(k.todo or k.attempts for k in self.kinds):
                self._look()
                for kind in self.kinds:
                    self._hand_out(kind)
                self.step()
        except Exception as error:  # whatever Ray raises when its head is gone
            self.error = f"the fleet ended: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        finally:
            for kind in self.kinds:
                for handle in kind.attempts:
                    self.cluster.cancel(handle)
                session = kind.run.session
                with session.changed:
                    session.pending.clear()
                    session.changed.notify_all()

    def stop(self) -> None:
        """Hand out nothing more and give up what goes on."""
        self.is_stopped = True

    def step(self) -> None:
        """Take what has come, then see what has ended.

        In this order: a node tells its last record before its attempt ends.
        """
        ended_before = self.cluster.ended()
        for message in self.cluster.messages(0.0 if ended_before else POLL_SECONDS):
            self._take(message)
        for one in ended_before:
            for kind in self.kinds:
                if one.handle in kind.attempts:
                    self._close(kind, one.handle, one.reason)

    def _look(self) -> None:
        """See which nodes are alive, and give up what waits for dead ones or tells nothing."""
        if (now := self.clock()) < self.looked_at + LOOK_SECONDS:
            return
        self.looked_at = now
        self.alive = {node.id: node for node in self.cluster.nodes()}
        for kind in self.kinds:
            limit = kind.run.session.request.deadline + SILENCE_SECONDS
            for handle, attempt in [*kind.attempts.items()]:
                if not attempt.node and not any(node in self.alive for node in attempt.nodes):
                    self._lose(kind, handle, "every node that could take it is gone")
                elif attempt.node and now - attempt.heard_at > limit:
                    self._lose(kind, handle, f"told nothing for {limit:g} s and was given up")

    def _hand_out(self, kind: KindRun) -> None:
        """Give each of the kind's nodes that is free its next unit, and keep the others.

        The node is named here: what waits at a node that Ray chose when none was free may wait beside an idle one.
        """
        here = [node.node for node in kind.kind.nodes if node.node in self.alive]
        while kind.todo and not here:
            self._give_up(kind, kind.todo.popleft())
        taken = Counter(attempt.node or attempt.nodes[0] for attempt in kind.attempts.values())
        most = max(1, int(kind.kind.num_cpus))
        for name in [*islice(kind.todo, 2 * most * len(here))]:
            unit, lost_on = kind.units[name], kind.ledger.accounts[name].lost_on
            may_take = [node for node in here if node not in lost_on] or here
            node = min(may_take, key=lambda one: taken[one])
            if taken[node] >= (1 if unit.is_timed else most):
                continue
            taken[node] += 1
            kind.todo.remove(name)
            handle = (kind.run.folder.run_id, name, kind.ledger.open(name))
            kind.attempts[handle] = Attempt(nodes=(node,), heard_at=self.clock())
            # All of a node's processors: Ray then gives none of it to anybody while a cell is measured there.
            num_cpus = kind.kind.num_cpus if unit.is_timed else 1.0
            num_gpus = kind.kind.num_gpus if unit.device != CPU else 0.0
            self.cluster.submit(
                handle, self._task(kind, unit, handle[2]), (node,), num_cpus, num_gpus
            )

    def _task(self, kind: KindRun, unit: Unit, attempt: int) -> UnitTask:
        run, session = kind.run, kind.run.session
        specs, models = session.request.specs, dict.fromkeys(cell.model for cell in unit.cells)
        known = [session.records[key] for key in kind.known.get(unit.name, ())]
        if self.shared is None:
            self.shared = tuple(self.cluster.share(path, str(path)) for path in self.inputs)
        return UnitTask(
            run_id=run.folder.run_id,
            unit=unit.name,
            attempt=attempt,
            steps=tuple(PlannedStep(cell=cell, step=step) for cell, step in unit.steps),
            is_timed=unit.is_timed,
            options=kind.options,
            specs={name: spec_codec.to_dict(specs[name]) for name in models if name in specs},
            preload=kind.preload,
            deadline=session.request.deadline,
            cold_replicates=session.request.cold_replicates,
            environment_id=session.environment_id,
            known=tuple(record.as_dict() for record in known if record.outcome.has_run),
            files=(*self.shared, *self._made(run, known)),
            worker=self.worker,
        )

    def _made(self, run: Run, records: Iterable[Record]) -> list[SentFile]:
        """Return the graphs that the records name, for a node that has not made them."""
        names = {artifact.path for record in records for artifact in record.artifacts}
        found = []
        for name in sorted(names):
            path = run.folder.path / name
            for beside in sorted(path.parent.glob(f"{path.stem}*")) if path.is_file() else ():
                relative = beside.relative_to(run.folder.path).as_posix()
                found.append(self.cluster.share(beside, relative))
        return found

    def _take(self, message: Message) -> None:
        """Store what a message brings, if its attempt counts."""
        handle = (message.run_id, message.unit, message.attempt)
        kind = next((k for k in self.kinds if k.run.folder.run_id == message.run_id), None)
        attempt = kind.attempts.get(handle) if kind is not None else None
        if kind is None:
            return
        if attempt is None:
            if message.record is not None:
                kind.ledger.num_refused += 1
            return
        attempt.node, attempt.heard_at = message.node, self.clock()
        if message.part is not None:
            self._store_part(kind.run.folder.path, attempt, message.part)
        elif message.record is not None:
            record = record_from_dict(message.record)
            if kind.ledger.accept(message.unit, message.attempt, record.key):
                kind.known.setdefault(message.unit, []).append(record.key)
                kind.run.session.keep(record)
        elif message.is_end:
            self._close(kind, handle)
        else:
            host = self.alive[message.node].host if message.node in self.alive else message.node
            self.on_begin(f"{kind.kind.name} on {host}", message.step or message.unit)

    def _store_part(self, folder: Path, attempt: Attempt, part: FilePart) -> None:
        """Add a part to a file below the run folder; the file appears under its name when it is whole."""
        target = folder / part.path
        if not target.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"a node sent the path {part.path}, which leads out of the run folder")
        if part.number == 0:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f".{target.name}-draft")
            attempt.drafts[part.path] = Draft(draft)
            draft.unlink(missing_ok=True)
        attempt.drafts[part.path].add(part.data)
        if part.sha256:
            attempt.drafts.pop(part.path).finish(target, part.sha256)

    def _close(self, kind: KindRun, handle: Handle, reason: str = "") -> None:
        """Close an attempt that has ended, as lost if anything is owed."""
        owed = kind.ledger.accounts[handle[1]].owed
        if owed:
            self._lose(kind, handle, reason or f"ended without {min(owed)}")
            return
        del kind.attempts[handle]
        self.cluster.forget(handle)
        kind.ledger.finish(handle[1])
        kind.known.pop(handle[1], None)

    def _lose(self, kind: KindRun, handle: Handle, reason: str) -> None:
        """Close an attempt as lost; the unit is tried again, or its steps get their record as crashed."""
        attempt = kind.attempts.pop(handle)
        self.cluster.cancel(handle)
        for draft in attempt.drafts.values():
            draft.path.unlink(missing_ok=True)
        self.looked_at = float("-inf")
        name = handle[1]
        host = self.alive[attempt.node].host if attempt.node in self.alive else attempt.node[:12]
        told = f"{host}: {reason}" if attempt.node else reason
        # An attempt that no node has taken was not a try, but a node that cannot start our code would never end it.
        where = attempt.node or (
            attempt.nodes[0] if reason and attempt.nodes[0] in self.alive else ""
        )
        if kind.ledger.lose(name, where, told):
            kind.todo.append(name)
        elif kind.ledger.accounts[name].owed:
            self._give_up(kind, name)

    def _give_up(self, kind: KindRun, name: str) -> None:
        """Record the unit's missing steps as crashed, with the reasons."""
        account = kind.ledger.accounts[name]
        tries = len(account.lost_on)
        why = "; ".join(account.reasons) or f"no node of the kind {kind.kind.name} is left"
        message = (
            f"no node finished it ({tries} of {MAX_ATTEMPTS} tries): {why}."
            " Next: pytest bench --fleet ... --resume, when the nodes are back"
        )
        failure = Failure(kind="node", message=message, phase="fleet")
        for cell, step in account.unit.steps:
            key = f"{cell.id}/{step}"
            if key in account.owed:
                account.owed.discard(key)
                kind.ledger.recorded.add(key)
                kind.run.session.keep(kind.run.session.blank(cell, step, Outcome.CRASHED, failure))


def known_paths(options: Iterable[str]) -> list[Path]:
    """Return those of the texts that are absolute paths of something that is there."""
    found = []
    for text in options:
        with contextlib.suppress(OSError, ValueError):
            if text.startswith("/") and Path(text).exists():
                found.append(Path(text))
    return found
