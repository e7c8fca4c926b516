"""Where weights come from: a seed, files, the hub; and what is refused."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file, save_model

from suite.catalog import spec_for
from suite.weights import WeightsError, module_for, weights_in
from suite.worker.errors import Unavailable


def logits(module, size=28):
    return module(torch.linspace(0, 1, size * size).reshape(1, 1, size, size))


def test_a_seed_gives_the_same_weights_and_another_seed_others():
    spec = spec_for("mlp")
    same = [logits(module_for(spec, "tiny", seed=3)) for _ in range(2)]
    assert torch.equal(*same)
    assert not torch.equal(same[0], logits(module_for(spec, "tiny", seed=4)))


def test_weights_come_from_a_safetensors_file_of_the_models_name(tmp_path):
    spec = spec_for("mlp")
    trained = module_for(spec, "tiny", seed=9)
    save_model(trained, str(tmp_path / "mlp.safetensors"))
    assert torch.equal(logits(trained), logits(module_for(spec, "tiny", weights=str(tmp_path))))


def test_tied_weights_are_stored_once_and_load(tmp_path):
    spec = spec_for("gpt2")
    trained = module_for(spec, "tiny", seed=9)
    save_model(trained, str(tmp_path / "gpt2.safetensors"))
    ids = torch.arange(8)[None]
    loaded = module_for(spec, "tiny", weights=str(tmp_path))
    assert torch.equal(trained(ids).logits, loaded(ids).logits)


def test_weights_come_from_a_save_pretrained_folder(tmp_path):
    spec = spec_for("bert_classifier")
    trained = module_for(spec, "tiny", seed=9)
    trained.save_pretrained(tmp_path / "bert_classifier")
    loaded = module_for(spec, "tiny", weights=str(tmp_path))
    # Not their answers: kernels round by where a tensor lies in memory.
    stored = loaded.state_dict()
    assert all(torch.equal(value, stored[name]) for name, value in trained.state_dict().items())
    assert not loaded.training


def test_a_pretrained_folder_of_another_architecture_is_refused(tmp_path):
    module_for(spec_for("bert_classifier"), "tiny").save_pretrained(tmp_path)
    with pytest.raises(
        WeightsError, match="model_type is 'bert'; roberta_classifier needs 'roberta'"
    ):
        module_for(spec_for("roberta_classifier"), "tiny", weights=str(tmp_path))


def test_weights_of_another_model_are_named_by_their_keys(tmp_path):
    save_file({"foreign": torch.zeros(2)}, tmp_path / "mlp.safetensors")
    with pytest.raises(
        WeightsError, match=r"not the weights of mlp: missing .*unexpected \['foreign'\]"
    ):
        module_for(spec_for("mlp"), "tiny", weights=str(tmp_path))


def test_weights_of_another_size_are_refused_with_a_hint(tmp_path):
    save_model(module_for(spec_for("mlp"), "base"), str(tmp_path / "mlp.safetensors"))
    with pytest.raises(WeightsError, match="is --size the right one"):
        module_for(spec_for("mlp"), "tiny", weights=str(tmp_path))


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "mlp.safetensors").write_bytes(b"not a header")
    with pytest.raises(WeightsError, match="no readable safetensors file"):
        module_for(spec_for("mlp"), "tiny", weights=str(tmp_path))


def test_a_pickle_is_refused_and_never_opened(tmp_path):
    torch.save({"a": 1}, tmp_path / "mlp.pt")
    with pytest.raises(WeightsError, match="a pickle and is never opened"):
        weights_in(tmp_path, "mlp")


def test_a_save_pretrained_folder_with_pickled_weights_is_refused(tmp_path):
    module = module_for(spec_for("bert_classifier"), "tiny")
    (tmp_path / "config.json").write_text(json.dumps(module.config.to_dict()))
    torch.save(module.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="save again with save_pretrained"):
        module_for(spec_for("bert_classifier"), "tiny", weights=str(tmp_path))


def test_an_unreachable_hub_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(Unavailable, match="HF_HOME"):
        module_for(spec_for("bert"), "base", weights="pretrained")


@pytest.mark.parametrize("is_there", [True, False])
def test_the_hub_is_asked_once_and_without_an_answer_the_cache_alone_is_used(monkeypatch, is_there):
    import huggingface_hub
    from huggingface_hub import constants

    seen = []

    class Session:
        def head(self, url, timeout):
            seen.append((url, timeout))
            if not is_there:
                raise OSError("no address")

    monkeypatch.setattr(huggingface_hub, "get_session", Session)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    spec = replace(spec_for("mlp"), pretrained=lambda: seen.append(constants.HF_HUB_OFFLINE))
    monkeypatch.setattr("suite.weights.refuse_dict_inputs", lambda *_: seen.append("built"))
    with pytest.raises(AttributeError):  # what stands for the module is none
        module_for(spec, "base", weights="pretrained")
    assert seen == [(constants.ENDPOINT, 5.0), not is_there, "built"]
    assert constants.HF_HUB_OFFLINE is False


def test_a_model_without_published_weights_says_so():
    with pytest.raises(Unavailable, match="has no published weights"):
        module_for(spec_for("mlp"), "base", weights="pretrained")
