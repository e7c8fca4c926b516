"""Kinds of machine in a fleet: which nodes may stand in for each other, and which of them are asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bench.fleet.errors import FleetError
from diagnostics.did_you_mean import did_you_mean
from diagnostics.environment import Environment
from suite.runs.machine import Machine

ALL: Final = "all"
LABEL: Final = "kind"
"""Label of a Ray node that names its kind: `ray start --labels kind=xeon-amx`."""
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What a node said of itself when it was prepared."""

    node: str
    """Ray's id of the node."""
    host: str
    label: str = ""
    """Value of its label `kind`; empty = none."""
    num_cpus: float = 1.0
    """Processors that Ray gives away there."""
    num_gpus: float = 0.0
    version: str = ""
    """Digest of the source tree that the node imports."""
    machine: Mapping[str, Any] = field(default_factory=dict)
    """Content of its `environment.json`; empty if it could not be prepared."""
    problem: str = ""
    """Why it cannot measure; empty = it can."""
    caution: str = ""
    """What puts its figures in question; empty = nothing."""

    @property
    def fingerprint(self) -> str:
        """Key under which results are comparable."""
        return str(self.machine.get("fingerprint", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Nodes of one fingerprint: a cell that one of them cannot finish is tried on another."""

    name: str
    nodes: tuple[NodeFacts, ...]

    @property
    def machine(self) -> Machine:
        """The machine that all of them are."""
        return Machine.from_dict(self.nodes[0].machine)

    @property
    def environment(self) -> Environment:
        """Facts of that machine."""
        return self.machine.environment

    @property
    def num_cpus(self) -> float:
        """Processors that every node of the kind has for Ray."""
        return min(node.num_cpus for node in self.nodes)

    @property
    def num_gpus(self) -> float:
        """GPUs that every node of the kind has for Ray."""
        return min(node.num_gpus for node in self.nodes)


def kinds_of(
    facts: Iterable[NodeFacts],
) -> tuple[tuple[Kind, ...], tuple[tuple[NodeFacts, str], ...]]:
    """Return the kinds, by name, and each node that is left out with the reason.

    A label names a kind; nodes without one form a kind per fingerprint, named after their processor and GPU. Figures of
    two fingerprints are never put under one name: nodes that have the label of a kind and are another machine than most
    of it are left out.
    """
    left_out: list[tuple[NodeFacts, str]] = []
    groups: dict[tuple[str, str], list[NodeFacts]] = {}
    for node in facts:
        if node.problem:
            left_out.append((node, node.problem))
        elif node.label and not NAME.fullmatch(node.label):
            left_out.append(
                (
                    node,
                    f"its label {LABEL}={node.label} is no name; expected letters, digits, . _ -",
                )
            )
        else:
            groups.setdefault((node.label, "" if node.label else node.fingerprint), []).append(node)
    found: dict[str, tuple[NodeFacts, ...]] = {}
    for (label, _), nodes in sorted(groups.items()):
        most = Counter(node.fingerprint for node in nodes).most_common(1)[0][0]
        for node in nodes:
            if node.fingerprint != most:
                left_out.append(
                    (
                        node,
                        f"labelled {LABEL}={label} as {nodes[0].host} is, but another machine (fingerprint"
                        f" {node.fingerprint} beside {most}); give it a label of its own",
                    )
                )
        name = label or _name(nodes[0])
        if name in found:
            name = f"{name}-{most[:4]}"
        found[name] = tuple(node for node in nodes if node.fingerprint == most)
    kinds = tuple(Kind(name=name, nodes=nodes) for name, nodes in sorted(found.items()))
    return kinds, tuple(left_out)


def chosen_kinds(kinds: Sequence[Kind], asked: str) -> tuple[Kind, ...]:
    """Return the kinds that `--fleet-kinds` asks for; raise FleetError with those that there are."""
    known = {kind.name: kind for kind in kinds}
    words = [word for word in asked.replace(",", " ").split() if word]
    if words in ([], [ALL]):
        return tuple(kinds)
    for word in words:
        if word not in known:
            raise FleetError(f"--fleet-kinds {word}: no such kind{did_you_mean(word, known)}")
    return tuple(kind for kind in kinds if kind.name in words)


def _name(node: NodeFacts) -> str:
    """Return a name for an unlabelled machine: that of its processor, then of its GPU."""
    system, gpus = node.machine.get("system") or {}, node.machine.get("gpus") or ()
    words = [str(system.get("cpu_model", "")), *(str(gpu.get("name", "")) for gpu in gpus[:1])]
    text = re.sub(r"\((?:r|tm)\)|@.*|\bcpu\b|\bprocessor\b", " ", " ".join(words).lower())
    return "-".join(re.findall(r"[a-z0-9.]+", text)) or "machine"
