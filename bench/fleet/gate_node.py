"""A node's side of a gate on a fleet: a part of the rows in both arms, as `bench.gate.run` has them on one machine."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from bench.fleet.node import Fetch, Place, Send, take_priority, turn_at
from bench.fleet.task import GateTask, Message
from bench.gate.errors import GateError
from bench.gate.row import Row
from bench.gate.run import GateConfig, Judge, judge_here
from bench.gate.source_tree import SourceTree
from bench.gate.thresholds import Thresholds
from diagnostics.codec import decode_as, encode
from suite import spec_codec
from suite.import_root import TREE
from suite.options import Selection
from suite.worker.job_options import JobOptions


def run_gate_part(data: Mapping[str, Any], node: str, send: Send, fetch: Fetch) -> dict[str, Any]:
    """Return `{"judged": ...}`, a `Judged` as data, or `{"error": text}` where the user has to act.

    The machine is held alone; its processes end before this returns, and with it if it is killed.
    """
    task = decode_as(GateTask, data)
    place = Place.of(node)

    def say(text: str) -> None:
        send(
            Message(run_id=task.gate_id, unit=task.part, attempt=task.attempt, node=node, step=text)
        )

    judge: Judge = judge_here
    if task.judge:
        module, _, name = task.judge.partition(":")
        judge = getattr(import_module(module), name)
    with turn_at(place.folder, alone=True):
        say("begins")
        take_priority()
        folder = place.folder / "gates" / f"{task.gate_id}-{task.part}-{task.attempt}"
        folder.mkdir(parents=True, exist_ok=True)
        rows = [decode_as(Row, row) for row in task.rows]
        try:
            base = _base(task, place, fetch)
            head = SourceTree(label="working tree", tree=TREE, paths=(TREE,))
            found = judge(_request(task, rows, place), rows, base, head, folder, say)
        except GateError as error:
            return {"error": str(error)}
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return {"judged": encode(found)}


def _request(task: GateTask, rows: list[Row], place: Place) -> GateConfig:
    specs = {name: spec_codec.from_dict(spec) for name, spec in task.specs.items()}
    selection = Selection(
        specs=specs,
        cells=tuple(dict.fromkeys(row.cell for row in rows)),
        job_options=JobOptions.from_dict(task.options),
    )
    return GateConfig(
        selection=selection,
        thresholds=Thresholds(),  # each row has its limits already
        against=str(task.base["label"]),
        started_in=place.folder,
        out=place.folder,
        plan=task.plan,
        deadline=task.deadline,
        fingerprint=task.fingerprint,
        witness=task.witness,
        num_rows=task.num_rows,
        preload=task.preload,
        chosen=[(row.cell, row.step) for row in rows],
    )


def _base(task: GateTask, place: Place, fetch: Fetch) -> SourceTree:
    """Return base's sources, unpacked once for each content."""
    (archive,) = task.files
    if not place.content.has(archive.sha256):
        place.content.add(archive.sha256, fetch(archive.sha256))
    tree = place.folder / "trees" / archive.sha256[:16]
    if not tree.is_dir():
        draft = tree.with_name(f".{tree.name}")
        shutil.rmtree(draft, ignore_errors=True)
        with zipfile.ZipFile(place.content.folder / archive.sha256) as file:
            file.extractall(draft)
        draft.replace(tree)
    return SourceTree(
        label=str(task.base["label"]),
        tree=tree,
        paths=(tree,),
        moved=(TREE, tree),
        sha=str(task.base["sha"]),
        changed=tuple(task.base["changed"]),
        uncommitted=tuple(task.base["uncommitted"]),
    )
