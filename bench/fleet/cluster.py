"""The nodes as Ray has them: connecting, preparing, sending units and taking what comes back."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.fleet import node
from bench.fleet.content import SentFile, parts_of, sha256_of
from bench.fleet.errors import FleetError
from bench.fleet.inbox import Inbox
from bench.fleet.kinds import LABEL, NodeFacts
from bench.fleet.task import GateTask, JobTask, Message, UnitTask
from bench.fleet.tree import stage_tree, version_of
from diagnostics.codec import decode_as, encode
from suite.import_root import PREFIX, TREE

AUTO: Final = "auto"
REMOTE: Final = "ray://"
LOCAL_OBJECT_BYTES: Final = 512 << 20
"""Object store of a local cluster that is started for `auto`: parts of files pass through it, nothing stays."""
PREPARE_SECONDS: Final = 300.0
"""Time limit for a node to say what it is: Ray starts a process there and unpacks the source tree first."""
VARIABLES: Final = {
    # Ray would hide the GPUs from whoever asks for none; here a unit that needs them has asked for all of the node.
    "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1",
}


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """A node that is alive."""

    id: str
    host: str
    label: str
    num_cpus: float
    num_gpus: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of an attempt, by its handle; the reason if it was lost, or what it returned."""

    handle: Any
    reason: str = ""
    answer: Any = None


@dataclass(slots=True, kw_only=True)
class RayCluster:
    """A connection to a cluster. Everything that it started ends with `close`."""

    ray: Any
    inbox: Any
    version: str
    """Digest of the source tree that was sent to the nodes."""
    refs: dict[str, list[Any]] = field(default_factory=dict)
    """Hash -> parts of the content in Ray's object store: each file is put there once."""
    digests: dict[tuple[str, int, int], str] = field(default_factory=dict)
    """(path, size, time of change) -> hash of a file that was read already."""
    calls: dict[Any, Any] = field(default_factory=dict)
    """Function -> what Ray makes of it: each is sent to the cluster once."""
    running: dict[Any, Any] = field(default_factory=dict)
    """Handle -> Ray's reference of each attempt that goes on."""

    def nodes(self) -> list[ClusterNode]:
        """Return the nodes that are alive and have processors to give, by host."""
        found = [
            ClusterNode(
                id=row["NodeID"],
                host=row["NodeManagerHostname"],
                label=row.get("Labels", {}).get(LABEL, ""),
                num_cpus=row["Resources"].get("CPU", 0.0),
                num_gpus=row["Resources"].get("GPU", 0.0),
            )
            for row in self.ray.nodes()
            if row["Alive"]
        ]
        return sorted((n for n in found if n.num_cpus), key=lambda n: (n.host, n.id))

    def prepare(self, nodes: Iterable[ClusterNode]) -> list[NodeFacts]:
        """Return what each node says of itself, all asked at once; one that gives no answer has a `problem`."""
        call = self.ray.remote(node.prepare)
        asked = {
            call.options(**_at([n.id], 1, 0)).remote(
                n.id, n.host, n.label, n.num_cpus, n.num_gpus
            ): n
            for n in nodes
        }
        done, _ = self.ray.wait([*asked], num_returns=len(asked), timeout=PREPARE_SECONDS)
        found = []
        for ref, n in asked.items():
            problem = f"gave no answer in {PREPARE_SECONDS:g} s"
            if ref in done:
                try:
                    facts = decode_as(NodeFacts, self.ray.get(ref))
                except Exception as error:  # whatever stops a node from starting our code
                    problem = reason_of(error)
                else:
                    if facts.version == self.version:
                        found.append(facts)
                        continue
                    problem = f"imports another source tree than it was sent ({facts.version}, not {self.version})"
            else:
                self.ray.cancel(ref, force=True)
            found.append(NodeFacts(node=n.id, host=n.host, label=n.label, problem=problem))
        return found

    def share(self, path: Path, name: str) -> SentFile:
        """Return the file as units name it; its content goes into the object store when it is first shared."""
        state = path.stat()
        mark = (str(path), state.st_size, state.st_mtime_ns)
        if mark not in self.digests:
            self.digests[mark] = sha256_of(path)
        digest = self.digests[mark]
        if digest not in self.refs:
            self.refs[digest] = [self.ray.put(part) for part in parts_of(path)]
        return SentFile(path=name, sha256=digest, size=state.st_size)

    def submit(
        self,
        handle: Any,
        task: UnitTask | GateTask,
        nodes: Sequence[str],
        num_cpus: float,
        num_gpus: float,
    ) -> None:
        """Start an attempt on one of the nodes, as soon as Ray has that many processors and GPUs free there."""
        refs = {file.sha256: self.refs[file.sha256] for file in task.files}
        run = _run_gate if isinstance(task, GateTask) else _run_unit
        if run not in self.calls:
            self.calls[run] = self.ray.remote(run)
        call = self.calls[run].options(**_at(nodes, num_cpus, num_gpus))
        self.running[handle] = call.remote(encode(task), refs, self.inbox)

    def messages(self, seconds: float) -> list[Message]:
        """Return what has come from the nodes; wait up to `seconds` for the first."""
        found: list[Message] = self.ray.get(self.inbox.take.remote(seconds))
        return found

    def ended(self) -> list[Ended]:
        """Return the attempts that have ended since the last call."""
        if not self.running:
            return []
        refs = {ref: handle for handle, ref in self.running.items()}
        done, _ = self.ray.wait([*refs], num_returns=len(refs), timeout=0)
        found = []
        for ref in done:
            handle = refs[ref]
            del self.running[handle]
            try:
                found.append(Ended(handle, answer=self.ray.get(ref)))
            except Exception as error:  # whatever Ray or the node's code raises
                found.append(Ended(handle, reason_of(error)))
        return found

    def cancel(self, handle: Any) -> None:
        """Give an attempt up: it ends now, if its node still listens."""
        ref = self.running.pop(handle, None)
        if ref is not None:
            with contextlib.suppress(Exception):  # it may be gone already
                self.ray.cancel(ref, force=True)

    def forget(self, handle: Any) -> None:
        """Take no more notice of an attempt that has told everything."""
        self.running.pop(handle, None)

    def run_job(
        self, task: JobTask, nodes: Sequence[str], num_cpus: float, num_gpus: float, seconds: float
    ) -> Mapping[str, Any]:
        """Return the answer to a job that belongs to no cell; raise FleetError with the reason why there is none."""
        ref = (
            self.ray.remote(_run_job).options(**_at(nodes, num_cpus, num_gpus)).remote(encode(task))
        )
        try:
            found: Mapping[str, Any] = self.ray.get(ref, timeout=seconds)
        except Exception as error:  # whatever Ray or the node's code raises
            with contextlib.suppress(Exception):
                self.ray.cancel(ref, force=True)
            raise FleetError(reason_of(error)) from error
        return found

    def close(self) -> None:
        """End every attempt that goes on, and the connection; a cluster that was started for this ends with it."""
        for handle in [*self.running]:
            self.cancel(handle)
        self.ray.shutdown()


def connect(address: str, *, variables: Mapping[str, str] | None = None) -> RayCluster:
    """Connect to the cluster at `ray://HOST:PORT` or `HOST:PORT`, or with `auto` to the one of this machine, which is
    started if there is none.

    `variables` are added to the environment of what runs on nodes. Raises FleetError with the next step.
    """
    try:
        import ray
    except ImportError as error:
        raise FleetError(
            "--fleet: Ray is not installed; next: pip install 'torch-vitals[fleet]'"
        ) from error
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with tempfile.TemporaryDirectory(prefix="torch-vitals-tree-") as folder:
        tree = stage_tree(Path(folder))
        version = version_of(tree / TREE.name if PREFIX else tree)
        try:
            _start(
                ray,
                address,
                runtime_env={
                    "working_dir": str(tree),
                    "env_vars": {**VARIABLES, **(variables or {})},
                },
                log_to_driver=False,
                logging_level="ERROR",
                namespace="torch-vitals",
            )
        except (
            Exception
        ) as error:  # ConnectionError, RuntimeError, ValueError, by the kind of address
            raise FleetError(
                f"--fleet {address}: no Ray cluster answers there ({reason_of(error)}); expected auto, ray://HOST:10001"
                " or HOST:6379. Next: `ray status` on the head node; if it wants a token, RAY_AUTH_MODE=token here, too"
            ) from error
    inbox = (
        ray.remote(Inbox).options(num_cpus=0, max_concurrency=1000, **_beside_head(ray)).remote()
    )
    return RayCluster(ray=ray, inbox=inbox, version=version)


def _start(ray: Any, address: str, **options: Any) -> None:
    """Connect to that address; for `auto` start a cluster on this machine if it belongs to none."""
    if address.startswith(REMOTE):
        _must_listen(address)
    if address != AUTO:
        ray.init(address=address, **options)
        return
    try:
        ray.init(address=AUTO, **options)
    except ConnectionError:
        os.environ.setdefault("RAY_worker_niceness", "0")  # see `node.take_priority`
        own = {"include_dashboard": False, "object_store_memory": LOCAL_OBJECT_BYTES}
        ray.init(address="local", **own, **options)


def _must_listen(address: str) -> None:
    """Raise ConnectionError if nothing listens there: Ray's client would try again for half a minute."""
    host, _, port = address.removeprefix(REMOTE).partition("?")[0].rpartition(":")
    if not host or not port.isdigit():
        raise ValueError("expected ray://HOST:PORT")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=10):
        pass


def _beside_head(ray: Any) -> dict[str, Any]:
    """Return the option that keeps an actor on the head node, which outlives the others."""
    head = "node:__internal_head__"
    return {"resources": {head: 0.001}} if ray.cluster_resources().get(head) else {}


def _at(nodes: Sequence[str], num_cpus: float, num_gpus: float) -> dict[str, Any]:
    """Return the options of a Ray task that runs once, on one of these nodes."""
    where = nodes[0] if len(nodes) == 1 else f"in({','.join(nodes)})"
    return {
        "num_cpus": num_cpus,
        "num_gpus": num_gpus,
        "label_selector": {"ray.io/node-id": where},
        "max_retries": 0,
    }


def reason_of(error: BaseException) -> str:
    """Return what stopped a task, in a sentence: the error of our own code, or what Ray says of node or process."""
    cause = getattr(error, "cause", None)
    text = str(cause if isinstance(cause, BaseException) else error).strip()
    name = type(cause if isinstance(cause, BaseException) else error).__name__
    first = text.splitlines()[0] if text else ""
    return f"{name}: {first}"[:300]


def _run_unit(task: Mapping[str, Any], refs: Mapping[str, list[Any]], inbox: Any) -> None:
    """On a node: run the unit."""
    node.run_unit(task, *_here(refs, inbox))


def _run_gate(
    task: Mapping[str, Any], refs: Mapping[str, list[Any]], inbox: Any
) -> Mapping[str, Any]:
    """On a node: judge the rows of a gate; return what was found."""
    from bench.fleet.gate_node import run_gate_part  # the gate's modules, for whom it is about

    return run_gate_part(task, *_here(refs, inbox))


def _here(refs: Mapping[str, list[Any]], inbox: Any) -> tuple[str, node.Send, node.Fetch]:
    """On a node: return its id, what sends a message to the inbox, when the one before has arrived, and what fetches a
    file's content.
    """
    import ray

    def fetch(sha256: str) -> Iterable[bytes]:
        return (ray.get(ref) for ref in refs[sha256])

    def send(message: Message) -> None:
        ray.get(inbox.put.remote(message))

    return ray.get_runtime_context().get_node_id(), send, fetch


def _run_job(task: Mapping[str, Any]) -> dict[str, Any]:
    """On a node: run a job that belongs to no cell."""
    import ray

    return node.run_job(task, ray.get_runtime_context().get_node_id())
