"""`python -m suite check`: slips in records and modules, each in one sentence with what was meant."""

import re
from pathlib import Path

import pytest

from suite import check
from suite.axes import TASKS
from suite.catalog import CatalogError, builtin_specs
from suite.cell import Cell
from suite.check import main, possible, run, subjects
from suite.data.sources import sources_in
from suite.slips import Slip, must_have_settings, told_as_slip
from suite.spec import Gap, ModelSpec, Size
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob

FILE = """
from suite.spec import ModelSpec, Size

def build():
    import torch
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 4), CLASS())

MODELS = (ModelSpec(name="mine", task="image_classification", build=build, outputs=OUTPUTS,
                    sizes={"tiny": Size(inputs={"side": 8, "channels": 3, "classes": 10})}, MORE),)
"""


def record(entries, **changes):
    fields = {
        "name": "mine",
        "task": "image_classification",
        "build": dict,
        "outputs": ("logits",),
        "sizes": {"tiny": Size(inputs=entries)},
    }
    return ModelSpec(**{**fields, **changes})


def test_a_misspelt_entry_of_inputs_is_told_with_the_one_that_was_meant():
    with pytest.raises(Slip, match="lacks 'side', and has 'sdie': did you mean 'side'"):
        must_have_settings(record({"sdie": 8, "channels": 3, "classes": 4}), "tiny")


def test_a_missing_entry_of_inputs_is_told_with_all_that_the_task_needs():
    with pytest.raises(Slip, match="lacks 'classes'.* expected .*: channels, side, classes"):
        must_have_settings(record({"side": 8, "channels": 3}), "tiny")


@pytest.mark.parametrize("spec", builtin_specs(), ids=lambda s: s.name)
def test_every_record_of_the_catalogue_has_what_its_task_needs(spec):
    for size in spec.sizes:
        must_have_settings(spec, size)


def test_every_task_on_a_data_set_says_what_it_needs():
    assert all(row.settings for row in TASKS.values() if row.input != "own")


def test_what_a_model_without_targets_cannot_do_is_named():
    lines = list(possible(record({}, task="open", inputs=dict)))
    assert lines[0] == "states: original, built_pruned, built_int8"
    assert any("need `batch`, `loss` and `metric`" in line for line in lines)
    assert not any("`batch`" in line for line in possible(record({})))


def test_an_unknown_name_is_told_with_exit_code_2(capsys):
    with pytest.raises(CatalogError, match="did you mean resnet18"):
        subjects(["resnet_18"])
    assert main(type("A", (), {"what": ["resnet_18"], "size": ""})) == 2
    assert "did you mean resnet18" in capsys.readouterr().err


def test_a_file_that_does_not_parse_is_told_before_anything_is_imported(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text("import torch\ndef f(:\n")
    assert main(type("A", (), {"what": [str(file)], "size": ""})) == 2
    assert "line 2" in capsys.readouterr().err


@pytest.fixture
def checked(tmp_path):
    def found(layer, more='arguments={"x": "input"}', outputs='("logits",)', head=""):
        file = tmp_path / "mine.py"
        text = FILE.replace("CLASS", layer).replace("MORE", more).replace("OUTPUTS", outputs)
        file.write_text(head + text)
        options = JobOptions(models_from=str(file), sources=sources_in(None))
        job = CellJob(runner="", cell=Cell(model="mine", size="tiny"), options=options)
        return run(job, lambda kind, **data: None).result.claims

    return found


def broken(claims):
    return [claim.name for claim in claims if not claim.holds]


@pytest.mark.heavy
def test_a_good_model_keeps_every_claim_and_a_bad_one_names_what_is_wrong(checked):
    assert broken(checked("torch.nn.ReLU")) == []


@pytest.mark.heavy
def test_a_missing_output_is_found(checked):
    assert broken(checked("torch.nn.ReLU", outputs='("logits", "aux")')) == [
        "gives the outputs that it names"
    ]


@pytest.mark.heavy
def test_an_input_under_another_name_is_found_with_the_cure(checked):
    with pytest.raises(Slip, match=r'forward takes no `x`.*arguments=\{"x": "input"\}'):
        checked("torch.nn.ReLU", more="")


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("body", "claim"),
    [
        ("return x / 0 - x / 0", "the outputs are finite"),
        ("self.n = getattr(self, 'n', 0) + 1; return x + self.n", "two calls answer alike"),
    ],
)
def test_what_it_answers_is_looked_at(checked, body, claim):
    layer = "type('Odd', (torch.nn.Module,), {'forward': run_it})"
    head = f"def run_it(self, x):\n    {body}\n"
    assert broken(checked(layer, head=head)) == [claim]


@pytest.mark.parametrize(
    ("text", "order"), [("import time, torch\n", ["ready", "read"]), ("import json\n", ["alone"])]
)
def test_the_import_of_torch_is_no_fault_of_the_file_that_needs_it(
    tmp_path, monkeypatch, capsys, text, order
):
    """Every user's file imports torch, and every cell has it before: the file was told to import it elsewhere."""
    path = tmp_path / "models.py"
    path.write_text("import json\nfrom torch import nn\nfrom . import x\nMODELS = ()\n")
    assert check.imported_packages(path) == {"json", "torch"}
    path.write_text(f"{text}MODELS = ()\n")
    seen = []
    builder = type("B", (), {"wait_until_ready": lambda self: seen.append("ready")})()

    def read(path, worker):
        seen.append("alone" if worker is None else "read")
        assert worker is None or worker() is builder
        return ()

    monkeypatch.setattr(check, "user_specs", read)
    check._read(path, builder)
    assert seen == order
    assert capsys.readouterr().out == ""


def test_what_an_onnx_file_cannot_do_is_not_offered():
    gap = Gap(backend="eager", reason="no module", url="https://onnx.ai")
    lines = list(possible(record({}, task="open", inputs=dict, gaps=(gap,))))
    assert lines == ["states: original, built_int8", "gap (eager): no module"]


width = 3


def built(width):
    """Takes one argument."""


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: widht, "build raises NameError in test_check.py, line"),  # noqa: F821
        (lambda: widht, "name 'widht' is not defined; did you mean width?"),  # noqa: F821
        (lambda: Path.cwdd(), "has no attribute 'cwdd'; did you mean cwd"),
        (lambda: built(widht=3), "unexpected keyword argument 'widht'; did you mean width?"),
    ],
)
def test_a_slip_in_build_is_told_with_its_line_and_what_was_meant(build, text):
    with (
        pytest.raises(Slip, match=re.escape(text)),
        told_as_slip(record({}, build=built), "build raises"),
    ):
        build()


def test_a_library_that_is_missing_is_no_slip():
    with pytest.raises(ModuleNotFoundError), told_as_slip(record({}), "build raises"):
        raise ModuleNotFoundError("no timm")
