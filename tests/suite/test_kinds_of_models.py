"""The complete records of docs/your-models.md, one per kind of model: each builds, answers as it says, and learns."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from suite.catalog import specs_in
from suite.cell import Cell
from suite.check import run
from suite.data.sources import sources_in
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob

pytestmark = pytest.mark.heavy
PAGE = Path(__file__).parents[2] / "docs" / "your-models.md"
FILES = {
    name: code
    for name, code in re.findall(
        r"```python\n# (\w+)\.py\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL
    )
    if "MODELS" in code
}
KINDS = {
    "my_distance": ("distance",),
    "my_siamese": ("siamese",),
    "my_clip": ("clip",),
    "my_gan": ("gan",),
    "my_tasks": ("regressor", "forecaster", "listener", "pointer", "embedder"),
    "my_shapes": ("features", "volume"),
}
LEARNED = [(f, n) for f, names in KINDS.items() for n in names if n not in ("gan", "listener")]
"""The spoken letters of `listener` take longer than a test may."""


@pytest.fixture
def specs(tmp_path):
    def read(name):
        file = tmp_path / f"{name}.py"
        file.write_text(FILES[name])
        return file, {spec.name: spec for spec in specs_in(file)}

    return read


def test_the_page_has_a_record_of_every_kind(specs):
    assert {name: tuple(specs(name)[1]) for name in FILES} == KINDS


@pytest.mark.parametrize(("name", "model"), [(f, n) for f, names in KINDS.items() for n in names])
def test_a_record_of_the_page_keeps_every_claim_of_the_check(specs, name, model):
    file, _ = specs(name)
    options = JobOptions(models_from=str(file), sources=sources_in(None))
    job = CellJob(runner="", cell=Cell(model=model, size="tiny"), options=options)
    claims = run(job, lambda kind, **data: None).result.claims
    assert [claim for claim in claims if not claim.holds] == []


@pytest.mark.parametrize(("name", "model"), LEARNED)
def test_a_record_of_the_page_learns(specs, name, model):
    import torch

    from suite.data.sources import Source
    from suite.quality import gain
    from suite.training.loop import fit
    from suite.training.quality import module_forward, quality
    from suite.training.setup import TrainingSetup

    spec = specs(name)[1][model]
    settings = replace(spec.sizes["tiny"].training, batch=32, learning_rate=3e-3)
    setup = TrainingSetup(
        spec=spec,
        size="tiny",
        source=Source(kind="own", name="own"),
        settings=settings,
        steps=60,
        seed=0,
        device="cpu",
        dtype="float32",
        num_workers=0,
    )
    torch.manual_seed(0)
    module, test = spec.build(**spec.sizes["tiny"].build), setup.test()
    before = quality(spec, module_forward(module), test)
    fit(setup.train_state(module), setup.batches(), until=setup.steps)
    assert gain(spec.scale, before, quality(spec, module_forward(module), test)) > 0
