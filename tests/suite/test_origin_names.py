"""Names of libraries: records from the libraries' own metadata, without a download."""

import json
from types import SimpleNamespace

import pytest

from suite.catalog import CatalogError
from suite.origins import timm, torchvision, transformers
from suite.spec import ModelSpec, Size
from suite.spec_codec import from_dict, to_dict

pytestmark = pytest.mark.heavy


def through_json(module, name):
    return module.completed(name, from_dict(json.loads(json.dumps(to_dict(module.describe(name))))))


def answers(spec, size, count=2):
    """The outputs for a batch of the record's own task, by name."""
    import torch

    from suite.axes import TASKS
    from suite.data.sources import source_for, sources_in
    from suite.flat_tensors import flatten_outputs
    from suite.tasks.task_of import batch_for

    source = source_for(sources_in(None), TASKS[spec.task].input)
    inputs = batch_for(spec, size, source, num_samples=count).inputs
    torch.manual_seed(0)
    module = spec.build(**spec.sizes[size].build).eval()
    with torch.inference_mode():
        found = flatten_outputs(module(**inputs), spec.outputs)
    return dict(zip(spec.outputs, found, strict=True))


def test_a_classifier_of_timm_has_the_input_the_classes_and_the_head_of_its_configuration():
    spec = timm.describe("mobilenetv3_small_050")
    assert spec.name == "timm.mobilenetv3_small_050"
    assert spec.task == "image_classification"
    assert spec.sizes["base"].inputs == {"side": 224, "channels": 3, "classes": 1000}
    assert spec.head == ("classifier",)


def test_a_model_of_timm_that_ends_in_features_is_measured_without_classes():
    spec = through_json(timm, "vit_small_patch14_dinov2")
    assert (spec.task, spec.can_train) == ("open", False)
    assert spec.inputs(**spec.sizes["base"].inputs).shape == (1, 3, 518, 518)


@pytest.mark.parametrize(
    ("name", "task", "outputs"),
    [
        ("shufflenet_v2_x0_5", "image_classification", ("logits",)),
        ("r3d_18", "video_classification", ("logits",)),
        ("lraspp_mobilenet_v3_large", "segmentation", ("out",)),
        ("retinanet_resnet50_fpn", "open", ("boxes", "scores", "labels")),
        ("raft_small", "open", ("flow",)),
    ],
)
def test_each_part_of_torchvision_has_its_task_and_its_outputs(name, task, outputs):
    spec = through_json(torchvision, name)
    assert (spec.task, spec.outputs) == (task, outputs)


def test_a_model_of_a_library_runs_on_the_batch_of_its_task():
    assert answers(through_json(torchvision, "shufflenet_v2_x0_5"), "base")["logits"].shape == (
        2,
        1000,
    )


@pytest.mark.parametrize(
    ("name", "task", "shapes"),
    [
        ("gpt2", "language_modeling", {"logits": (2, 16, 512)}),
        ("distilbert", "masked_language_modeling", {"logits": (2, 16, 512)}),
        ("t5", "open", {"logits": (2, 16, 512), "encoder_last_hidden_state": (2, 16, 64)}),
    ],
)
def test_a_type_of_transformers_has_a_tiny_configuration_that_runs(name, task, shapes):
    spec = through_json(transformers, name)
    assert spec.task == task
    assert {n: tuple(t.shape) for n, t in answers(spec, "tiny").items()} == shapes
    assert spec.export.dynamic["input_ids"] == {0: "batch", 1: "sequence"}


def test_the_width_of_every_family_of_names_is_made_small():
    """xlm and flaubert call it otherwise: their `tiny` had 103 million parameters."""
    from suite.origins.small_configurations import WIDTH, smaller

    config = SimpleNamespace(to_dict=lambda: {"emb_dim": 2048, "n_layers": 12})
    assert smaller(config)["emb_dim"] == WIDTH


def test_beside_a_picture_the_words_of_another_input_are_others_and_its_labels_are_not():
    import torch

    from suite.tasks.ready_inputs import cut_or_repeated

    values = {
        "pixels": torch.rand(1, 3, 4, 4),
        "tokens": torch.arange(12).reshape(1, 12),
        "label": torch.arange(5),
    }
    spec = ModelSpec(name="m", build=dict, inputs=dict, outputs=("y",), sizes={"base": Size()})
    other = cut_or_repeated(spec, values, num_samples=1, seed=3)
    assert sorted(other["tokens"][0].tolist()) == list(range(12))
    assert not torch.equal(other["tokens"], values["tokens"])
    assert torch.equal(other["label"], values["label"])


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_a_model_with_a_text_and_a_picture_gets_both(name):
    spec = through_json(transformers, name)
    assert set(spec.export.dynamic) == {"input_ids", "pixel_values"}
    assert "logits_per_image" in spec.outputs


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        (timm, "resnet_18", "timm has no model 'resnet_18'; did you mean resnet18"),
        (torchvision, "convnext_tinny", "did you mean convnext_tiny"),
        (transformers, "distillbert", "no model type 'distillbert'; did you mean distilbert"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_did_you_mean(module, name, message):
    with pytest.raises(CatalogError, match=message):
        module.describe(name)


def test_an_id_of_the_hub_that_is_not_in_the_cache_is_not_downloaded_unless_asked(
    monkeypatch, tmp_path
):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CatalogError, match="nothing is downloaded unless asked; next: --weights"):
        transformers.describe("some-body/some-model-that-is-nowhere")


def test_a_saved_folder_is_built_with_its_weights(tmp_path):
    import torch

    spec = through_json(transformers, "gpt2")
    saved = spec.build(**spec.sizes["tiny"].build)
    saved.save_pretrained(tmp_path)
    found = through_json(transformers, str(tmp_path))
    loaded = found.build(**found.sizes["base"].build)
    for name, tensor in saved.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name])


def test_a_folder_without_a_configuration_is_named(tmp_path):
    from suite.origins.reference import parse

    with pytest.raises(CatalogError, match="expected a folder that save_pretrained wrote"):
        parse(f"hf:{tmp_path}")


@pytest.mark.parametrize("name", ["mixer_s32_224", "repvgg_a0", "cait_xxs24_224"])
def test_a_net_that_starts_with_a_constant_answers_two_pictures_differently(name):
    import torch

    from suite.origins.timm import build_model

    torch.manual_seed(0)
    module = build_model(name).eval()
    with torch.inference_mode():
        first, second = (module(torch.randn(1, 3, 224, 224)) for _ in range(2))
    assert (first - second).norm() > 0.01 * first.norm()


def test_a_detector_with_random_weights_finds_something_of_its_own_in_every_picture():
    import torch

    from suite.origins.torchvision import build_model, noise

    torch.manual_seed(0)
    module = build_model("ssdlite320_mobilenet_v3_large").eval()
    (pictures,) = noise(count=2, shape=[3, 320, 320], is_list=True)
    with torch.inference_mode():
        first, second = (module([picture])[0]["scores"] for picture in pictures)
    assert len(first) > 20
    assert not torch.equal(first, second)


def test_an_argument_that_a_class_of_torchvision_calls_otherwise_is_renamed():
    from suite.origins.torchvision import describe

    found = describe("lraspp_mobilenet_v3_large")
    assert found.arguments == {"x": "input"}
    assert found.export.dynamic == {"input": {0: "batch"}}
    assert describe("fcn_resnet50").arguments == {}
