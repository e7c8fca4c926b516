"""Pictures on their way into a model: kept once scaled, framed the same whatever lies under them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from suite.data.samples import Image

pytestmark = pytest.mark.heavy


class Counted:
    """Two pictures, and how often they were decoded."""

    classes = ("x",)
    keeps_label_when_mirrored = True

    def __init__(self) -> None:
        self.decoded = 0

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int, /) -> Image:
        if index >= len(self):
            raise IndexError(index)
        self.decoded += 1
        return Image(pixels=np.full((8, 8, 3), index, np.uint8), label=0)


def test_a_sample_is_made_ready_once() -> None:
    from suite.tasks.pictures import Kept

    data = Counted()
    kept = Kept(data, lambda sample: sample)
    assert [kept[1].pixels[0, 0, 0] for _ in range(3)] == [1, 1, 1]
    assert data.decoded == 1
    assert kept.keeps_label_when_mirrored
    assert [len(kept), kept.classes] == [2, ("x",)]


def test_what_does_not_fit_the_memory_is_made_ready_anew() -> None:
    from suite.tasks.pictures import Kept

    data = Counted()
    kept = Kept(data, lambda sample: sample, limit=8 * 8 * 3)
    for index in (0, 1, 0, 1):
        kept[index]
    assert data.decoded == 3  # the first fits, the second does not


def test_a_kept_data_set_ends_where_its_data_set_ends() -> None:
    from suite.tasks.pictures import Kept

    assert len(list(Kept(Counted(), lambda sample: sample))) == 2


@pytest.mark.parametrize(
    ("size", "is_training", "expected"),
    [
        ((480, 640), False, (64, 85)),
        ((640, 480), False, (85, 64)),
        ((32, 32), False, (64, 64)),
        ((480, 640), True, (78, 104)),  # half of the area is a square of 64
        ((32, 32), True, (32, 32)),  # enlarging it would only cost memory
    ],
)
def test_pictures_are_kept_as_large_as_they_are_needed(
    size: tuple[int, int], is_training: bool, expected: tuple[int, int]
) -> None:
    from suite.tasks.framing import room

    found = room(size, 64, is_training=is_training, least=0.5)
    assert found == expected


@pytest.mark.parametrize("seed", range(20))
def test_a_random_part_lies_in_the_picture_and_is_large_enough(seed: int) -> None:
    from suite.tasks.framing import drawn

    part = drawn(60, 80, 32, np.random.default_rng(seed), least=0.5, mirrors=False)
    assert 0 <= part.top <= 60 - part.height
    assert 0 <= part.left <= 80 - part.width
    assert part.height * part.width >= 0.49 * 60 * 80
    assert 0.88 <= part.width / part.height <= 1.12
    assert not part.is_mirrored


def test_classes_stay_under_their_pixels() -> None:
    from suite.tasks.framing import drawn, framed, framed_classes

    classes = torch.zeros(64, 64, dtype=torch.int64)
    classes[:, 40:] = 1
    picture = (classes * 255).to(torch.uint8).expand(3, 64, 64)
    mirrored: set[bool] = set()
    for seed in range(12):
        part = drawn(64, 64, 32, np.random.default_rng(seed), least=0.7, mirrors=True)
        mirrored.add(part.is_mirrored)
        shown = framed(picture, part)[0] > 127
        agree = shown == framed_classes(classes, part).bool()
        assert agree.float().mean() > 0.95  # but for the column on the border
    assert mirrored == {True, False}


def test_a_centred_picture_is_left_in_its_own_light() -> None:
    from suite.tasks.framing import centred, lit

    values: Any = torch.rand(3, 4, 4) * 255
    assert torch.equal(lit(values.clone(), centred(4, 4, 4)), values)


def test_light_keeps_the_mean_but_for_its_brightness() -> None:
    from suite.tasks.framing import Framing, lit

    part = Framing(top=0, left=0, height=2, width=2, side=2, brightness=1.1, contrast=0.8)
    values = torch.tensor([[50.0, 150.0], [100.0, 100.0]])
    found = lit(values.clone(), part)
    assert float(found.mean()) == pytest.approx(110)
    assert float(found[0, 1] - found[0, 0]) == pytest.approx(100 * 1.1 * 0.8)


def test_samples_are_prepared_once_within_a_training_and_anew_outside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys
    from types import SimpleNamespace

    from suite.data.sources import Source
    from suite.tasks.image_classification import examples
    from suite.tasks.pictures import prepared_once

    data = Counted()
    fake = SimpleNamespace(load=lambda root, split: data)
    monkeypatch.setitem(sys.modules, "suite.data.counted", fake)
    source = Source(kind="image", name="counted")

    def read(split: str, seed: int = 0) -> list[float]:
        inputs = {"side": 4, "channels": 1, "classes": 1}
        found = examples(inputs, source, seed=seed, split=split)
        return [float(found[i].inputs["x"].sum()) for i in range(2)]

    alone = [read("train"), read("train", seed=1), read("test")]
    assert data.decoded == 6
    with prepared_once():
        assert [read("train"), read("train", seed=1), read("test")] == alone
        assert data.decoded == 10  # of each split once, whatever the seed
    read("test")
    assert data.decoded == 12
