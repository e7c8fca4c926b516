"""References: what `--models` takes besides names of the catalogue, and what is kept of their descriptions."""

import json

import pytest

from suite.catalog import CatalogError, must_parse
from suite.origins import resolve as resolving
from suite.origins.describe import DescribeResult
from suite.origins.reference import Reference, parse
from suite.origins.resolve import resolve
from suite.outcome import Outcome
from suite.results.step_output import StepOutput, encode_output
from suite.source_files import files_read_by
from suite.spec import ModelSpec, Size
from suite.spec_codec import to_dict
from suite.worker.client import Answer
from suite.worker.fake import FakeWorker


@pytest.mark.parametrize(
    ("text", "full", "model"),
    [
        ("timm:efficientnet_b0", "timm:efficientnet_b0", "timm.efficientnet_b0"),
        ("timm.efficientnet_b0", "timm:efficientnet_b0", "timm.efficientnet_b0"),
        ("torchvision:convnext_tiny", "torchvision:convnext_tiny", "torchvision.convnext_tiny"),
        ("hf:distilbert", "hf:distilbert", "hf.distilbert"),
        ("hf:org/some-model", "hf:org/some-model", "hf.org_some-model"),
    ],
)
def test_a_name_with_a_library_is_a_reference_whose_model_may_stand_in_file_names(
    text, full, model
):
    found = parse(text)
    assert (found.text, found.model) == (full, model)


def test_a_name_of_the_catalogue_is_no_reference_even_if_it_looks_like_one():
    assert parse("resnet18") is None
    assert parse("bert*") is None
    assert parse("timm.mine", known=["timm.mine"]) is None


def test_a_function_of_a_file_is_a_reference_by_its_absolute_path(tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text("def build(): ...")
    monkeypatch.chdir(tmp_path)
    found = parse("net.py:build")
    assert (found.path, found.model) == (tmp_path / "net.py", "net.build")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nowhere.py:build", "there is no file nowhere.py"),
        ("net.py", r"expected net.py:build; a file with MODELS goes to --models-from"),
        ("tim:resnet18", "did you mean timm"),
        ("timm:", "expected e.g. timm:efficientnet_b0"),
    ],
)
def test_a_reference_that_names_nothing_says_what_was_expected(text, message):
    with pytest.raises(CatalogError, match=message):
        parse(text)


def record(name):
    return ModelSpec(
        name=name, task="detection", build=dict, sizes={"base": Size()}, outputs=("y",)
    )


@pytest.fixture
def helper(monkeypatch):
    """The helper process, without one: what it was asked, and answers for every name but `gone`."""
    asked = []

    def ask(options, worker=None):
        asked.append(options)
        return DescribeResult(
            specs={
                t: to_dict(record(t.replace(":", ".").rpartition("/")[2]))
                for t in options.texts
                if not t.endswith("gone")
            },
            errors={t: "no such model" for t in options.texts if t.endswith("gone")},
            names=dict.fromkeys(options.kinds, ("resnet18", "resnet50", "vit_b")),
        )

    monkeypatch.setattr(resolving, "_ask", ask)
    return asked


def timm(target):
    return Reference(kind="timm", target=target)


def test_a_glob_stands_for_the_names_it_matches(helper):
    assert list(resolve([timm("res*")], None)) == ["timm.resnet18", "timm.resnet50"]


def test_a_glob_without_a_match_and_a_name_that_is_not_there_are_errors(helper):
    with pytest.raises(CatalogError, match="matches none of the 3 models of timm"):
        resolve([timm("conv*")], None)
    with pytest.raises(CatalogError, match="timm:gone: no such model"):
        resolve([timm("gone")], None)


@pytest.mark.parametrize(
    "message",
    ["--models timm:gone: none", "timm:gone: none", "none"],
    ids=["option", "name", "bare"],
)
def test_what_is_wrong_with_a_name_is_told_with_the_name_once(monkeypatch, message):
    found = DescribeResult(errors={"timm:gone": message})
    monkeypatch.setattr(resolving, "_ask", lambda options, worker=None: found)
    with pytest.raises(CatalogError) as told:
        resolve([timm("gone")], None)
    assert str(told.value) == "--models timm:gone: none"


def test_a_description_is_made_once_and_read_from_then_on(helper, tmp_path):
    first = resolve([timm("res*"), timm("vit_b")], tmp_path)
    count = len(helper)
    again = resolve([timm("res*"), timm("vit_b")], tmp_path)
    assert len(helper) == count
    kept, made = ([json.dumps(o.spec) for o, _ in f.values()] for f in (again, first))
    assert kept == made


def test_a_description_of_a_file_is_made_again_only_when_what_it_imports_changes(helper, tmp_path):
    net, part, other = (tmp_path / f"{name}.py" for name in ("net", "part", "other"))
    net.write_text("import part\ndef build(): ...")
    part.write_text("x = 1")
    other.write_text("x = 1")
    asked = Reference(kind="python", target=f"{net}:build")

    def times_described():
        resolve([asked], tmp_path / "cache")
        return len(helper)

    assert times_described() == 1
    other.write_text("x = 2")
    assert times_described() == 1
    part.write_text("x = 2")
    assert times_described() == 2


def test_a_description_that_is_damaged_is_made_again(helper, tmp_path):
    resolve([timm("vit_b")], tmp_path)
    for file in tmp_path.iterdir():
        file.write_text("{")
    resolve([timm("vit_b")], tmp_path)
    assert len(helper) == 2
    assert all(json.loads(file.read_text()) for file in tmp_path.iterdir())


def test_a_library_that_is_missing_is_one_sentence_with_the_command(monkeypatch):
    def missing(package):
        raise resolving.PackageNotFoundError(package)

    monkeypatch.setattr(resolving, "version", missing)
    with pytest.raises(CatalogError, match=r"timm, which is not installed; next: pip install timm"):
        resolve([timm("resnet18")], None)


def test_the_files_of_a_model_are_those_it_imports_directly_or_not_and_no_others(tmp_path):
    (tmp_path / "package" / "deep").mkdir(parents=True)
    files = {
        "net.py": "import torch\nfrom package.deep import layer\ndef f():\n    import late",
        "late.py": "",
        "package/__init__.py": "",
        "package/deep/__init__.py": "from . import sibling",
        "package/deep/layer.py": "from ..beside import x",
        "package/deep/sibling.py": "",
        "package/beside.py": "",
        "package/unread.py": "",
        "unread.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found = {str(path.relative_to(tmp_path)) for path in files_read_by(tmp_path / "net.py")}
    assert found == {name for name in files if "unread" not in name}


def test_a_relative_import_is_found_from_inside_a_package_too(tmp_path):
    files = {
        "lib/sub/models.py": "from lib.sub.helper import X",
        "lib/sub/helper.py": "from ..layers import X",
        "lib/layers.py": "X = 1",
    }
    (tmp_path / "lib" / "sub").mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found = files_read_by(tmp_path / "lib/sub/models.py", [tmp_path])
    assert {path.relative_to(tmp_path).as_posix() for path in found} == {*files}


def test_a_file_that_imports_by_a_name_of_run_time_reads_all_its_neighbours(tmp_path):
    (tmp_path / "net.py").write_text("from importlib import import_module\nimport_module(name)")
    (tmp_path / "other.py").write_text("")
    assert len(files_read_by(tmp_path / "net.py")) == 2


def test_a_syntax_error_is_told_with_its_line_without_running_anything(tmp_path):
    file = tmp_path / "net.py"
    file.write_text("import torch\n\ndef broken(:\n")
    with pytest.raises(CatalogError, match=r"SyntaxError: .*, line 3"):
        must_parse(file, option="--models")


def test_descriptions_are_asked_of_the_worker_that_is_given_and_it_stays_open(monkeypatch):
    found = DescribeResult(specs={"timm:vit_b": to_dict(record("timm.vit_b"))})
    answer = Answer(outcome=Outcome.PASSED, result=encode_output(StepOutput(result=found)))
    helper = FakeWorker(answer=lambda job: answer)
    monkeypatch.setattr(resolving, "Launcher", None)  # a launcher of its own would raise
    assert list(resolve([timm("vit_b")], None, worker=lambda: helper)) == ["timm.vit_b"]
    assert len(helper.jobs) == 1
    assert not helper.is_closed
