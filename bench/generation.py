"""What `pytest bench -k generate` measures: lengths of prompts, depths, new tokens; as asked for, or by default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.instruments.options import GENERATE, GenerateOptions
from suite.axes import EXPORT
from suite.catalog import CatalogError
from suite.spec import ModelSpec

if TYPE_CHECKING:
    from suite.cell import Cell
    from suite.engine.session import Session
    from suite.record import Record

STEP: Final = GENERATE

CURVES: Final = GenerateOptions(
    prompts=(128, 512), depths=(0, 512, 1024, 2048), num_new=64, num_agreeing=64
)
"""What is measured when nothing but this step was asked for."""
SHORT: Final = GenerateOptions(
    prompts=(128,), depths=(0,), num_new=16, num_agreeing=16, is_short=True
)
"""What is measured beside the other steps: seconds per model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options as numbers; empty and 0 = not given."""

    prompts: tuple[int, ...] = ()
    depths: tuple[int, ...] = ()
    num_new: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return what was given, as data."""
        given = {"prompts": [*self.prompts], "depths": [*self.depths], "num_new": self.num_new}
        return {name: value for name, value in given.items() if value}


def asked_of(prompt: str, depth: str, new: int | None) -> Asked:
    """Return the values of `--prompt`, `--depth` and `--new`; raise CatalogError with what was expected."""
    if new is not None and new < 2:
        raise CatalogError(
            f"--new {new}: expected 2 or more: the first new token belongs to the prompt, the others are decoded"
        )
    return Asked(
        prompts=_numbers("--prompt", prompt, 1, "128,512"),
        depths=_numbers("--depth", depth, 0, "0,512,1024"),
        num_new=new or 0,
    )


def check_positions(asked: Asked, specs: Iterable[ModelSpec], sizes: Iterable[str]) -> None:
    """Raise CatalogError if prompt and new tokens that were asked for are more than a model has positions for."""
    longest = max(asked.prompts, default=0)
    wanted = longest + asked.num_new
    given = {"--prompt": longest, "--new": asked.num_new}
    words = " ".join(f"{option} {value}" for option, value in given.items() if value)
    for spec in specs:
        for size in sizes:
            limit = positions(spec, size)
            if generates(spec) and limit and wanted > limit:
                raise CatalogError(
                    f"{words}: {spec.name} at {size} has positions for {limit} tokens at most;"
                    " next: smaller numbers, or --models without it"
                )


def positions(spec: ModelSpec, size: str) -> int:
    """Return the longest context that the record tells of; 0 for none."""
    return int(spec.sizes[size].inputs.get("longest", 0)) if size in spec.sizes else 0


def generates(spec: ModelSpec) -> bool:
    """Return whether the model writes text token by token."""
    return spec.generates


def options_for(asked: Mapping[str, Any], *, is_alone: bool) -> GenerateOptions:
    """Return what a worker measures: what was asked for, and for the rest the curves or, beside other steps, little."""
    default = CURVES if is_alone or asked else SHORT
    return GenerateOptions(
        prompts=tuple(asked.get("prompts", ())) or default.prompts,
        depths=tuple(asked.get("depths", ())) or default.depths,
        num_new=int(asked.get("num_new", 0)) or default.num_new,
        num_agreeing=default.num_agreeing,
        is_short=default.is_short,
        has_own_prompts="prompts" in asked,
    )


def generate_record(session: Session, cell: Cell) -> Record:
    """Return the record of the step: its job, with the run's lengths and depths."""
    is_alone = all(key.endswith((f"/{STEP}", f"/{EXPORT}")) for key in session.planned)
    asked = options_for(session.request.options.generation, is_alone=is_alone)
    return session.job(cell, STEP, options=asked)


def _numbers(option: str, text: str, least: int, example: str) -> tuple[int, ...]:
    words = text.replace(",", " ").split()
    if not text:
        return ()
    if not words or not all(word.isdigit() and int(word) >= least for word in words):
        raise CatalogError(
            f"{option} {text!r}: expected whole numbers of {least} or more tokens, e.g. {example}"
        )
    return tuple(sorted({int(word) for word in words}))
