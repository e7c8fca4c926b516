"""Which data set serves which kind of sample: an embedded one, or what lies in the user's `--data` folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Final

from suite.data.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the samples of one kind come from. JSON-able: it travels to the worker."""

    kind: str
    """image, scene, clip, text or speech."""
    name: str
    """Module in suite/data with `load(root, split) -> Dataset`."""
    root: str = ""
    """Folder (or file) of a folder data set; empty for an embedded one."""

    def as_dict(self) -> dict[str, str]:
        """The source as JSON-able data."""
        return asdict(self)


EMBEDDED: Final = {
    "image": "digits",
    "scene": "scenes",
    "clip": "clips",
    "text": "prose",
    "speech": "speech",
}
"""Kind -> embedded data set, used when the folder has nothing of that kind."""

SECOND: Final = {
    "image": "patches",
    "scene": "shapes",
    "clip": "zooms",
    "text": "docstrings",
    "speech": "bass",
}
"""Kind -> another embedded data set of it, for fine-tuning on a second task."""

SECOND_IN_FOLDER: Final = {"cifar10": "dusk", "coco": "dusk_scenes", "imdb": "endings"}
"""Folder data set -> other samples of the same folder in another guise: what was learned there is of no use for an
embedded set."""

NUM_CLASSES: Final = {
    "digits": 10,
    "patches": 10,
    "scenes": 11,
    "shapes": 4,
    "clips": 8,
    "zooms": 6,
    "prose": 2,
    "docstrings": 2,
    "speech": 0,
    "bass": 0,
}
"""Embedded data set -> its classes, with the background of scenes; a model needs as many outputs."""

_DIGITS_ON_PHOTOGRAPHS: Final = (
    "sklearn.datasets",
    "suite.data.digits:originals",
    "suite.data.backdrops:originals",
    "PIL.JpegImagePlugin",
)

LIBRARIES: Final = {
    "digits": ("sklearn.datasets", "suite.data.digits:originals"),
    "patches": _DIGITS_ON_PHOTOGRAPHS,
    "scenes": _DIGITS_ON_PHOTOGRAPHS,
    "shapes": ("sklearn.datasets", "suite.data.backdrops:originals", "PIL.JpegImagePlugin"),
    "clips": _DIGITS_ON_PHOTOGRAPHS,
    "zooms": _DIGITS_ON_PHOTOGRAPHS,
    "prose": ("tokenizers", "pydoc_data.topics"),
    "docstrings": ("tokenizers", "pydoc_data.topics", "suite.data.docstrings:passages"),
    "imdb": ("tokenizers", "pydoc_data.topics"),
    "endings": ("tokenizers", "pydoc_data.topics"),
    "cifar10": ("PIL.JpegImagePlugin",),
    "dusk": ("PIL.JpegImagePlugin",),
    "dusk_scenes": ("PIL.JpegImagePlugin",),
    "coco": ("PIL.JpegImagePlugin",),
}
"""What a data set imports when it is read, and `module:function` that it calls and caches: for the launcher to do
once, so that every worker inherits it."""

IN_FOLDER: Final = (("image", "cifar10"), ("scene", "coco"), ("text", "imdb"))
"""Kind and data set that a `--data` folder can hold. Each module's `find(folder) -> Path | None` looks for its layout,
and `check(root)` raises DataError for what is missing, truncated or mislabelled. Both use the standard library only."""


def sources_in(folder: Path | None) -> dict[str, Source]:
    """Kind -> source: what `folder` holds, checked, and the embedded data sets for the rest.

    Raises DataError when the folder does not exist, holds no known layout, or what it holds is damaged.
    """
    sources = {kind: Source(kind=kind, name=name) for kind, name in EMBEDDED.items()}
    if folder is None:
        return sources
    if not folder.is_dir():
        raise DataError(f"--data {folder}: no such folder; {LAYOUTS}")
    found = 0
    for kind, name in IN_FOLDER:
        module = import_module(f"suite.data.{name}")
        find: Callable[[Path], Path | None] = module.find
        root = find(folder)
        if root is None:
            continue
        module.check(root)
        sources[kind] = Source(kind=kind, name=name, root=str(root.resolve()))
        found += 1
    if not found:
        raise DataError(f"--data {folder}: holds no data set that is known; {LAYOUTS}")
    return sources


def second_sources(sources: Mapping[str, Source]) -> dict[str, Source]:
    """Kind -> the data of the second task."""
    return {kind: second_source(source) for kind, source in sources.items()}


def second_source(first: Source) -> Source:
    """Other data of the same kind: of a folder its second guise, else the second embedded data set."""
    return replace(first, name=SECOND_IN_FOLDER.get(first.name, SECOND[first.kind]))


LAYOUTS: Final = (
    "expected, in it or in a folder below it: CIFAR-10 (cifar-10-batches-py/, or train/<class>/*.jpg and"
    " test/<class>/*.jpg), IMDb (imdb.csv with the columns text,label, or aclImdb/train/pos/*.txt), or COCO"
    " (train2017/, val2017/ and annotations/instances_*2017.json)"
)
