"""Cell: one point of the matrix, and its id."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Final, Self

from suite.axes import BACKENDS, CPU, DEVICE_KINDS, DTYPES, EAGER, ORIGINAL, SIZES, VARIANTS

_ID: Final = re.compile(
    r"(?P<model>.+)-(?P<size>{sizes})-(?P<backend>{backends})-(?P<device>{devices})"
    r"-(?P<dtype>{dtypes})-b(?P<batch>[1-9]\d*)(-l(?P<length>[1-9]\d*))?(-(?P<variant>{variants}))?".format(
        sizes="|".join(SIZES),
        backends="|".join(BACKENDS),
        devices="|".join(row.name + r"(:\d+)?" * row.is_numbered for row in DEVICE_KINDS.values()),
        dtypes="|".join(DTYPES),
        variants="|".join(VARIANTS),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of the matrix: model, size, backend, device, dtype, batch, length and variant."""

    model: str
    size: str
    backend: str = EAGER
    device: str = CPU
    dtype: str = "float32"
    batch: int = 1
    length: int = 0
    """Tokens per sample; 0 = the record's own, or the model reads no tokens."""
    variant: str = ORIGINAL
    """The model's state, a row of `suite.axes.VARIANTS`."""

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"cell batch is {self.batch}; expected 1 or more samples")
        if self.length < 0:
            raise ValueError(f"cell length is {self.length}; expected 1 or more tokens, or 0")

    @property
    def extent(self) -> str:
        """Batch and length as written in every id: `b8`, or `b1-l128`."""
        return f"b{self.batch}-l{self.length}" if self.length else f"b{self.batch}"

    @property
    def overrides(self) -> dict[str, int]:
        """Entries of the size's `inputs` that the cell replaces."""
        return {"length": self.length} if self.length else {}

    @property
    def id(self) -> str:
        """The pytest id, the record's key and the report's anchor, e.g. `bert-base-eager-cpu-float32-b1`."""
        text = f"{self.model}-{self.size}-{self.backend}-{self.device}-{self.dtype}-{self.extent}"
        return text if self.variant == ORIGINAL else f"{text}-{self.variant}"

    @property
    def file_stem(self) -> str:
        """The id as a file name valid on every file system."""
        return self.id.replace(":", "_")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the cell with this id; raise ValueError naming the expected form."""
        match = _ID.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{text!r} is no cell id; expected MODEL-SIZE-BACKEND-DEVICE-DTYPE-bBATCH[-lLENGTH][-VARIANT],"
                " e.g. bert-base-eager-cpu-float32-b1"
            )
        return cls(
            model=match["model"],
            size=match["size"],
            backend=match["backend"],
            device=match["device"],
            dtype=match["dtype"],
            batch=int(match["batch"]),
            length=int(match["length"] or 0),
            variant=match["variant"] or ORIGINAL,
        )

    def as_dict(self) -> dict[str, object]:
        """Return the cell as JSON-able data; `Cell(**cell.as_dict()) == cell`."""
        return {name: getattr(self, name) for name in _FIELDS}


_FIELDS: Final = tuple(item.name for item in fields(Cell))
