"""JobOptions: the parameters of a runner besides the cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Self

from diagnostics.codec import decode_as, encode
from suite.data.sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a model comes from that is in neither the catalogue nor a models file."""

    text: str
    """The reference in its full form, see `suite.origins.reference`."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """Its record without functions, as `suite.spec_codec.to_dict` gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """Options of a job; serialized as one flat object without empty fields."""

    models_from: str = ""
    """Path of the user's models file; empty = the catalogue alone."""
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """Model -> where it comes from, for models that are in neither the catalogue nor a models file."""
    weights: str = "random"
    """random, pretrained, or a folder."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """Kind of sample -> data set."""
    seed: int = 0
    threads: int = 0
    """Intra-op threads; 0 = the library's default."""
    nproc: int = 1
    """Processes of the stage `parallel`."""
    train_on: str = ""
    """Device on which weights are made for all devices; empty = on each."""
    made_in: str = ""
    """Dtype in which states were made, where a job runs them in another; empty = the cell's."""
    max_drop: float | None = None
    """Loss of the metric that a quantized state may have; None = the record's own."""
    sensitivity: float = 0.0
    """Seconds in which the layers of a quantized graph are judged one by one; 0 = only if it loses too much."""
    plan: Mapping[str, Any] = field(default_factory=dict)
    """Fields of bench.plan.Plan; empty = the standard plan."""
    generation: Mapping[str, Any] = field(default_factory=dict)
    """Lengths and depths of generation that the user chose, see bench.generation; empty = the defaults."""

    case: str = ""
    """Name of the known-answer case."""
    graph: str = ""
    """Path of the cell's graph in the run folder, which a backend opens."""
    output: str = ""
    """Path to which an export writes its graph."""
    parent_graph: str = ""
    """Path of the parent state's graph; empty = none."""
    cache_dir: str = ""
    """Folder of the export cache; empty = no cache."""
    cache_bytes: int | None = None
    """Size limit of the export cache in bytes; None = the default."""
    states_dir: str = ""
    """Folder of the state store."""
    state_bytes: int | None = None
    """Size limit of the state store in bytes; None = the default."""
    run_dir: str = ""
    """The run folder, to which paths of artifacts are relative."""

    extra: Mapping[str, Any] = field(default_factory=dict)
    """Options specific to one runner, as data; see `Job.read`."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the deserialized options; raise ValueError with the invalid field. Unknown fields go into `extra`."""
        own = {name: value for name, value in data.items() if name in _NAMES}
        extra = {name: value for name, value in data.items() if name not in _NAMES}
        return decode_as(cls, {**own, "extra": {**own.get("extra", {}), **extra}})

    def as_dict(self) -> dict[str, Any]:
        """Return the options as serialized."""
        data: dict[str, Any] = encode(self, sparse=True)
        return {**data, **data.pop("extra", {})}

    def extended(self, more: object) -> Self:
        """Return these options overridden by a mapping, or by a dataclass of options specific to one runner."""
        data = encode(more)
        if not data:
            return self
        if _NAMES.isdisjoint(data):  # as most runners' own options are: nothing of these changes
            return replace(self, extra={**self.extra, **data})
        return type(self).from_dict({**self.as_dict(), **data})

    def asked(self) -> dict[str, Any]:
        """Return the user's options as stored in `run.json`: a resumed run must have the same."""
        origins = {name: origin.text for name, origin in self.origins.items()}
        return {
            **({"origins": origins} if origins else {}),
            **{name: encode(getattr(self, name)) for name in _ASKED},
            **({"plan": dict(self.plan)} if self.plan else {}),
            **({"generation": dict(self.generation)} if self.generation else {}),
            **({"max_drop": self.max_drop} if self.max_drop is not None else {}),
            **({"sensitivity": self.sensitivity} if self.sensitivity else {}),
        }


_NAMES: Final = frozenset(item.name for item in fields(JobOptions))
_ASKED: Final = ("models_from", "weights", "sources", "seed", "threads", "nproc", "train_on")
