"""Which data serves which kind of sample, for the first task and for the second."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from suite.axes import OWN, TASKS
from suite.catalog import builtin_specs
from suite.data.errors import DataError
from suite.data.sources import (
    EMBEDDED,
    IN_FOLDER,
    LIBRARIES,
    NUM_CLASSES,
    SECOND,
    SECOND_IN_FOLDER,
    SECOND_OF_TASK,
    Source,
    second_source,
    sources_in,
)


def test_without_a_folder_the_second_task_has_the_second_embedded_data() -> None:
    for kind, first in sources_in(None).items():
        assert second_source(first, "") == Source(kind=kind, name=SECOND[kind])


def test_a_task_may_have_second_embedded_data_of_its_own_but_not_in_a_folder() -> None:
    prose = sources_in(None)["text"]
    assert second_source(prose, "text_classification").name == "sentences"
    reviews = replace(prose, name="imdb", root="/somewhere")
    assert second_source(reviews, "text_classification").name == "endings"


@pytest.mark.parametrize(("name", "second"), SECOND_IN_FOLDER.items())
def test_what_was_learned_from_pictures_in_a_folder_goes_on_to_others_of_it(
    name: str, second: str
) -> None:
    first = Source(kind=dict(map(reversed, IN_FOLDER))[name], name=name, root="/somewhere")
    assert second_source(first, "") == replace(first, name=second)


def test_every_folder_has_a_second_task_of_its_own() -> None:
    assert set(SECOND_IN_FOLDER) == {name for _, name in IN_FOLDER}


def test_the_first_and_the_second_data_always_differ() -> None:
    firsts = sources_in(None)
    for task in TASKS.values():
        if task.input != OWN:
            first = firsts[task.input]
            assert second_source(first, task.name).name != first.name
    assert set(EMBEDDED) == set(SECOND) == {task.input for task in TASKS.values()} - {OWN}


def test_the_numbers_of_classes_are_those_of_the_data_sets() -> None:
    assert set(NUM_CLASSES) == {*EMBEDDED.values(), *SECOND.values(), *SECOND_OF_TASK.values()}
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
                second = SECOND_OF_TASK.get(spec.task, SECOND[kind])
                assert num_outputs >= NUM_CLASSES[second]
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
