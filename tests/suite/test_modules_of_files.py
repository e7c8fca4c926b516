"""A module and its inputs, from a function of a file: what is found out about it, and what can be done with it."""

from pathlib import Path

import pytest

from suite.catalog import CatalogError
from suite.expand import expand, expand_life, in_place
from suite.origins import python
from suite.spec import ModelSpec, Size
from suite.spec_codec import from_dict, to_dict

pytestmark = pytest.mark.heavy

HEAD = """
import torch
from dataclasses import dataclass
from torch import nn

@dataclass
class Answer:
    embedding: torch.Tensor
    logits: torch.Tensor

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.text, self.out = nn.Linear(8, 32), nn.Linear(4, 32), nn.Linear(32, 5)

    def forward(self, image, text):
        h = torch.relu(self.hidden(image)) + self.text(text)
        return Answer(h, self.out(h))

INPUTS = (torch.randn(4, 8), torch.randn(4, 4))
"""
PLAIN = HEAD + "def build(): return Net()\ndef example_inputs(): return INPUTS\n"


@pytest.fixture
def write(tmp_path):
    def written(text, name="build"):
        file = tmp_path / "net.py"
        file.write_text(text)
        return f"{file}:{name}"

    return written


def whole(target):
    """The record with its functions, after a way through JSON as between parent and worker."""
    return python.completed(target, from_dict(to_dict(python.describe(target))))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (PLAIN, "build"),
        (PLAIN, "Net"),
        (HEAD + "def build(): return Net(), INPUTS\n", "build"),
        (HEAD + "net = Net()\nexample_inputs = dict(image=INPUTS[0], text=INPUTS[1])\n", "net"),
    ],
)
def test_inputs_outputs_and_the_batch_axis_are_found_out(write, text, name):
    spec = whole(write(text, name))
    assert spec.outputs == ("embedding", "logits")
    assert spec.export.dynamic == {"image": {0: "batch"}, "text": {0: "batch"}}
    assert not spec.can_train


def test_one_sample_and_many_come_from_the_inputs_and_the_first_are_the_given_ones(write):
    import torch

    from suite.data.sources import Source
    from suite.tasks.task_of import batch_for

    spec = whole(write(PLAIN))

    def drawn(count, seed=0):
        source = Source(kind="own", name="own")
        return batch_for(spec, "base", source, num_samples=count, seed=seed).inputs

    given = spec.inputs()
    assert torch.equal(drawn(1)["image"], given[0][:1])
    many = drawn(6)
    assert [t.shape[0] for t in many.values()] == [6, 6]
    assert torch.equal(many["image"][:4], given[0])
    assert not torch.equal(many["image"][4:], given[0][:2])
    assert not torch.equal(drawn(4, seed=1)["image"], given[0])
    assert torch.equal(drawn(4, seed=1)["image"], drawn(4, seed=1)["image"])


def test_inputs_without_a_common_first_axis_have_no_batch_and_say_why(write):
    text = HEAD + (
        "class Pool(nn.Module):\n"
        "    def forward(self, x, rows): return x[rows].mean(0)\n"
        "def build(): return Pool(), (torch.randn(6, 3), torch.tensor([0, 2]))\n"
    )
    spec = whole(write(text))
    assert spec.export.dynamic == {}
    assert "first axes of the inputs differ" in spec.export.static_reason
    with pytest.raises(ValueError, match="no batch axis, so --batch 2"):
        batch_of(spec, 2)
    assert batch_of(spec, 1)["x"].shape == (6, 3)


def batch_of(spec, count):
    from suite.data.sources import Source
    from suite.tasks.task_of import batch_for

    return batch_for(spec, "base", Source(kind="own", name="own"), num_samples=count).inputs


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (PLAIN, "bild", "it has no `bild`; did you mean build"),
        (HEAD + "def build(): return 3", "build", "returned int; expected a torch.nn.Module"),
        (HEAD + "def build(): return Net()", "build", r"expected a function example_inputs\(\)"),
        (
            HEAD + "def build(): return Net()\ndef exmple_inputs(): return INPUTS",
            "build",
            "did you mean to call `exmple_inputs` so",
        ),
        (HEAD + "def build(width): return Net()", "build", "needs arguments"),
        (
            HEAD + "def build(): return Net(), dict(image=INPUTS[0], txt=INPUTS[1])",
            "build",
            "no input `txt`; did you mean text",
        ),
        (
            HEAD + "def build(): return Net(), (INPUTS[1], INPUTS[0])",
            "build",
            r"forward raises RuntimeError on its inputs \(image \[4, 4\] float32",
        ),
        ("import sys\nsys.exit(3)", "build", r"calls sys.exit\(3\) when it is imported"),
    ],
)
def test_a_slip_is_one_sentence_with_what_was_expected(write, text, name, message):
    with pytest.raises(CatalogError, match=message):
        python.describe(write(text, name))


def test_what_needs_targets_says_so_and_is_unsupported(write):
    from suite.tasks.task_of import task_of
    from suite.worker.errors import Unsupported

    spec = whole(write(PLAIN))
    with pytest.raises(Unsupported, match="needs `batch`, `loss` and `metric`"):
        task_of(spec).examples({}, None, seed=0, split="train")


def plain(**changes):
    fields = {
        "name": "m",
        "task": "image_classification",
        "build": dict,
        "sizes": {"base": Size()},
        "outputs": ("y",),
    }
    return ModelSpec(**{**fields, **changes})


def test_int8_and_pruning_start_from_the_model_as_built_where_nothing_can_be_trained():
    own, trained = plain(task="open", inputs=dict), plain()
    assert [in_place(v, own) for v in ("int8", "pruned", "trained")] == [
        "built_int8",
        "built_pruned",
        "trained",
    ]
    assert in_place("int8", trained) == "int8"
    points = {"sizes": ["base"], "devices": ["cpu"], "dtypes": ["float32"], "batches": [1]}
    life = [c.variant for c in expand_life([own], **points)]
    assert "built_int8" in life
    assert "pruned_int8" not in life
    assert not {"built_int8", "built_pruned"} & {
        c.variant for c in expand_life([trained], **points)
    }
    graphs = {c.variant for c in expand_life([own], **points) if c.backend == "onnxruntime"}
    assert "original" in graphs


def test_a_model_without_the_default_size_runs_at_its_own():
    points = {"devices": ["cpu"], "dtypes": ["float32"], "batches": [1], "backends": ["eager"]}
    assert not expand([plain()], sizes=["tiny"], **points)
    cells = expand([plain()], sizes=["tiny"], is_strict=False, **points)
    assert [c.size for c in cells] == ["base"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outputs": "logits"}, r'expected a tuple of names: outputs=\("logits",\)'),
        ({"answer": "logit"}, "`answer` is 'logit'; expected one of its outputs: y"),
        ({"loss": print}, "`loss` goes with an open task"),
        ({"task": "open"}, "neither `inputs` nor `batch`"),
        ({"task": "open", "inputs": dict, "loss": print}, "`loss` needs `batch`"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        plain(**changes)


def test_agreement_is_a_relative_error_and_the_share_of_equal_largest_elements():
    import torch

    from suite.stages.quantize.fidelity import fidelity_of

    answers = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    found = fidelity_of(lambda _: [answers], lambda _: [answers * 1.1], [None, None])
    assert found.relative_error == pytest.approx(0.1)
    assert found.argmax_agreement == 1.0
    swapped = fidelity_of(lambda _: [answers], lambda _: [answers.flip(-1)], [None])
    assert swapped.argmax_agreement == 0.0
    with pytest.raises(ValueError, match="shapes"):
        fidelity_of(lambda _: [answers], lambda _: [answers[:1]], [None])


def test_pruning_without_settings_keeps_the_layers_whose_width_an_output_shows(write):
    import torch

    from suite.pruning.unguided import prune_unguided

    text = (
        "import torch\nfrom torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.a, self.b, self.out = nn.Linear(8, 64), nn.Linear(64, 32), nn.Linear(32, 5)\n"
        "    def forward(self, x):\n"
        "        h = torch.relu(self.b(torch.relu(self.a(x))))\n"
        "        return h, self.out(h)\n"
        "def build(): return Net(), torch.randn(4, 8)\n"
    )
    spec = whole(write(text))
    pruned = prune_unguided(spec.build().eval(), spec, "base", batch_of(spec, 2))
    assert pruned.module.a.out_features == 32
    assert pruned.module.b.out_features == 32
    assert [tuple(t.shape) for t in pruned.module(torch.randn(1, 8))] == [(1, 32), (1, 5)]


def test_a_file_is_named_without_its_folder(write):
    target = write(HEAD + "def build(): return 3")
    with pytest.raises(CatalogError) as caught:
        python.describe(target)
    assert str(Path(target).parent) not in str(caught.value)
