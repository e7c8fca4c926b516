"""Choice of the data set for each kind of sample: an embedded one, or one in the user's `--data` folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Final

from suite.axes.tasks import OWN
from suite.data.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Origin of the samples of one kind. JSON-able, as it is sent to the worker."""

    kind: str
    """image, scene, clip, text, speech, or own: the record's or the task's own."""
    name: str
    """Module in suite/data with `load(root, split) -> Dataset`."""
    root: str = ""
    """Folder (or file) of a folder data set; empty for an embedded one."""

    def as_dict(self) -> dict[str, str]:
        """Return the source as JSON-able data."""
        return asdict(self)


EMBEDDED: Final = {
    "image": "digits",
    "scene": "scenes",
    "clip": "clips",
    "text": "prose",
    "speech": "speech",
}
"""Kind -> embedded data set, used if the folder has none of that kind."""

SECOND: Final = {
    "image": "patches",
    "scene": "shapes",
    "clip": "dusk_clips",
    "text": "docstrings",
    "speech": "bass",
}
"""Kind -> second embedded data set, for fine-tuning on a second task."""

SECOND_OF_TASK: Final = {"text_classification": "sentences"}
"""Task -> its own second embedded data set: what separates the classes of `prose` helps little with those of
`docstrings`, and from one seed in four a twin from scratch was twenty points ahead."""

SECOND_IN_FOLDER: Final = {"cifar10": "dusk", "coco": "dusk_scenes", "imdb": "endings"}
"""Folder data set -> other samples of the same folder in another domain: transfer from a folder does not help on an
embedded set."""

NUM_CLASSES: Final = {
    "digits": 10,
    "patches": 10,
    "scenes": 11,
    "shapes": 4,
    "clips": 8,
    "dusk_clips": 8,
    "prose": 2,
    "docstrings": 2,
    "sentences": 2,
    "speech": 0,
    "bass": 0,
}
"""Embedded data set -> number of classes, including the background of scenes; the model's number of outputs."""

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
    "dusk_clips": _DIGITS_ON_PHOTOGRAPHS,
    "prose": ("tokenizers", "pydoc_data.topics"),
    "docstrings": ("tokenizers", "pydoc_data.topics", "suite.data.docstrings:passages"),
    "sentences": ("tokenizers", "pydoc_data.topics"),
    "imdb": ("tokenizers", "pydoc_data.topics"),
    "endings": ("tokenizers", "pydoc_data.topics"),
    "cifar10": ("PIL.JpegImagePlugin",),
    "dusk": ("PIL.JpegImagePlugin",),
    "dusk_scenes": ("PIL.JpegImagePlugin",),
    "coco": ("PIL.JpegImagePlugin",),
}
"""Modules a data set imports when read, and `module:function` results it caches: the launcher loads them once for all
workers to inherit."""

IN_FOLDER: Final = (("image", "cifar10"), ("scene", "coco"), ("text", "imdb"))
"""Kind and data set that a `--data` folder can hold. Each module's `find(folder) -> Path | None` looks for its layout,
and `check(root)` raises DataError for anything missing, truncated or mislabelled. Both use only the standard library.
"""


def sources_in(folder: Path | None) -> dict[str, Source]:
    """Return kind -> source: the checked data sets in `folder`, and embedded ones for the rest.

    Raise DataError if the folder does not exist, has no known layout or is damaged.
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


def source_for(sources: Mapping[str, Source], kind: str) -> Source:
    """Return the source of samples of that kind; samples that come with a record are of no data set."""
    return Source(kind=OWN, name=OWN) if kind == OWN else sources[kind]


def second_source(first: Source, task: str) -> Source:
    """Return other data of the same kind for a model of that task: the folder's second data set, else the second
    embedded one.

    Samples that come with a record have no second data set: the same source.
    """
    if first.kind == OWN:
        return first
    embedded = SECOND_OF_TASK.get(task, SECOND[first.kind])
    return replace(first, name=SECOND_IN_FOLDER.get(first.name, embedded))


LAYOUTS: Final = (
    "expected, in it or in a folder below it: CIFAR-10 (cifar-10-batches-py/, or train/<class>/*.jpg and"
    " test/<class>/*.jpg), IMDb (imdb.csv with the columns text,label, or aclImdb/train/pos/*.txt), or COCO"
    " (train2017/, val2017/ and annotations/instances_*2017.json)"
)
