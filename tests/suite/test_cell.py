"""Cells and their ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.axes import BACKENDS, DTYPES, SIZES, VARIANTS
from suite.cell import Cell
from suite.expand import batches_of, check_lengths, choices, devices_of, expand, lengths_of
from suite.spec import NAME, ModelSpec, Size


@given(
    st.builds(
        Cell,
        model=st.from_regex(NAME, fullmatch=True),
        size=st.sampled_from(SIZES),
        backend=st.sampled_from(sorted(BACKENDS)),
        device=st.sampled_from(["cpu", "cuda", "cuda:0", "cuda:12"]),
        dtype=st.sampled_from(DTYPES),
        batch=st.integers(1, 10_000),
        length=st.integers(0, 10_000),
        variant=st.sampled_from(sorted(VARIANTS)),
    )
)
def test_an_id_parses_back_to_its_cell(cell):
    assert Cell.parse(cell.id) == cell
    assert Cell(**cell.as_dict()) == cell
    assert ":" not in cell.file_stem


@pytest.mark.parametrize(
    "text", ["", "bert", "bert-base-eager-cpu-float32-b0", "bert-huge-eager-cpu-float32-b1"]
)
def test_what_is_no_id_is_refused_with_the_expected_form(text):
    with pytest.raises(ValueError, match="MODEL-SIZE-BACKEND-DEVICE-DTYPE-bBATCH"):
        Cell.parse(text)


def test_a_size_that_a_model_lacks_makes_no_cell():
    spec = ModelSpec(
        name="only_tiny",
        family="x",
        task="image_classification",
        build=dict,
        sizes={"tiny": Size()},
        outputs=("y",),
    )
    made = expand(
        [spec], sizes=SIZES, backends=["eager"], devices=["cpu"], dtypes=["float32"], batches=[1, 2]
    )
    assert [c.id for c in made] == [
        "only_tiny-tiny-eager-cpu-float32-b1",
        "only_tiny-tiny-eager-cpu-float32-b2",
    ]


def reader(**inputs):
    return ModelSpec(
        name="reader",
        family="x",
        task="language_modeling",
        build=dict,
        sizes={"tiny": Size(inputs={"vocabulary": 9, "length": 8, **inputs})},
        outputs=("y",),
    )


def test_lengths_multiply_the_cells_of_models_that_read_tokens():
    deaf = ModelSpec(
        name="deaf", family="x", task="image_classification", build=dict, sizes={"tiny": Size()},
        outputs=("y",),
    )  # fmt: skip
    made = expand(
        [reader(), deaf], sizes=["tiny"], backends=["eager"], devices=["cpu"], dtypes=["float32"],
        batches=[1], lengths=lengths_of("4,16"),
    )  # fmt: skip
    assert [c.id for c in made] == [
        "reader-tiny-eager-cpu-float32-b1-l4",
        "reader-tiny-eager-cpu-float32-b1-l16",
        "deaf-tiny-eager-cpu-float32-b1",
    ]
    with pytest.raises(ValueError, match="none of the chosen models reads tokens"):
        check_lengths([deaf], ["tiny"], [4])


def test_a_length_beyond_a_models_positions_is_refused_before_anything_runs():
    check_lengths([reader(longest=64)], ["tiny", "base"], [64])
    check_lengths([reader()], ["tiny"], [4096])
    with pytest.raises(ValueError, match="reader at tiny has positions for 64 tokens"):
        check_lengths([reader(longest=64)], ["tiny"], [8, 65])


def test_auto_measures_the_gpu_only_where_there_is_one():
    assert devices_of("auto", num_gpus=0) == ("cpu",)
    assert devices_of("auto", num_gpus=2) == ("cpu", "cuda")
    assert devices_of("cuda:1,cpu", num_gpus=2) == ("cuda:1", "cpu")


@pytest.mark.parametrize(
    ("text", "num_gpus", "message"),
    [
        ("cuda", 0, "has no usable NVIDIA GPU"),
        ("cuda:3", 2, "has 2 usable"),
        ("tpu", 0, "expected auto, cpu, cuda or cuda:N"),
        ("cpu:1", 0, "expected auto"),
        ("cuda:x", 1, "expected auto"),
        (" ", 1, "empty"),
    ],
)
def test_a_device_that_is_not_there_is_an_error_with_the_next_step(text, num_gpus, message):
    with pytest.raises(ValueError, match=message):
        devices_of(text, num_gpus=num_gpus)


def test_an_unknown_choice_is_answered_with_did_you_mean():
    with pytest.raises(ValueError, match="did you mean onnxruntime"):
        choices("--backend", "onnxruntim", BACKENDS)


@pytest.mark.parametrize("text", ["0", "-1", "a", "", "1.5"])
def test_a_batch_that_is_no_positive_number_is_refused(text):
    with pytest.raises(ValueError, match="--batch"):
        batches_of(text)


@pytest.mark.parametrize("text", ["0", "-1", "a", " ", "1.5"])
def test_a_length_that_is_no_positive_number_is_refused(text):
    with pytest.raises(ValueError, match="--length"):
        lengths_of(text)
