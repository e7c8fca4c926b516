"""Facts about the dated tables of releases, drivers and architectures."""

from __future__ import annotations

import re
from importlib import metadata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.tables import architectures, drivers
from diagnostics.tables import torch_releases as table
from diagnostics.tables.version import is_final, numbers, release_of, variant_of


def test_releases_are_in_order_and_each_stands_once() -> None:
    keys = [numbers(row.torch) for row in table.RELEASES]
    assert keys == sorted(set(keys))
    assert (keys[0], keys[-1]) == ((1, 9, 0), (2, 15, 0))


def test_every_default_variant_was_built() -> None:
    for row in table.RELEASES:
        assert row.default in row.variants
        assert not set(row.unsure) & set(row.variants)


def test_the_installed_pair_is_a_pair() -> None:
    torch, vision = metadata.version("torch"), metadata.version("torchvision")
    assert table.is_pair(torch, "torchvision", vision) is True


def test_the_installed_torchvision_says_what_the_table_says() -> None:
    page = metadata.distribution("torchvision").read_text("METADATA") or ""
    pairs = re.findall(r"\| +`(\d+\.\d+)` +\| +`(0\.\d+)` ", page)
    assert len(pairs) > 10
    for torch, vision in pairs:
        for row in table.RELEASES:
            if numbers(row.torch)[:2] == numbers(torch):
                assert numbers(row.torchvision)[:2] == numbers(vision), row


@pytest.mark.parametrize(
    ("torch", "name", "version", "verdict"),
    [
        ("2.0.0", "torchvision", "0.15.1", True),
        ("2.0.0", "torchvision", "0.10.0", False),
        ("2.0.0", "torchaudio", "2.0.1", True),
        ("2.0.0+cu118", "torchvision", "0.15.1+cu118", True),
        ("2.13.0", "torchvision", "0.28.0", True),
        ("2.15.0", "torchvision", "0.28.0", False),
        ("2.13.0", "torchvision", "0.29.2", False),
        ("2.14.1", "torchvision", "0.29.1", True),
        ("2.14.1", "torchvision", "0.29.0", False),
        ("2.15.0", "torchvision", "0.29.2", True),
        ("2.16.0", "torchvision", "0.29.2", True),
        ("2.16.0", "torchvision", "0.28.0", False),
        ("2.16.0", "torchvision", "0.31.0", None),
        ("2.15.0", "torchvision", "0.31.0", None),
        ("2.15.0", "torchvision", "0.8.2", False),
        ("2.15.0.dev20260901", "torchvision", "0.29.2", None),
        ("2.13.0", "torchaudio", "2.11.0", None),
        ("2.10.0", "torchaudio", "2.11.0", False),
    ],
)
def test_pairs(torch: str, name: str, version: str, verdict: bool | None) -> None:
    assert table.is_pair(torch, name, version) is verdict


@pytest.mark.parametrize(
    ("torch", "variant", "verdict"),
    [
        ("2.0.0", "cu102", False),
        ("2.0.0", "cu118", True),
        ("2.0.0", "cpu", True),
        ("2.15.0", "cu126", None),
        ("2.9.0", "cu129", None),
        ("2.15.0", "rocm7.2", None),
        ("2.99.0", "cu126", None),
    ],
)
def test_variants(torch: str, variant: str, verdict: bool | None) -> None:
    assert table.has_variant(torch, variant) is verdict


def test_newer_than_the_table_is_an_answer_and_no_guess() -> None:
    assert table.is_newer_than_table("torch", "2.16.0")
    assert not table.is_newer_than_table("torch", "2.15.0+cu132")
    assert table.release("2.16.0") is None
    assert table.partner("2.16.0", "torchvision") is None
    assert table.has_wheel("torch", "2.16.0", (3, 12)) is None


def test_python_bounds() -> None:
    assert table.has_wheel("torch", "2.0.0", (3, 11)) is True
    assert table.has_wheel("torch", "2.0.0", (3, 12)) is False
    assert table.has_wheel("torchvision", "0.20.1", (3, 13)) is False
    newest = table.newest_for((3, 8))
    assert newest is not None
    assert newest.torch == "2.4.1"
    assert table.newest_for((3, 99)) is None


def test_the_last_release_of_a_variant_is_found() -> None:
    last = table.newest_with("cu121")
    assert last is not None
    assert last.torch == "2.5.1"


@pytest.mark.parametrize(
    ("driver", "cuda", "verdict"),
    [
        ("580.65.06", "13.2", True),
        ("575.57.08", "13.0", False),
        ("525.60.13", "12.8", True),
        ("525.0", "12.1", False),
        ("470.256", "11.8", True),
        ("440.33", "10.2", True),
        ("600.1", "99.0", None),
        ("", "12.1", None),
    ],
)
def test_a_driver_runs_every_minor_version_of_its_major(
    driver: str, cuda: str, verdict: bool | None
) -> None:
    assert drivers.runs(driver, cuda) is verdict


def test_driver_branches_and_names_of_variants() -> None:
    assert drivers.cuda_of("550.54.15") == (12, 4)
    assert drivers.cuda_of("610.43.02") == (13, 3)
    assert drivers.cuda_of("390.1") is None
    assert drivers.from_api(12040) == (12, 4)
    assert drivers.cuda_of_variant("cu132") == (13, 2)
    assert drivers.cuda_of_variant("cu92") == (9, 2)
    assert drivers.cuda_of_variant("cpu") is None
    assert drivers.variant_runs("cu126", (12, 4)) is True
    assert drivers.variant_runs("cu130", (12, 9)) is False


@pytest.mark.parametrize(
    ("capability", "archs", "verdict"),
    [
        ((8, 9), ["sm_86"], True),
        ((8, 6), ["sm_89"], False),
        ((10, 3), ["sm_100"], True),
        ((12, 1), ["sm_120"], True),
        ((9, 0), ["sm_86"], False),
        ((12, 0), ["sm_90", "compute_90"], True),
        ((6, 1), ["sm_75", "compute_75"], False),
        ((9, 0), ["sm_90a"], True),
        ((9, 1), ["sm_90a"], False),
        ((10, 3), ["sm_100f"], True),
        ((8, 0), ["garbage"], False),
        ((8, 0), [], False),
    ],
)
def test_the_rule_of_cubins_and_ptx(
    capability: tuple[int, int], archs: list[str], verdict: bool
) -> None:
    assert architectures.runs(capability, archs) is verdict


def test_old_and_new_gpus_against_the_variants() -> None:
    runs = architectures.variant_runs
    assert runs("2.14.0", "cu126", (6, 1)) is True
    assert runs("2.14.0", "cu132", (6, 1)) is False
    assert runs("2.6.0", "cu124", (12, 0)) is None
    assert runs("2.15.0", "cu132", (12, 0)) is True
    assert runs("2.99.0", "cu132", (12, 0)) is None


def test_every_variant_of_every_release_has_an_architecture_row() -> None:
    missing = [
        (row.torch, variant)
        for row in table.RELEASES
        for variant in row.variants
        if architectures.build(row.torch, variant) is None
    ]
    assert missing == []


def test_versions_come_apart() -> None:
    assert (numbers("v2.15.0rc1"), numbers("x")) == ((2, 15, 0), ())
    assert (release_of("2.0.0+cu118"), variant_of("2.0.0+cu118")) == ("2.0.0", "cu118")
    assert is_final("2.0.0+cpu")
    assert not is_final("2.0.0rc1")
    assert not is_final("2.0.dev1")


@given(st.text(), st.text())
def test_no_text_breaks_a_look_up(torch: str, version: str) -> None:
    table.is_pair(torch, "torchvision", version)
    table.has_variant(torch, version)
    table.has_wheel("torchaudio", version, (3, 11))
    drivers.runs(torch, version)
    architectures.variant_runs(torch, version, (8, 0))
