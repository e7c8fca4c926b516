"""Open tasks: batches, loss and metric of a record, and the built-in tasks of the same form."""

from dataclasses import replace

import pytest

from suite.axes import TASKS, task_row
from suite.quality import drop, gain, shown
from suite.spec import Metric, ModelSpec, Size

pytestmark = pytest.mark.heavy

FORMS = {
    "regression": ({}, 10, 1),
    "forecasting": ({"length": 24, "horizon": 4}, 24, 4),
    "audio_classification": ({"length": 2400, "classes": 27}, 2400, 27),
    "embedding": ({"channels": 1, "side": 8}, 64, 16),
    "keypoints": ({"channels": 1, "side": 16}, 256, 4),
}


def net(inputs, outputs):
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, outputs))

        def forward(self, x):
            return self.body(x.flatten(1))

    return Net()


def of_task(name):
    entries, inputs, outputs = FORMS[name]
    renames = {"input_values": "x"} if name == "audio_classification" else {}
    return ModelSpec(
        name="m",
        task=name,
        build=lambda: net(inputs, outputs),
        outputs=("answer",),
        arguments=renames,
        sizes={"tiny": Size(inputs=entries)},
    )


def setup_for(spec):
    from suite.data.sources import Source
    from suite.training.setup import TrainingSetup

    return TrainingSetup(
        spec=spec,
        size="tiny",
        source=Source(kind="own", name="own"),
        settings=replace(spec.sizes["tiny"].training, batch=32, learning_rate=3e-3),
        steps=80,
        seed=0,
        device="cpu",
        dtype="float32",
        num_workers=0,
    )


def trained(spec):
    """Metric before and after a brief training, and that of the trivial answer."""
    import torch

    from suite.training.loop import fit
    from suite.training.quality import module_forward, quality, trivial_quality

    setup = setup_for(spec)
    torch.manual_seed(0)
    module, test = spec.build(), setup.test()
    before = quality(spec, module_forward(module), test)
    fit(setup.train_state(module), setup.batches(), until=setup.steps)
    return before, quality(spec, module_forward(module), test), trivial_quality(spec, test)


@pytest.mark.parametrize("name", [n for n in FORMS if n != "audio_classification"])
def test_a_small_net_learns_each_task_beyond_the_trivial_answer(name):
    before, after, trivial = trained(of_task(name))
    assert gain(name, before, after) > 0
    assert gain(name, trivial, after) > 0


@pytest.mark.parametrize("name", FORMS)
def test_a_task_of_this_form_has_the_metric_that_its_row_names(name):
    from importlib import import_module

    row, metric = TASKS[name], import_module(TASKS[name].module).PARTS.metric
    assert (row.metric, row.metric_direction) == (metric.name, metric.direction)
    assert (row.metric_unit, row.is_relative) == (metric.unit, metric.is_relative)


@pytest.mark.parametrize("name", FORMS)
def test_the_splits_share_no_sample_and_a_seed_gives_the_same_batch(name):
    import torch

    from suite.data.sources import Source
    from suite.tasks.task_of import batch_for

    spec, own = of_task(name), Source(kind="own", name="own")

    def drawn(split, seed=0):
        found = batch_for(spec, "tiny", own, num_samples=8, seed=seed, split=split)
        return found.inputs["x"]

    assert torch.equal(drawn("test"), drawn("test"))
    assert not torch.equal(drawn("test"), drawn("test", seed=1))
    train, test = drawn("train"), drawn("test")
    assert not any(torch.equal(a, b) for a in train for b in test)


def twin(**changes):
    """Two inputs, two outputs of one shape, of which the second is the answer."""
    import torch
    from torch import nn

    class Twin(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = nn.Linear(4, 1)

        def forward(self, left, right):
            return {"noise": left.sum(-1), "distance": self.out((left - right).abs())[:, 0]}

    def batch(num_samples, seed, split):
        generator = torch.Generator().manual_seed(seed + len(split))
        left, right = torch.randn(2, num_samples, 4, generator=generator)
        return {"left": left, "right": right}, (left - right).abs().sum(-1)

    fields = {
        "name": "twin",
        "build": Twin,
        "batch": batch,
        "loss": nn.functional.l1_loss,
        "metric": Metric(
            name="error",
            unit="K",
            direction="lower",
            function=lambda answers, targets: (answers - targets).abs().mean(),
        ),
        "outputs": ("noise", "distance"),
        "answer": "distance",
        "sizes": {"tiny": Size()},
    }
    return ModelSpec(**{**fields, **changes})


def test_a_record_with_two_inputs_and_two_outputs_is_trained_and_judged_by_its_own_answer():
    before, after, trivial = trained(twin())
    assert after < 0.95 * before
    assert trivial == float("inf")


def test_a_metric_of_ones_own_has_its_unit_and_direction_wherever_it_is_shown():
    spec = twin()
    assert task_row(spec.scale).metric_direction == "lower"
    assert shown(spec.scale, 1.5) == "error 1.5 K"
    assert drop(spec.scale, 2.0, 1.0) == -50.0
    assert task_row("nothing: x [y], lower") is None


def test_without_an_answer_loss_and_metric_get_all_outputs_by_name():
    seen = []

    def loss(answers, targets):
        seen.append(sorted(answers))
        return (answers["distance"] - targets).abs().mean()

    spec = twin(answer="", loss=loss)
    setup = setup_for(spec)
    setup.loss(spec.build(), next(setup.batches()))
    assert seen == [["distance", "noise"]]


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (lambda **_: 3, "`batch` returned int; expected a tuple of two"),
        (lambda **_: ({"left": [1]}, 2), "expected a tensor or a list of tensors"),
    ],
)
def test_a_batch_that_is_none_says_what_was_expected(batch, message):
    with pytest.raises(ValueError, match=message):
        setup_for(twin(batch=batch)).test()


def test_a_batch_whose_tensors_differ_in_samples_is_refused():
    import torch

    with pytest.raises(ValueError, match="expected the same number, first in every tensor"):
        setup_for(
            twin(
                batch=lambda **_: (
                    {"left": torch.ones(3, 4), "right": torch.ones(2, 4)},
                    torch.ones(3),
                )
            )
        ).test()


def test_with_an_answer_a_second_output_of_its_shape_is_no_auxiliary_loss():
    import torch
    from torch import nn

    from suite.tasks.batch import Batch
    from suite.tasks.task_of import loss_of_task

    class Two(nn.Module):
        def forward(self, x):
            return {"features": 100 * torch.ones(2, 3), "logits": x}

    logits = torch.eye(3)[:2] * 9
    batch = Batch(inputs={"x": logits}, targets={"labels": torch.tensor([0, 1])}, num_samples=2)
    spec = ModelSpec(
        name="two",
        task="image_classification",
        build=Two,
        outputs=("features", "logits"),
        answer="logits",
        sizes={"tiny": Size()},
    )
    assert float(loss_of_task(spec)(Two(), batch)) < 0.01
