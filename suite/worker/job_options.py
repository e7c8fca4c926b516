"""JobOptions: what a runner needs besides the cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

from diagnostics.codec import decode_as, encode
from suite.data.sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """The options of a job; on the wire one flat object, without the fields that are empty."""

    models_from: str = ""
    """The user's models file; empty = the catalogue alone."""
    weights: str = "random"
    """random, pretrained, or a folder."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """Kind of sample -> data set."""
    seed: int = 0
    threads: int = 0
    """Intra-op threads; 0 = the library's own choice."""
    nproc: int = 1
    """Processes of the stage `parallel`."""
    train_on: str = ""
    """Device on which weights are made for all devices; empty = on each."""
    plan: Mapping[str, Any] = field(default_factory=dict)
    """Fields of bench.plan.Plan; empty = the standard plan."""

    case: str = ""
    """Name of the known-answer case."""
    graph: str = ""
    """The cell's graph in the run folder, which a backend opens."""
    output: str = ""
    """Where an export writes its graph."""
    parent_graph: str = ""
    """The graph of the state that the cell's state is made from; empty = there is none."""
    cache_dir: str = ""
    """Folder of the export cache; empty = no cache."""
    cache_bytes: int | None = None
    """Its limit; None = the default."""
    states_dir: str = ""
    """Folder of the kept states."""
    state_bytes: int | None = None
    """Its limit; None = the default."""
    run_dir: str = ""
    """The run folder, which paths of artifacts are relative to."""

    extra: Mapping[str, Any] = field(default_factory=dict)
    """What one runner alone takes, as data; see `Job.read`."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The options on the wire; raises ValueError with the field that is off. Unknown ones are `extra`."""
        known = {item.name for item in fields(cls)}
        own = {name: value for name, value in data.items() if name in known}
        extra = {name: value for name, value in data.items() if name not in known}
        return decode_as(cls, {**own, "extra": {**own.get("extra", {}), **extra}})

    def as_dict(self) -> dict[str, Any]:
        """The options as they cross."""
        data: dict[str, Any] = encode(self, sparse=True)
        return {**data, **data.pop("extra", {})}

    def extended(self, more: object) -> Self:
        """These options with others laid over them: a mapping, or a dataclass of what one runner alone takes."""
        return type(self).from_dict({**self.as_dict(), **encode(more)})

    def asked(self) -> dict[str, Any]:
        """What the user asked for, as `run.json` keeps it: a resumed run has to have the same."""
        return {
            **{name: encode(getattr(self, name)) for name in _ASKED},
            **({"plan": dict(self.plan)} if self.plan else {}),
        }


_ASKED: Final = ("models_from", "weights", "sources", "seed", "threads", "nproc", "train_on")
