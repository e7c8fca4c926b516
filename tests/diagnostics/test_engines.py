"""Inference engines beside torch: what the table says of vLLM, SGLang and TensorRT, in lint and in the doctor."""

from __future__ import annotations

import dataclasses

import pytest
from sample_environments import VERSIONS, builds, distribution, healthy, installed

from diagnostics.doctor import examine, reduce
from diagnostics.environment import Environment
from diagnostics.finding import Level
from diagnostics.install_commands import line
from diagnostics.lint.cli import lint
from diagnostics.tables import engines as table
from diagnostics.tables import torch_releases
from diagnostics.version import allows, version_key


def with_engine(name: str, version: str, *requires: str, torch: str = "2.15.0") -> Environment:
    """The healthy environment with another torch and an engine in it."""
    found = installed(VERSIONS | {"torch": torch, name: version})
    found["distributions"] = tuple(
        dataclasses.replace(d, requires=requires) if d.name == name else d
        for d in found["distributions"]
    )
    label = torch_releases.release(torch)
    assert label is not None
    vision = label.torchvision
    found["packages"]["torchvision"] = vision
    found["distributions"] = tuple(
        distribution("torchvision", vision, requires=(f"torch=={torch}",))
        if d.name == "torchvision"
        else dataclasses.replace(d, requires=())
        if d.name == "torch"
        else d
        for d in found["distributions"]
    )
    return healthy(builds=builds(f"{torch}+cu128", f"{vision}+cu128"), **found)


@pytest.mark.parametrize(
    "name, version, requires, wanted",
    [
        ("vllm", "0.10.2", ("torch==2.8.0", "torchvision==0.23.0"), "2.8.0"),
        ("sglang", "0.4.0", ('torch==2.8.0; extra == "srt"',), "2.8.0"),
        ("torch-tensorrt", "2.8.0", ("torch<2.9.0,>=2.8.0",), "2.8.0"),
        ("xformers", "0.0.32.post2", ("torch==2.8.0", "numpy"), "2.8.0"),
    ],
)
def test_an_engine_for_another_torch_is_one_root_with_the_trio_it_pins(
    name: str, version: str, requires: tuple[str, ...], wanted: str
) -> None:
    environment = with_engine(name, version, *requires, torch="2.9.1")
    roots = [
        item for item in reduce(examine(environment)) if item.finding.level.rank >= Level.WARN.rank
    ]
    assert [(item.finding.code, item.finding.subject) for item in roots] == [("engine-torch", name)]
    first = line(roots[0].finding.fixes[0])
    assert f"torch=={wanted} torchvision==0.23.0" in first


def test_the_release_for_the_installed_torch_is_the_second_way() -> None:
    environment = with_engine("vllm", "0.10.2", "torch==2.8.0", torch="2.6.0")
    (found,) = [f for r in examine(environment, select=["engine-torch"]) for f in r.findings]
    newest = table.newest_for("vllm", "2.6.0")
    assert newest
    assert f"vllm=={newest} torch==2.6.0" in line(found.fixes[1])


@pytest.mark.parametrize("torch", ["2.8.0", "2.8.0+cu126", "2.8.0a0+34c6371d24.nv25.08"])
def test_the_pinned_torch_in_any_build_is_fine(torch: str) -> None:
    environment = with_engine("vllm", "0.10.2", "torch==2.8.0", torch="2.8.0")
    environment = dataclasses.replace(environment, builds=builds(torch))
    assert [f for r in examine(environment, select=["engine-torch"]) for f in r.findings] == []


def test_an_engine_that_says_nothing_and_stands_in_no_row_is_unknown() -> None:
    environment = with_engine("tensorrt-llm", "99.0", torch="2.9.1")
    (result,) = examine(environment, select=["engine-torch"])
    assert result.status is Level.OK


@pytest.mark.parametrize(
    "command, python, codes",
    [
        ("pip install vllm==0.8.5 torch==2.7.0", (3, 12), ["engine-torch"]),
        ("pip install vllm==0.8.5 'torch>=2.8'", (3, 12), ["engine-torch"]),
        ("pip install vllm==0.8.5 'torch>=2.7,<2.8'", (3, 12), ["engine-torch"]),
        ("uv pip install vllm==0.10.2 torchvision==0.20.0", (3, 12), ["engine-torch"]),
        ("pip install vllm==0.10.2 torch==2.8.0 torchvision==0.23.0", (3, 12), []),
        ("pip install vllm==0.10.2 torch", (3, 12), []),
        ("pip install vllm==0.8.5 'torch>=2.5'", (3, 12), []),
        (
            "pip install vllm==0.10.2 torch --index-url https://download.pytorch.org/whl/cu130",
            (3, 12),
            ["engine-cuda-major"],
        ),
        ("pip install vllm==0.8.5", (3, 13), ["engine-python"]),
        ("pip install vllm==99.0 torch==2.0.0", (3, 11), []),
        ("pip install xformers==0.0.33 torch==2.7.0", (3, 12), ["engine-torch"]),
        ("pip install tensorrt-cu12 torch==2.11.0", (3, 12), ["engine-cuda-major"]),
        ("pip install tensorrt-cu13-bindings torch==2.11.0", (3, 12), []),
    ],
)
def test_lint_knows_what_engines_pin(
    command: str, python: tuple[int, int], codes: list[str]
) -> None:
    found = lint(command, python)
    assert [item.code for item in found if item.level.rank >= Level.WARN.rank] == codes


def test_the_corrected_line_brings_the_engines_torch() -> None:
    found = lint("pip install vllm==0.8.5 torch==2.7.0 torchvision==0.22.0", (3, 12))
    assert line(found[0].fixes[0]) == ("pip install vllm==0.8.5 torch==2.6.0 torchvision==0.21.0")
    assert lint(line(found[0].fixes[0]), (3, 12)) == []


def test_between_two_releases_with_one_pin_the_pin_holds_and_elsewhere_nothing_is_known() -> None:
    for name, rows in table._ROWS.items():
        assert [row[0] for row in rows] == sorted((row[0] for row in rows), key=version_key)
        for release, wanted, _ in rows:
            assert table.pin(name, release) == wanted
            known = [row.torch for row in torch_releases.RELEASES if allows(wanted, row.torch)]
            assert known, (name, release, wanted)
        assert table.pin(name, "0.0.0.1") == table.pin(name, "999.0") == ""
    assert table.pin("sglang", "0.5.20") == "==2.13.0"
    assert table.pin("sglang", "0.5.18") == ""


def test_several_words_that_name_nothing_are_not_called_possible() -> None:
    with pytest.raises(ValueError, match="neither an install command, nor a file"):
        lint("no such thing at all", (3, 12))
    assert lint("torch torchvision", (3, 12)) == []
