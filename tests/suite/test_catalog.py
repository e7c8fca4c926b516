"""The catalogue: records, selection by name, a user's own file."""

import json
from pathlib import Path

import pytest

from suite import spec_codec
from suite.axes import SIZES, TASKS
from suite.catalog import CatalogError, builtin_specs, joined, select, spec_for, specs_in
from suite.spec import Gap, ModelSpec, Size

NAMES = """mlp cnn rnn lstm gru dcgan resnet18 inception_v3 vit_b_16 faster_rcnn ssd300 yolo fcn_resnet50 unet
deeplabv3_resnet50 pspnet mvit_v2_s r3d_18 bert bert_classifier bert_qa roberta_classifier albert_classifier
transformer t5 gpt2 llama wav2vec2""".split()

USER_FILE = """
from suite.spec import ModelSpec, Size

def build(width=4):
    import torch
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, width))

MODELS = (
    ModelSpec(
        name="mine", family="own", task="image_classification", build=build, outputs=("logits",),
        sizes={"tiny": Size(build={"width": 4}, inputs={"side": 28, "channels": 1, "classes": 4})},
    ),
)
"""


def test_every_promised_model_is_there_once():
    assert sorted(s.name for s in builtin_specs()) == sorted(NAMES)


@pytest.mark.parametrize("spec", builtin_specs(), ids=lambda s: s.name)
def test_every_record_has_both_sizes_a_published_count_and_its_source(spec):
    assert set(spec.sizes) == set(SIZES)
    assert spec.parameters is not None
    assert spec.parameters > 0
    assert spec.source.startswith("http")
    assert spec.task in TASKS


def test_names_and_globs_select_in_catalogue_order():
    chosen = [s.name for s in select(builtin_specs(), ["resnet18", "bert*", "mlp,lstm"])]
    assert set(chosen) == {"mlp", "lstm", "bert", "bert_classifier", "bert_qa", "resnet18"}
    everything = [s.name for s in builtin_specs()]
    assert chosen == sorted(chosen, key=everything.index)


def test_an_unknown_name_is_answered_with_did_you_mean():
    with pytest.raises(CatalogError, match="did you mean resnet18"):
        select(builtin_specs(), ["resnet-18"])


def test_a_users_file_has_the_same_records_and_nothing_here_changes(tmp_path):
    file = tmp_path / "my_models.py"
    file.write_text(USER_FILE)
    assert spec_for("mine", str(file)).sizes["tiny"].build == {"width": 4}
    assert spec_for("mlp", str(file)).name == "mlp"


def test_two_user_files_of_one_name_do_not_mix(tmp_path):
    for name, model in (("a", "first"), ("b", "second")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "models.py").write_text(USER_FILE.replace("mine", model))
    found = [specs_in(tmp_path / name / "models.py")[0].name for name in "ab"]
    assert found == ["first", "second"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "import nowhere_to_be_found",
            "ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        ),
        ("x = 1", "needs `MODELS"),
        ("MODELS = ()", "MODELS is empty"),
        ("MODELS = (1,)", "needs `MODELS"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_a_users_file_that_does_not_work_is_named_with_its_own_error(tmp_path, text, message):
    file = tmp_path / "broken.py"
    file.write_text(text)
    with pytest.raises(CatalogError, match=message) as caught:
        specs_in(file)
    assert str(file) in str(caught.value)


def test_a_users_file_that_is_not_there_is_named():
    with pytest.raises(CatalogError, match="no such file"):
        specs_in(Path("nowhere.py"))


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(CatalogError, match="two models are called 'mlp'"):
        joined(builtin_specs(), [spec_for("mlp")])


@pytest.mark.parametrize("spec", builtin_specs(), ids=lambda s: s.name)
def test_a_record_crosses_to_the_parent_as_json(spec):
    copy = spec_codec.from_dict(json.loads(json.dumps(spec_codec.to_dict(spec))))
    for name in ("name", "task", "sizes", "export", "tolerance", "gaps", "outputs", "requires"):
        ours, theirs = getattr(spec, name), getattr(copy, name)
        assert json.dumps(ours, default=lambda o: describe_dict(o)) == json.dumps(
            theirs, default=lambda o: describe_dict(o)
        )


def describe_dict(value):
    from dataclasses import asdict

    return asdict(value)


def record(**changes):
    fields = {
        "name": "m",
        "family": "x",
        "task": "detection",
        "build": dict,
        "sizes": {"tiny": Size()},
        "outputs": ("y",),
    }
    return ModelSpec(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "detektion"}, "task 'detektion' is unknown"),
        ({"name": "a b"}, "model name 'a b'"),
        ({"sizes": {}}, "`sizes` is empty"),
        ({"sizes": {"huge": Size()}}, "size 'huge' is unknown"),
        ({"outputs": ()}, "`outputs` is empty"),
        ({"gaps": (Gap(backend="tensorrt", reason="r", url="u"),)}, "gap backend 'tensorrt'"),
    ],
)
def test_a_record_with_a_mistake_says_which_field_and_what_is_expected(changes, message):
    with pytest.raises(ValueError, match=message):
        record(**changes)


def test_a_gap_needs_a_reason_and_a_link():
    with pytest.raises(ValueError, match="a reason and a url"):
        Gap(reason="", url="")


def test_a_gap_on_cuda_covers_every_cuda_device_and_no_cpu():
    spec = record(gaps=(Gap(device="cuda", reason="r", url="u"),))
    where = {"stage": "bench", "backend": "eager", "dtype": "float32", "size": "tiny"}
    assert spec.gap_for(device="cuda:1", **where) is not None
    assert spec.gap_for(device="cpu", **where) is None
