"""Cell: one point of the matrix, and its id."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Final, Self

from suite.axes import BACKENDS, DTYPES, SIZES, VARIANTS

_ID: Final = re.compile(
    r"(?P<model>.+)-(?P<size>{sizes})-(?P<backend>{backends})-(?P<device>cpu|cuda(:\d+)?)"
    r"-(?P<dtype>{dtypes})-b(?P<batch>[1-9]\d*)(-(?P<variant>{variants}))?".format(
        sizes="|".join(SIZES),
        backends="|".join(BACKENDS),
        dtypes="|".join(DTYPES),
        variants="|".join(VARIANTS),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of the matrix: which model, how big, executed how, where, in what type, on how many
    samples, in which state.
    """

    model: str
    size: str
    backend: str = "eager"
    device: str = "cpu"
    dtype: str = "float32"
    batch: int = 1
    variant: str = "original"
    """A row of `suite.axes.VARIANTS`: which of the model's states."""

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"cell batch is {self.batch}; expected 1 or more samples")

    @property
    def id(self) -> str:
        """The pytest id, the record's key and the report's anchor, e.g. `bert-base-eager-cpu-float32-b1`."""
        text = f"{self.model}-{self.size}-{self.backend}-{self.device}-{self.dtype}-b{self.batch}"
        return text if self.variant == "original" else f"{text}-{self.variant}"

    @property
    def file_stem(self) -> str:
        """The id as a file name that every file system takes."""
        return self.id.replace(":", "_")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cell that has this id; raises ValueError naming the expected form."""
        match = _ID.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{text!r} is no cell id; expected MODEL-SIZE-BACKEND-DEVICE-DTYPE-bBATCH[-VARIANT],"
                " e.g. bert-base-eager-cpu-float32-b1"
            )
        return cls(
            model=match["model"],
            size=match["size"],
            backend=match["backend"],
            device=match["device"],
            dtype=match["dtype"],
            batch=int(match["batch"]),
            variant=match["variant"] or "original",
        )

    def as_dict(self) -> dict[str, object]:
        """The cell as JSON-able data; `Cell(**cell.as_dict()) == cell`."""
        return asdict(self)
