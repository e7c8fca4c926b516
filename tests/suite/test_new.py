"""`python -m suite new`: the record that it writes is a good one."""

import pytest

from suite.catalog import specs_in
from suite.new import main, record_text
from suite.origins import python, timm, torchvision, transformers
from suite.origins.reference import parse

pytestmark = pytest.mark.heavy

FILE = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.out = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.out(x)

def example_inputs():
    return torch.randn(2, 4)
"""


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (timm, "timm:mobilenetv3_small_050"),
        (torchvision, "torchvision:shufflenet_v2_x0_5"),
        (transformers, "hf:gpt2"),
    ],
)
def test_the_record_of_a_name_has_its_task_inputs_and_axes_and_builds(tmp_path, module, text):
    spec = module.describe(text.partition(":")[2])
    file = tmp_path / "mine.py"
    file.write_text(record_text(parse(text), spec))
    found = specs_in(file)[0]
    for name in ("task", "outputs", "head", "requires"):
        assert getattr(found, name) == getattr(spec, name)
    assert found.export.dynamic == spec.export.dynamic
    size = next(iter(found.sizes))
    assert found.sizes[size].inputs == spec.sizes[size].inputs
    count, wanted = (
        sum(p.numel() for p in s.build(**s.sizes[size].build).parameters()) for s in (found, spec)
    )
    assert count == wanted


def test_the_record_of_a_class_brings_its_example_inputs(tmp_path, monkeypatch):
    net = tmp_path / "net_of_mine.py"
    net.write_text(FILE)
    reference = parse(f"{net}:Net")
    file = tmp_path / "mine.py"
    text = record_text(reference, python.describe(reference.target))
    assert not [line for line in text.splitlines() if line != line.rstrip()]
    assert "random ones here" not in text  # they are the file's own
    file.write_text(text)
    found = specs_in(file)[0]
    assert found.build()(found.inputs()).shape == (2, 3)


def test_a_file_that_is_there_is_not_written_over(tmp_path, capsys, monkeypatch):
    file = tmp_path / "mine.py"
    file.write_text("mine")
    net = tmp_path / "net_of_mine.py"
    net.write_text(FILE)
    monkeypatch.setattr(
        "suite.new.resolve",
        lambda references, cache: {"net": (None, python.describe(references[0].target))},
    )
    assert main(type("A", (), {"what": f"{net}:Net", "out": file})) == 2
    assert "is not written: File exists" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert main(type("A", (), {"what": "nowhere", "out": None})) == 2
