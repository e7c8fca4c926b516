"""Which data serves which kind of sample, for the first task and for the second."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from suite.axes import TASKS
from suite.catalog import builtin_specs
from suite.data.errors import DataError
from suite.data.sources import (
    EMBEDDED,
    IN_FOLDER,
    LIBRARIES,
    NUM_CLASSES,
    SECOND,
    SECOND_IN_FOLDER,
    Source,
    second_source,
    second_sources,
    sources_in,
)


def test_without_a_folder_the_second_task_has_the_second_embedded_data() -> None:
    second = second_sources(sources_in(None))
    assert {kind: source.name for kind, source in second.items()} == SECOND
    assert all(source.kind == kind and not source.root for kind, source in second.items())


def test_what_was_learned_from_pictures_in_a_folder_goes_on_to_others_of_it() -> None:
    first = Source(kind="image", name="cifar10", root="/somewhere")
    assert second_source(first, num_outputs=10) == replace(first, name="dusk")


@pytest.mark.parametrize(
    ("kind", "name"), [row for row in IN_FOLDER if row[1] not in SECOND_IN_FOLDER]
)
def test_what_was_learned_from_a_folder_goes_on_to_the_first_embedded_data(
    kind: str, name: str
) -> None:
    first = {kind: Source(kind=kind, name=name, root="/somewhere")}
    assert second_sources(first)[kind] == Source(kind=kind, name=EMBEDDED[kind])


def test_the_first_and_the_second_data_always_differ() -> None:
    first = sources_in(None)
    assert all(second.name != first[kind].name for kind, second in second_sources(first).items())
    assert set(EMBEDDED) == set(SECOND) == {task.input for task in TASKS.values()}


def test_a_model_with_few_outputs_gets_the_data_with_few_classes() -> None:
    coco = Source(kind="scene", name="coco", root="/somewhere")
    assert second_source(coco, num_outputs=11).name == "scenes"
    assert second_source(coco, num_outputs=5).name == "shapes"
    assert second_source(coco, num_outputs=2).name == "shapes"


def test_the_numbers_of_classes_are_those_of_the_data_sets() -> None:
    assert set(NUM_CLASSES) == {*EMBEDDED.values(), *SECOND.values()}
    for name, num_classes in NUM_CLASSES.items():
        assert (
            len(import_module(f"suite.data.{name}").load("", "validation").classes) == num_classes
        )


def test_every_model_has_outputs_for_the_classes_of_the_second_task() -> None:
    for spec in builtin_specs():
        kind = TASKS[spec.task].input
        if kind == "scene":  # objects without an output are left out, or are all one class
            continue
        for size in spec.sizes.values():
            if num_outputs := size.inputs.get("classes"):
                assert num_outputs >= NUM_CLASSES[SECOND[kind]]
                assert num_outputs >= NUM_CLASSES[EMBEDDED[kind]]


def test_what_the_launcher_calls_for_a_data_set_exists() -> None:
    for entries in LIBRARIES.values():
        for entry in entries:
            name, _, function = entry.partition(":")
            if function:
                assert callable(getattr(import_module(name), function))


def test_a_folder_with_nothing_known_is_refused_with_the_layouts(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    with pytest.raises(DataError, match="holds no data set that is known; expected") as caught:
        sources_in(tmp_path)
    assert all(word in str(caught.value) for word in ("CIFAR-10", "IMDb", "COCO"))
    with pytest.raises(DataError, match="no such folder"):
        sources_in(tmp_path / "nowhere")
