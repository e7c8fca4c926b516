"""References: what a user types after `--models` for a model that is not in the catalogue. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from diagnostics.did_you_mean import did_you_mean
from suite.catalog import CatalogError
from suite.spec import NAME

FOLDERS: Final = "hf"
"""Kind whose target may be a folder that save_pretrained wrote."""
CONFIG: Final = "config.json"
ONNX: Final = "onnx"
PT2: Final = "pt2"
FILES: Final = {".onnx": ONNX, ".pt2": PT2}
"""Ending of a file -> its kind."""
PYTHON: Final = "python"
"""Kind of a function or class in a Python file."""
GLOB: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of origin."""

    name: str
    """Prefix of a reference in its full form: `timm:resnet18`, `onnx:/path/model.onnx`."""
    module: str
    """Worker side: module with `describe(target) -> ModelSpec` and `completed(target, record) -> ModelSpec`;
    for a library also `names() -> list[str]`."""
    package: str = ""
    """Distribution that has to be installed; empty = what this project needs anyway."""
    is_library: bool = False
    """Whether its targets are names of a library, so that globs select among them."""
    versions: tuple[str, ...] = ()
    """Distributions whose versions a description depends on, besides torch."""
    example: str
    meaning: str


KINDS: Final = {
    row.name: row
    for row in (
        Kind(
            name="timm",
            module="suite.origins.timm",
            package="timm",
            is_library=True,
            versions=("timm",),
            example="timm:efficientnet_b0",
            meaning="a model of timm",
        ),
        Kind(
            name="torchvision",
            module="suite.origins.torchvision",
            package="torchvision",
            is_library=True,
            versions=("torchvision",),
            example="torchvision:convnext_tiny",
            meaning="a model of torchvision",
        ),
        Kind(
            name=FOLDERS,
            module="suite.origins.transformers",
            package="transformers",
            is_library=True,
            versions=("transformers",),
            example="hf:distilbert",
            meaning="a model type of transformers with its default configuration, or an id of the Hub",
        ),
        Kind(
            name=ONNX,
            module="suite.origins.onnx_file",
            versions=("onnx",),
            example="model.onnx",
            meaning="an ONNX file: what it is run, quantized and compared as",
        ),
        Kind(
            name=PT2,
            module="suite.origins.pt2_file",
            example="model.pt2",
            meaning="a program that torch.export.save wrote, with its example inputs",
        ),
        Kind(
            name=PYTHON,
            module="suite.origins.python",
            example="my_file.py:build",
            meaning="a function or class of a Python file, with example_inputs() beside it",
        ),
    )
}
"""Prefix -> kind of origin."""

LIBRARIES: Final = tuple(name for name, row in KINDS.items() if row.is_library)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One reference in its full form."""

    kind: str
    """A row of KINDS."""
    target: str
    """Name in the library, or absolute path of the file, with `:name` for a Python file."""

    @property
    def text(self) -> str:
        """The full form: kind and target."""
        return f"{self.kind}:{self.target}"

    @property
    def path(self) -> Path | None:
        """The file or folder that it names; None for a library."""
        if KINDS[self.kind].is_library:
            place = Path(self.target)
            return place if place.is_absolute() else None
        return Path(self.target.rpartition(":")[0] if self.kind == PYTHON else self.target)

    @property
    def is_glob(self) -> bool:
        """Whether it selects among the names of a library."""
        return KINDS[self.kind].is_library and bool(GLOB.search(self.target))

    @property
    def model(self) -> str:
        """The model's name in records and file names, e.g. `timm.resnet18`, `my_file.build`, `model.onnx`."""
        if self.path is None:
            name = f"{self.kind}.{self.target}"
        elif self.kind == PYTHON:
            name = f"{self.path.stem}.{self.target.rpartition(':')[2]}"
        else:
            name = self.path.name
        safe = re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip("_.-")
        return safe[-64:].lstrip("_.-") if NAME.fullmatch(safe) is None else safe


_PYTHON: Final = re.compile(r"(?P<path>.+\.py):(?P<name>[A-Za-z_]\w*)")
_AS_MODEL: Final = re.compile(rf"({'|'.join(LIBRARIES)})\.(?P<target>.+)")


def parse(text: str, known: Sequence[str] = ()) -> Reference | None:
    """Return the reference that the text is, or None if it is a name or glob of the catalogue, whose names are `known`.

    Raise CatalogError for a reference that names no file, no function or no known library.
    """
    kind, colon, target = text.partition(":")
    if colon and kind in LIBRARIES:
        if not target:
            raise CatalogError(f"--models {text}: empty; expected e.g. {KINDS[kind].example}")
        if kind == FOLDERS and target.startswith((".", "/", "~")):
            return _folder(text, Path(target).expanduser())
        return Reference(kind=kind, target=target)
    if Path(text).is_dir() and (Path(text) / CONFIG).is_file():
        return _folder(text, Path(text))
    if (form := FILES.get(Path(text).suffix, "")) and text not in known:
        path = Path(text.removeprefix(f"{form}:")).expanduser()
        if not path.is_file():
            raise CatalogError(f"--models {text}: there is no file {path}")
        return Reference(kind=form, target=str(path.resolve()))
    if match := _PYTHON.fullmatch(text.removeprefix("python:")):
        path = Path(match["path"])
        if not path.is_file():
            raise CatalogError(f"--models {text}: there is no file {path}")
        return Reference(kind=PYTHON, target=f"{path.resolve()}:{match['name']}")
    if text.endswith(".py"):
        raise CatalogError(
            f"--models {text}: which function builds the model? expected {text}:build; a file with MODELS goes to"
            f" --models-from {text}"
        )
    if text not in known and (match := _AS_MODEL.fullmatch(text)):
        return Reference(kind=text.partition(".")[0], target=match["target"])
    if colon:
        raise CatalogError(
            f"--models {text}: no kind of origin {kind!r}{did_you_mean(kind, LIBRARIES)}"
            f" (expected e.g. {', '.join(row.example for row in KINDS.values())})"
        )
    return None


def _folder(text: str, folder: Path) -> Reference:
    if not (folder / CONFIG).is_file():
        raise CatalogError(
            f"--models {text}: no {CONFIG} in it; expected a folder that save_pretrained wrote"
        )
    return Reference(kind=FOLDERS, target=str(folder.resolve()))
