"""Versions, ranges and requirement lines order and match as the packaging standards say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.dependencies import unmet
from diagnostics.requirement import Requirement, applies, normalise, parse_requirement
from diagnostics.version import allows, parse, try_parse

LINUX = {
    "platform_system": "Linux",
    "python_version": "3.11",
    "python_full_version": "3.11.7",
    "sys_platform": "linux",
    "extra": "cublas",
}


def test_versions_are_ordered_as_pep_440_says() -> None:
    ordered = (
        "1.0.dev1 1.0a1.dev1 1.0a1 1.0a2 1.0b1 1.0rc1 1.0 1.0+cpu 1.0+cu118 1.0.post1 1.0.1 1.1 "
        "1.10 1!0.1"
    ).split()
    assert [str(version) for version in sorted(map(parse, reversed(ordered)))] == ordered


def test_trailing_zeros_and_a_v_make_no_difference() -> None:
    assert parse("2.15") == parse("v2.15.0")
    assert hash(parse("2.15")) == hash(parse("2.15.0"))


@pytest.mark.parametrize(
    ("ranges", "version", "inside"),
    [
        ("==2.13.0", "2.13.0+cpu", True),
        ("==2.13.0", "2.15.0", False),
        ("==2.13.0+cpu", "2.13.0+cu130", False),
        (">=2.14.0", "2.15.0+cu132", True),
        (">=2.14,<2.15", "2.15.0", False),
        ("~=3.9.0", "3.9.4", True),
        ("~=3.9.0", "3.10", False),
        ("==1.*", "1.26.4", True),
        ("!=2.5.*", "2.5.1", False),
        ("<2.0", "2.0.0rc1", False),
        (">1.0", "1.0.post1", True),
        ("", "anything", True),
        ("nonsense", "1.0", True),
    ],
)
def test_ranges_hold(ranges: str, version: str, inside: bool) -> None:
    assert allows(ranges, version) is inside


@given(st.text(max_size=20))
def test_no_text_breaks_the_parsers(text: str) -> None:
    found = try_parse(text)
    assert found is None or found == parse(text)
    assert allows(text, "1.0") in (True, False)
    assert applies(text, LINUX) in (True, False)
    wanted = parse_requirement(text)
    assert wanted is None or wanted.name == normalise(wanted.name)


@given(st.lists(st.integers(0, 99), min_size=1, max_size=4))
def test_a_version_lies_in_the_range_that_names_it(numbers: list[int]) -> None:
    text = ".".join(map(str, numbers))
    assert allows(f"=={text}", text)
    assert allows(f">={text},<={text}", text)
    assert not allows(f"!={text}", text)
    assert not allows(f"<{text}", text)


def test_a_requirement_line_is_taken_apart() -> None:
    line = 'cuda-toolkit[cublas,cudart]==13.2.2; platform_system == "Linux"'
    assert parse_requirement(line) == Requirement(
        name="cuda-toolkit",
        extras=("cublas", "cudart"),
        ranges="==13.2.2",
        marker='platform_system == "Linux"',
    )
    assert parse_requirement("Typing_Extensions (>=4.0)") == Requirement(
        name="typing-extensions", ranges=">=4.0"
    )
    direct = parse_requirement("foo @ https://example.org/foo.whl ; extra == 'x'")
    assert direct is not None
    assert (direct.name, direct.ranges, direct.marker) == ("foo", "", "extra == 'x'")


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("", True),
        ('platform_system == "Linux" and python_version < "3.15"', True),
        ('platform_system == "Windows"', False),
        ('extra == "pyyaml"', False),
        ("extra == 'cublas'", True),
        ("(extra == 'x' or extra == 'cublas') and sys_platform == 'linux'", True),
        ('python_version >= "3.9"', True),
        ('"3.12" <= python_version', False),
        ('sys_platform not in "win32 darwin"', True),
        ('python_full_version == "3.11.7"', True),
        ("(unclosed == 'x'", False),
    ],
)
def test_markers_hold(marker: str, holds: bool) -> None:
    assert applies(marker, LINUX) is holds


def test_what_an_extra_asks_for_counts_when_somebody_asks_for_the_extra() -> None:
    from sample_environments import distribution, healthy

    torch = distribution("torch", "2.15.0", requires=("cuda-toolkit[cublas]==13.2.2",))
    kit = distribution(
        "cuda-toolkit",
        "13.2.2",
        requires=("nvidia-cublas==13.4.1.3; extra == 'cublas'", "nvidia-nvtx; extra == 'nvtx'"),
    )
    (lack,) = unmet(healthy(distributions=(torch, kit)))
    assert (lack.owner, lack.wanted, lack.found) == (
        "cuda-toolkit",
        "nvidia-cublas==13.4.1.3",
        "",
    )
    assert unmet(healthy(distributions=(kit,))) == ()
