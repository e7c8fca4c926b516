"""The second extents at which graphs are compared, and the flat names of inputs and outputs."""

from __future__ import annotations

import pytest

from suite.spec import Export, ModelSpec, Size
from suite.stages.export.variants import second_extent, variants
from suite.tracing.dynamic_axes import axis_names, flat_axes
from suite.tracing.flat import names_of_outputs


def record(export):
    return ModelSpec(
        name="net",
        family="own",
        task="translation",
        build=lambda: None,
        sizes={"tiny": Size()},
        outputs=("logits",),
        export=export,
    )


PAIR = record(
    Export(
        dynamic={
            "source": {0: "batch", 1: "words"},
            "mask": {0: "batch", 1: "words"},
            "target": {0: "batch", 1: "answers"},
        },
        second={"answers": 9},
    )
)


@pytest.mark.parametrize(
    ("example", "asked", "expected"),
    [(128, None, 64), (1, None, 2), (3, None, 2), (2, None, 3), (28, 17, 17), (17, 17, 8)],
)
def test_the_second_extent_is_the_one_asked_for_or_half_and_never_the_examples(
    example, asked, expected
):
    assert second_extent(example, asked) == expected


def test_every_dynamic_axis_is_changed_by_itself():
    import torch

    def draw(num_samples, which):
        values = torch.arange(6).repeat(num_samples, 1) + 100 * which
        return {"source": values, "mask": values * 0 + 1, "target": values[:, :4]}

    seen = [
        (v.axis, v.extent, *(tuple(t.shape) for t in v.inputs.values()))
        for v in variants(PAIR, draw, 1)
    ]
    assert seen == [
        ("example", None, (1, 6), (1, 6), (1, 4)),
        ("input", None, (1, 6), (1, 6), (1, 4)),
        ("batch", 2, (2, 6), (2, 6), (2, 4)),
        ("words", 3, (1, 3), (1, 3), (1, 4)),
        ("answers", 9, (1, 6), (1, 6), (1, 9)),
    ]


def test_a_longer_extent_continues_with_the_samples_own_beginning():
    import torch

    inputs = {
        "source": torch.tensor([[1, 2]]),
        "mask": torch.tensor([[1, 1]]),
        "target": torch.tensor([[5, 6, 7, 8]]),
    }
    longer = list(variants(PAIR, lambda *_: inputs, 1))[-1]
    assert longer.inputs["target"].tolist() == [[5, 6, 7, 8, 5, 6, 7, 8, 5]]


def test_the_axes_of_a_list_hold_for_each_of_its_tensors():
    spec = record(Export(dynamic={"images": {1: "height"}}))
    assert flat_axes(spec, {"images": ["a", "b"]}) == {
        "images_0": {1: "height"},
        "images_1": {1: "height"},
    }


def test_an_input_that_the_batch_does_not_have_is_named():
    with pytest.raises(ValueError, match=r"names the inputs \['mask'\]; its batch has \['source'"):
        flat_axes(PAIR, {"source": "a", "target": "b"})


def test_axis_names_come_once_and_in_order():
    assert axis_names(PAIR) == ["batch", "words", "answers"]


def test_one_result_keeps_the_names_and_several_are_counted():
    assert names_of_outputs(("boxes", "scores"), 2) == ["boxes", "scores"]
    assert names_of_outputs(("boxes", "scores"), 4, 2) == [
        "boxes_0",
        "scores_0",
        "boxes_1",
        "scores_1",
    ]


@pytest.mark.parametrize(("num_tensors", "num_results"), [(3, 1), (1, 1), (2, 2)])
def test_another_number_of_outputs_than_named_is_refused(num_tensors, num_results):
    with pytest.raises(ValueError, match=f"returns {num_tensors} tensors, but its record names 2"):
        names_of_outputs(("boxes", "scores"), num_tensors, num_results)
