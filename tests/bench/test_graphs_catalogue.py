"""Models of the catalogue, exported at tiny: our multiply-accumulates of the graph against PyTorch's of the module."""

from pathlib import Path

import pytest

from suite.cell import Cell
from suite.data.sources import sources_in
from suite.outcome import Outcome
from suite.worker.client import Launcher
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob

pytestmark = [pytest.mark.heavy, pytest.mark.slow]
SOURCES = {kind: source.as_dict() for kind, source in sources_in(None).items()}
DEPENDS_ON_DATA = {"faster_rcnn"}
"""How many regions are looked at is known in a run alone."""
MODELS = (
    *("mlp", "rnn", "lstm", "gru", "dcgan", "faster_rcnn", "pspnet"),
    *("albert_classifier", "transformer", "t5", "llama", "vit_b_16"),
)
"""One of each kind of operator and attention; a minute instead of five."""


@pytest.fixture(scope="module")
def launcher():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        launcher = Launcher(preload=["suite.stages.export.preload"])
    yield launcher
    launcher.close()


@pytest.mark.parametrize("model", MODELS)
def test_our_macs_of_the_graph_are_those_of_the_module_within_a_percent(launcher, tmp_path, model):
    options = {
        "models_from": "", "sources": SOURCES, "seed": 0, "threads": 1, "weights": "random",
        "run_dir": str(tmp_path), "output": str(tmp_path / f"{model}.onnx"), "cache_dir": "",
    }  # fmt: skip
    cell = Cell(model=model, size="tiny", backend="onnxruntime")

    def run(runner):
        answer = launcher.run(
            CellJob(
                runner=runner,
                cell=cell,
                options=JobOptions.from_dict(options),
                deadline=300.0,
                log=str(tmp_path / "log"),
            )
        )
        assert answer.outcome is Outcome.PASSED, answer.failure
        return answer.result

    run("suite.stages.export.run:run")
    facts = run("graph_jobs:macs")["facts"]
    assert facts["uncounted"] == 0
    assert facts["module"] > 0
    assert facts["graph"] == pytest.approx(facts["module"], rel=0.01)
    assert facts["depends_on_data"] == (model in DEPENDS_ON_DATA)
