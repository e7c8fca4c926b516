"""The gate on a fleet: both arms of a row on one node, the rows spread over the nodes of a kind."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

from bench.fleet.cluster import ClusterNode, Ended
from bench.fleet.content import SentFile
from bench.fleet.kinds import Kind
from bench.fleet.ledger import MAX_ATTEMPTS
from bench.fleet.task import GateTask, Message
from bench.fleet.tree import packed_tree
from bench.fleet.units import unit_name
from bench.gate.block import Block
from bench.gate.budget import BUDGETS
from bench.gate.errors import GateError
from bench.gate.row import Row
from bench.gate.run import GateConfig, Judged, Say
from bench.gate.schedule import Schedule, control_shift
from bench.gate.source_tree import SourceTree
from bench.gate.thresholds import Limits
from diagnostics.codec import decode_as, encode
from suite import spec_codec
from suite.axes import CPU

POLL_SECONDS: Final = 0.5
Handle = tuple[str, str, int]
"""Gate, part and attempt."""


class GateCluster(Protocol):
    """What a gate needs of a cluster: `RayCluster`, or a scripted one."""

    def nodes(self) -> list[ClusterNode]:
        """Return the nodes that are alive."""
        ...

    def share(self, path: Path, name: str) -> SentFile:
        """Make a file's content available to nodes."""
        ...

    def submit(
        self, handle: Any, task: GateTask, nodes: Sequence[str], num_cpus: float, num_gpus: float
    ) -> None:
        """Start an attempt on one of the nodes."""
        ...

    def messages(self, seconds: float) -> list[Message]:
        """Return what has come; wait up to `seconds` for the first."""
        ...

    def ended(self) -> list[Ended]:
        """Return the attempts that have ended, with what they returned."""
        ...

    def cancel(self, handle: Any) -> None:
        """Give an attempt up."""
        ...


@dataclass(slots=True)
class Part:
    """Rows that one node measures."""

    name: str
    rows: list[Row]
    attempt: int = 0
    lost_on: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    judged: Judged | None = None

    def lose(self, node: str, reason: str) -> None:
        """Note that an attempt was lost there."""
        self.lost_on.append(node)
        self.reasons.append(reason)


def parts_of(rows: Sequence[Row], number: int) -> list[Part]:
    """Return the rows in at most `number` parts of like size; rows of one model and place stay together, for they share
    graphs and outputs.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(unit_name(row.cell), []).append(row)
    parts = [Part(f"part{place}", []) for place in range(min(number, len(groups)))]
    for group in sorted(groups.values(), key=len, reverse=True):
        min(parts, key=lambda part: len(part.rows)).rows.extend(group)
    return parts


@dataclass(slots=True, kw_only=True)
class FleetJudge:
    """Measures a gate's rows on the nodes of one kind; a `bench.gate.run.Judge`."""

    cluster: GateCluster
    kind: Kind
    judge: str = ""
    """See `GateTask.judge`."""
    where: dict[str, str] = field(default_factory=dict)
    """Name of a row -> the host on which both of its arms were measured."""

    def __call__(
        self,
        request: GateConfig,
        rows: Sequence[Row],
        base: SourceTree,
        head: SourceTree,
        folder: Path,
        say: Say,
    ) -> Judged:
        """Return what the nodes have found; raise GateError for what the user has to mend."""
        if any(row.cell.device != CPU for row in rows) and not self.kind.num_gpus:
            raise GateError(f"--fleet: the kind {self.kind.name} gives Ray no GPU")
        request = replace(request, num_rows=len(rows))
        parts = parts_of(rows, len(self.kind.nodes))
        with tempfile.TemporaryDirectory(prefix="torch-vitals-base-") as staged:
            archive = self.cluster.share(packed_tree(base.tree, Path(staged)), "base.zip")
        handles: dict[Handle, tuple[Part, str]] = {}
        free = [node.node for node in self.kind.nodes]
        todo = [*parts]
        try:
            while todo or handles:
                self._hand_out(todo, free, handles, request, base, archive, folder.name)
                self._take(handles, free, todo, say)
        finally:
            for handle in handles:
                self.cluster.cancel(handle)
        return _together(rows, parts, request)

    def _hand_out(
        self,
        todo: list[Part],
        free: list[str],
        handles: dict[Handle, tuple[Part, str]],
        request: GateConfig,
        base: SourceTree,
        archive: SentFile,
        gate_id: str,
    ) -> None:
        """Give each free node that is alive a part that it has not lost; give up parts for which there is none."""
        alive = {node.id for node in self.cluster.nodes()}
        for part in [*todo]:
            here = [node.node for node in self.kind.nodes if node.node in alive]
            left = [node for node in here if node not in part.lost_on]
            if not left or len(part.lost_on) >= MAX_ATTEMPTS:
                todo.remove(part)
                continue
            node = next((one for one in left if one in free), "")
            if not node:
                continue
            todo.remove(part)
            free.remove(node)
            part.attempt += 1
            handle = (gate_id, part.name, part.attempt)
            handles[handle] = (part, node)
            task = self._task(part, request, base, archive, gate_id)
            needs_gpu = any(row.cell.device != CPU for row in part.rows)
            num_gpus = self.kind.num_gpus if needs_gpu else 0.0
            self.cluster.submit(handle, task, (node,), self.kind.num_cpus, num_gpus)

    def _task(
        self, part: Part, request: GateConfig, base: SourceTree, archive: SentFile, gate_id: str
    ) -> GateTask:
        specs = request.selection.specs
        return GateTask(
            gate_id=gate_id,
            part=part.name,
            attempt=part.attempt,
            rows=tuple(encode(row) for row in part.rows),
            options=request.selection.job_options.as_dict(),
            specs={
                name: spec_codec.to_dict(specs[name])
                for name in dict.fromkeys(row.cell.model for row in part.rows)
            },
            preload=tuple(request.preload),
            plan=request.plan,
            deadline=request.deadline,
            witness=request.witness,
            num_rows=request.num_rows,
            fingerprint=request.fingerprint,
            base={
                "label": base.label,
                "sha": base.sha,
                "changed": list(base.changed),
                "uncommitted": list(base.uncommitted),
            },
            files=(archive,),
            judge=self.judge,
        )

    def _take(
        self,
        handles: dict[Handle, tuple[Part, str]],
        free: list[str],
        todo: list[Part],
        say: Say,
    ) -> None:
        """Tell what nodes say, and take what has ended."""
        hosts = {node.node: node.host for node in self.kind.nodes}
        for message in self.cluster.messages(POLL_SECONDS if handles else 0.0):
            say(f"{hosts.get(message.node, message.node)}: {message.step}")
        for one in self.cluster.ended():
            if one.handle not in handles:
                continue
            part, node = handles.pop(one.handle)
            free.append(node)
            if one.reason or not one.answer:
                part.lose(node, f"{hosts[node]}: {one.reason or 'it told nothing'}")
                todo.append(part)
            elif "error" in one.answer:
                raise GateError(f"{hosts[node]}: {one.answer['error']}")
            else:
                part.judged = decode_as(Judged, one.answer["judged"])
                self.where |= {row.name: hosts[node] for row in part.rows}
        alive = {node.id for node in self.cluster.nodes()}
        for handle, (part, node) in [*handles.items()]:
            if node not in alive:  # what waits for a node that is gone would wait for ever
                del handles[handle]
                self.cluster.cancel(handle)
                part.lose(node, f"{hosts[node]}: the node is gone")
                todo.append(part)


def _together(rows: Sequence[Row], parts: Sequence[Part], request: GateConfig) -> Judged:
    """Return one result of all parts: rows in their order, verdicts with the correction over all of them."""
    found: dict[str, Row] = {}
    for part in parts:
        if part.judged is not None:
            found |= {row.name: row for row in part.judged.rows}
            continue
        why = "; ".join(part.reasons) or "no node of the kind is left"
        for row in part.rows:
            row.broken = f"no node finished it ({len(part.lost_on)} of {MAX_ATTEMPTS} tries): {why}"
            found[row.name] = row
    whole = [part.judged for part in parts if part.judged is not None]
    merged = [found[row.name] for row in rows]
    Schedule(
        rows=merged,
        budget=BUDGETS[request.plan],
        take_block=_none_taken,
        take_control=_none_taken,
    ).decide(merged)
    return Judged(
        rows=tuple(merged),
        control=_control([one.control for one in whole]),
        notes=tuple(dict.fromkeys(note for one in whole for note in one.notes)),
        versions=whole[0].versions if whole else {},
    )


def _control(each: Sequence[Sequence[Block]]) -> tuple[Block, ...]:
    """Return the control's blocks of all nodes; of the one alone that shifted, which the others must not hide."""
    least = Limits().least
    for blocks in each:
        if control_shift(blocks, least=least) is not None:
            return tuple(blocks)
    return tuple(block for blocks in each for block in blocks)


def _none_taken(*what: object) -> Block:
    raise AssertionError("verdicts are decided from the blocks that are there")


def check_gate(kinds: Mapping[str, Kind]) -> None:
    """Raise GateError if a gate cannot be judged on this fleet."""
    if len(kinds) > 1:
        raise GateError(
            f"--against with --fleet: times of two kinds of machine do not go together, and there are"
            f" {', '.join(kinds)}; next: --fleet-kinds with one of them"
        )
