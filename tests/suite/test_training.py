"""The training loop: accumulation, memory that runs out, checkpoints, order, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.catalog import spec_for
from suite.cell import Cell
from suite.data.sources import source_for, sources_in
from suite.lifecycle import Training
from suite.spec import ModelSpec, Size
from suite.training.schedules import SCHEDULES, factor
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob

pytestmark = pytest.mark.heavy

SETTINGS = Training(batch=8, steps=10, learning_rate=0.05, optimizer="adamw", clip=10.0)
SPEC = ModelSpec(
    name="net",
    family="x",
    task="image_classification",
    build=dict,
    sizes={"tiny": Size(training=SETTINGS)},
    outputs=("y",),
)


def module(seed=0, dropout=0.0):
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Linear(6, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 3)
            )

        def forward(self, x):
            return self.layers(x)

    torch.manual_seed(seed)
    return Net()


def batch(count=8, seed=0):
    import torch

    from suite.tasks.batch import Batch

    generator = torch.Generator().manual_seed(seed)
    return Batch(
        inputs={"x": torch.randn(count, 6, generator=generator)},
        targets={"labels": torch.randint(0, 3, (count,), generator=generator)},
        num_samples=count,
    )


def train_state(net, **more):
    from suite.training.train_state import train_state_for

    settings = replace(SETTINGS, **more)
    return train_state_for(SPEC, net, settings, steps=settings.steps)


def endless(start=0):
    number = start
    while True:
        yield batch(seed=number)
        number += 1


def losses_of(net, steps=10, **more):
    import torch

    from suite.training.loop import fit

    torch.manual_seed(0)
    return fit(train_state(net, **more), endless(), until=steps).losses


def test_accumulated_micro_batches_give_the_losses_of_the_whole_batch():
    whole, parts = losses_of(module()), losses_of(module(), micro_batch=3)
    assert parts == pytest.approx(whole, rel=1e-5)
    assert whole[0] != whole[-1]


def test_memory_that_runs_out_halves_the_micro_batch_says_so_and_goes_on():
    import torch

    from suite.training.loop import fit

    net = module()
    full = net.forward

    def small_only(x):
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")
        return full(x)

    net.forward = small_only
    learner = train_state(net)
    history = fit(learner, endless(), until=10)
    assert learner.micro_batch == 2
    assert [e.split(": ")[1] for e in history.events] == [
        "micro-batch 8 -> 4, accumulation 2",
        "micro-batch 4 -> 2, accumulation 4",
    ]
    assert history.losses == pytest.approx(losses_of(module()), rel=1e-5)


def test_no_memory_for_a_single_sample_is_the_end():
    from suite.training.loop import TrainingError, fit

    net = module()

    def never(x):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    net.forward = never
    with pytest.raises(TrainingError, match="micro-batch of one sample in step 1"):
        fit(train_state(net), endless(), until=1)


def test_another_error_is_not_taken_for_memory():
    from suite.training.loop import fit

    net = module()

    def broken(x):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    net.forward = broken
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        fit(train_state(net), endless(), until=1)


def test_a_loss_that_is_no_number_ends_the_training_with_the_step():
    from suite.training.loop import TrainingError, fit

    def poisoned():
        yield batch()
        bad = batch()
        bad.inputs["x"][0, 0] = float("nan")
        yield bad

    with pytest.raises(TrainingError, match="is nan in step 2"):
        fit(train_state(module()), poisoned(), until=2)


def test_a_resumed_training_goes_on_exactly_also_with_dropout(tmp_path):
    import torch

    from suite.training import checkpoint
    from suite.training.loop import fit

    torch.manual_seed(0)
    first = train_state(module(dropout=0.5))
    whole = fit(first, endless(), until=4)
    checkpoint.save(first, whole, tmp_path)
    fit(first, endless(4), until=10, history=whole)

    torch.manual_seed(99)
    second = train_state(module(seed=7, dropout=0.5))
    resumed = checkpoint.load(second, tmp_path)
    assert second.step == 4
    fit(second, endless(4), until=10, history=resumed)
    assert resumed.losses == whole.losses
    for a, b in zip(first.module.parameters(), second.module.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("damage", ["truncate", "garbage", "schema", "other model"])
def test_a_corrupt_checkpoint_names_its_file_and_the_next_step(tmp_path, damage):
    from suite.training import checkpoint
    from suite.training.loop import TrainingHistory

    learner = train_state(module())
    checkpoint.save(learner, TrainingHistory(), tmp_path)
    tensors, document = tmp_path / checkpoint.TENSORS, tmp_path / checkpoint.DOCUMENT
    if damage == "truncate":
        tensors.write_bytes(tensors.read_bytes()[:100])
    elif damage == "garbage":
        document.write_text("{")
    elif damage == "schema":
        document.write_text('{"schema": 99}')
    else:
        from torch import nn

        learner = train_state(nn.Linear(2, 2))
    with pytest.raises(checkpoint.CheckpointError, match=r"delete the folder") as error:
        checkpoint.load(learner, tmp_path)
    assert str(tmp_path) in str(error.value)


def test_weights_that_get_no_gradient_are_named():
    from torch import nn

    from suite.training.loop import fit

    net = module()
    net.unused = nn.Linear(2, 2)
    history = fit(train_state(net), endless(), until=2)
    assert history.without_gradient == ["unused.weight", "unused.bias"]


@pytest.mark.parametrize(("rate", "holds", "steps"), [(0.02, True, 10), (0.0, False, 60)])
def test_a_single_batch_is_overfitted_by_a_model_that_can_and_no_longer_than_it_takes(
    rate, holds, steps
):
    from suite.training.sanity_checks import overfit
    from suite.training.setup import training_setup_for
    from suite.weights import module_for

    spec = spec_for("mlp")
    settings = replace(spec.sizes["tiny"].training, learning_rate=rate)
    source = source_for(sources_in(None), "image")
    job = CellJob(runner="", cell=Cell(model="mlp", size="tiny"), options=JobOptions())
    setup = training_setup_for(job, spec, source, settings)
    claim = overfit(setup, module_for(spec, "tiny"))
    assert claim.holds is holds
    assert f"in {steps} steps; expected below 0.5 of the first within 60" in claim.evidence


@given(
    st.sampled_from(sorted(SCHEDULES)),
    st.integers(1, 300),
    st.floats(0, 0.5),
    st.data(),
)
def test_a_learning_rate_rises_then_falls_and_is_never_zero(name, steps, warmup, data):
    step = data.draw(st.integers(0, steps - 1))
    value = factor(name, step, steps, warmup)
    assert 0 < value <= 1
    rise = round(steps * warmup)
    if 0 < step < rise:
        assert value > factor(name, step - 1, steps, warmup)
    if step > rise:
        assert value <= factor(name, step - 1, steps, warmup)


def test_an_unknown_schedule_or_optimizer_names_the_known_ones():
    from suite.training.optimizers import optimizer_for

    with pytest.raises(ValueError, match="constant, linear, cosine"):
        factor("cosin", 0, 10, 0.1)
    with pytest.raises(ValueError, match="sgd, adam, adamw"):
        optimizer_for("lion", [], learning_rate=1.0, weight_decay=0.0)


def test_the_order_of_an_epoch_is_whole_batches_and_another_one_every_epoch():
    from suite.training.loaders import order_of

    first, again = order_of(10, 4, seed=0, epoch=0), order_of(10, 4, seed=0, epoch=0)
    assert first == again
    assert len(first) == 8 == len(set(first))
    assert first != order_of(10, 4, seed=0, epoch=1)
    assert len(order_of(3, 8, seed=0, epoch=0)) == 8


def test_layers_come_in_the_order_in_which_they_run_and_the_last_is_the_head():
    from suite.training.layers import head_of, in_order
    from suite.training.strategies import depth_groups

    net = module()
    layers = in_order(net, lambda: net(batch().inputs["x"]))
    assert layers == ["layers.0", "layers.3"]
    assert head_of((), layers) == ["layers.3"]
    assert head_of(("layers",), layers) == layers
    with pytest.raises(ValueError, match="no weights"):
        head_of(("classifier",), layers)
    groups = depth_groups(net, layers, 4)
    assert [len(group) for group in groups] == [2, 2]


def test_units_that_are_never_active_are_counted():
    import torch

    from suite.training.layers import dead_shares

    net = module()
    with torch.no_grad():
        net.layers[0].bias[:4] = -1e3
    shares = dead_shares(net, lambda: net(batch().inputs["x"]))
    assert shares["layers.1"] >= 4 / 16
