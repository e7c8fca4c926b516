"""`pytest -p vitals` in a repository that has nothing of this project but the installed wheel."""

import re
import subprocess

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

MODELS = """
from vitals.spec import Export, ModelSpec, Size


def build(width):
    import torch

    layers = [torch.nn.Linear(192, width), torch.nn.ReLU(), torch.nn.Linear(width, 10)]
    return torch.nn.Sequential(torch.nn.Flatten(), *layers)


MODELS = (
    ModelSpec(
        name="my_net",
        family="own",
        task="image_classification",
        build=build,
        sizes={"base": Size(build={"width": 64}, inputs={"side": 8, "channels": 3, "classes": 10})},
        outputs=("logits",),
        arguments={"x": "input"},
        export=Export(dynamic={"input": {0: "batch"}}),
    ),
)
"""

TESTS = """
import pytest
import torch


class Scorer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = torch.nn.Linear(16, 32), torch.nn.Linear(8, 32)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, a, b, scale=2.0):
        return {"score": self.drop(self.left(a).relu() * self.right(b)).sum(-1) * scale, "a": -a}


def test_two_inputs_and_a_dictionary(vitals):
    net = Scorer()
    a, b = torch.randn(4, 16), torch.randn(4, 8)
    time = vitals.latency(net, a, b=b)
    assert 0 < time.low <= time.p50 <= time.high
    assert net.training and net.drop.training
    assert vitals.memory(net, a, b).peak_tensor_bytes >= 3 * 4 * 32 * 4
    graph = vitals.export(net, a, b, dynamic={"a": {0: "batch"}, "b": {0: "batch"}})
    assert graph.is_exact, graph.reason
    assert len(graph.extents["batch"]) >= 2


def test_an_input_that_is_no_tensor_is_named(vitals):
    with pytest.raises(TypeError, match="input `scale` is float; expected a tensor"):
        vitals.export(Scorer(), torch.randn(4, 16), torch.randn(4, 8), scale=3.0)


@pytest.mark.vitals(memory_mb=0.001)
def test_too_large(vitals):
    vitals.memory(torch.nn.Linear(8, 8000), torch.randn(2, 8))


@pytest.mark.vitals(regression=0.05)
def test_gate(vitals):
    verdict = vitals.gate("models.py", against="HEAD", options=["--backend", "eager"])
    raise AssertionError("the head has other outputs, so this line is not reached")
"""


def git(folder, *arguments):
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def test_measures_exports_and_gates_and_asserts_what_the_markers_say(run, tmp_path):
    for name in ("suite", "bench", "diagnostics"):  # packages of their own, which stay theirs
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("MINE = True\n")
    (tmp_path / "suite" / "spec.py").write_text("")
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "test_mine.py").write_text(
        f"import bench, diagnostics, suite\n{TESTS}\n\ndef test_mine():\n"
        "    assert suite.MINE and bench.MINE and diagnostics.MINE\n"
    )
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    (tmp_path / "models.py").write_text(MODELS.replace("ReLU()", "GELU()"))
    done = run("python", "-m", "pytest", "-p", "vitals", "-q", "--show-capture=no")
    assert "2 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    assert re.search(r"peak tensors 64\.0 kB is above memory_mb=0\.001 \(MB\)", done.stdout)
    assert "head does not run, or is not the same function as base (1 broken); see " in done.stdout
    assert "test_two_inputs_and_a_dictionary export: parity passed" in done.stdout
    assert next(tmp_path.glob(".vitals/gates/*/verdict.md")).read_text().startswith("## ")
