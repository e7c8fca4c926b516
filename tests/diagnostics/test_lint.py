"""Facts about the judge of install commands and requirement files."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from diagnostics.finding import Finding, Level
from diagnostics.lint import command
from diagnostics.lint.cli import lint, main
from diagnostics.lint.correction import nearest_variant
from diagnostics.lint.plan import wish
from diagnostics.tables import torch_releases as table
from diagnostics.version import allows

INDEX = "https://download.pytorch.org/whl/"
TUTORIAL = "pip install torch==2.0.0 torchvision==0.10.0 torchaudio==0.10.0"


def _codes(found: list[Finding]) -> list[str]:
    return [item.code for item in found if item.level.rank >= Level.WARN.rank]


def _line(found: list[Finding]) -> str:
    return " ".join(found[0].fixes[0].argv)


def test_the_tutorial_line_is_impossible_and_is_corrected() -> None:
    found = lint(TUTORIAL, (3, 10))
    assert found[0].code == "tutorial-pair"
    assert _line(found) == "pip install torch==2.0.0 torchvision==0.15.1 torchaudio==2.0.1"
    assert _codes(lint(_line(found), (3, 10))) == []


def test_the_corrected_line_of_every_release_is_possible() -> None:
    for row in table.RELEASES:
        wrong = f"pip install torch=={row.torch} torchvision==0.8.2"
        found = lint(wrong, row.python[0])
        assert "tutorial-pair" in _codes(found)
        assert _codes(lint(_line(found), row.python[0])) == [], _line(found)


def test_every_released_trio_is_possible() -> None:
    for row in table.RELEASES:
        audio = f" torchaudio=={row.torchaudio}" if row.torchaudio else ""
        line = f"pip install torch=={row.torch} torchvision=={row.torchvision}{audio}"
        assert _codes(lint(line, row.python[0])) == [], line


@pytest.mark.parametrize(
    ("line", "python", "codes"),
    [
        ("pip install torch==2.0.0+cu102", (3, 10), ["variant-never-built", "label-needs-index"]),
        (f"pip install torch==2.0.0 -i {INDEX}cu102", (3, 10), ["variant-never-built"]),
        (f"pip install torch==2.0.0 --index-url={INDEX}cu118", (3, 10), []),
        (f"pip install torch torchvision --index-url {INDEX}cu126", (3, 12), []),
        (f"pip install torch --index-url {INDEX}cu555", (3, 12), []),
        (f"pip install torch --index-url {INDEX}cu122", (3, 12), ["variant-never-built"]),
        (f"pip install torch --index-url {INDEX}cu110", (3, 12), []),
        (f"pip install --pre torch -i {INDEX}nightly/cu134", (3, 12), []),
        (
            "pip install torch==1.13.1+cu117 torchvision==0.14.1+cu117 torchaudio==0.13.1 "
            f"--extra-index-url {INDEX}cu117",
            (3, 10),
            [],
        ),
        (f"pip install torch~=2.8.0 --index-url {INDEX}cu118", (3, 12), ["variant-never-built"]),
        (
            f"pip install torch==2.6.0+cu124 torchvision==0.21.0+cpu -f {INDEX}torch_stable.html",
            (3, 11),
            ["variants-differ"],
        ),
        (f"pip install torch==2.6.0+cu124 -i {INDEX}cu126", (3, 11), ["variants-differ"]),
        ("pip install torch==2.0.0", (3, 13), ["python-has-no-wheel"]),
        ("pip install 'torch<2.5'", (3, 13), ["python-has-no-wheel"]),
        ("pip install 'torch>=2.0'", (3, 13), []),
        ("pip install torch", (3, 99), []),
        ("pip install torch==2.99.0 torchvision==0.99.0", (3, 12), []),
        ("pip install torch==2.0.0 torchvision==0.15.0", (3, 10), ["version-never-released"]),
        ("pip install 'torch>=2.0,<2.1' 'torchvision>=0.20'", (3, 10), ["pair-impossible"]),
        ("pip install torchvision==0.21.0 torchaudio==2.5.0", (3, 10), ["pair-impossible"]),
        ("pip install torch==2.13.0 torchaudio==2.13.0", (3, 12), ["version-newer-than-table"]),
        ("pip install pytorch", (3, 12), ["pytorch-is-torch"]),
        ("uv pip install onnxruntime onnxruntime-gpu", (3, 12), ["ort-both"]),
        ("conda install pytorch==2.6.0 -c pytorch -c nvidia", (3, 12), ["conda-channel-ended"]),
        ("conda install pytorch=2.5 torchvision=0.20 -c pytorch", (3, 12), []),
        ("pip install numpy requests==2.0", (3, 12), []),
        ("torch==2.0.0 ; python_version < '3.9'", (3, 13), []),
        ("!pip3 -q install -U torch==2.1.0 torchvision==0.15.2", (3, 10), ["tutorial-pair"]),
        ("RUN python -m pip install torch==2.1.0 torchvision==0.15.2", (3, 10), ["tutorial-pair"]),
        ("pip install ./local.whl torch==2.0.0", (3, 10), []),
    ],
)
def test_lines(line: str, python: tuple[int, int], codes: list[str]) -> None:
    found = _codes(lint(line, python))
    assert sorted(set(found)) == sorted(codes), found


def test_a_python_without_wheels_gets_the_nearest_release_and_the_right_python() -> None:
    found = lint("pip install torch==2.0.0 torchvision==0.15.1", (3, 13))
    first, second = found[0].fixes
    assert first.argv[2:] == ("torch==2.6.0", "torchvision==0.21.0")
    assert second.argv[2:] == ("torch==2.0.0", "torchvision==0.15.1")
    assert "3.8 to 3.11" in second.why


@pytest.mark.parametrize(
    ("wanted", "torch", "variant"),
    [("cu102", "2.0.0", "cu118"), ("cu124", "2.8.0", "cu126"), ("cu121", "2.15.0", "cu132")],
)
def test_the_nearest_variant_keeps_the_major_where_it_can(
    wanted: str, torch: str, variant: str
) -> None:
    row = table.release(torch)
    assert row is not None
    assert nearest_variant(wanted, row) == variant


def test_an_unbuilt_variant_without_a_version_gets_the_newest_release_of_its_major() -> None:
    found = lint(f"pip install torch --index-url {INDEX}cu122", (3, 12))
    assert _line(found) == f"pip install torch==2.14.1 --index-url {INDEX}cu126"


def test_a_release_before_the_table_is_said_to_be_unknown() -> None:
    found = lint("pip install torch==1.8.1 torchvision==0.9.1", (3, 11))
    assert {(item.code, item.level) for item in found} == {("version-older-than-table", Level.INFO)}


def test_other_packages_of_the_command_stay_in_the_corrected_line() -> None:
    found = lint("uv pip install torch==2.1.0 torchvision==0.15.2 'numpy<2'", (3, 10))
    line = found[0].fixes[0].argv
    assert line == ("uv", "pip", "install", "torch==2.1.0", "torchvision==0.16.0", "numpy<2")


def test_requirement_files_are_read_with_comments_hashes_and_includes(tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("torch==2.1.0 \\\n  --hash=sha256:00 # pinned\n")
    path = tmp_path / "requirements.txt"
    path.write_text("# deps\n-r base.txt\n-r requirements.txt\n\ntorchvision == 0.15.2\n")
    found = lint(str(path), (3, 10))
    assert [item.code for item in found] == ["tutorial-pair"]
    sources = [item.source for item in found[0].evidence]
    assert str(tmp_path / "base.txt") + ":1" in sources
    assert f"{path}:5" in sources


def test_an_index_in_a_requirements_file_counts(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(f"--extra-index-url {INDEX}cu102\ntorch==2.0.0\n")
    assert _codes(lint(str(path), (3, 10))) == ["variant-never-built"]


def test_groups_of_a_pyproject_are_judged_with_its_dependencies(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(
        '[project]\ndependencies = ["torch==2.1.0"]\n'
        '[project.optional-dependencies]\nvision = ["torchvision==0.15.2"]\nfine = ["numpy"]\n'
    )
    found = lint(str(path), (3, 10))
    assert [item.code for item in found] == ["tutorial-pair"]


def test_indexes_of_uv_are_read_for_their_package(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(
        '[project]\ndependencies = ["torch==2.0.0"]\n[tool.uv.sources]\n'
        'torch = { index = "old" }\n[[tool.uv.index]]\nname = "old"\n'
        f'url = "{INDEX}cu102"\nexplicit = true\n'
    )
    assert _codes(lint(str(path), (3, 10))) == ["variant-never-built"]


def test_poetry_ranges_are_read(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(
        '[tool.poetry.dependencies]\npython = "^3.10"\ntorch = "~2.1"\ntorchvision = "0.15.2"\n'
    )
    assert _codes(lint(str(path), (3, 10))) == ["pair-impossible"]


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pip install torch==2.15.0", "--python-version", "3.12"]) == 0
    assert main([TUTORIAL, "--python-version", "3.10"]) == 1
    assert main(["pip install torch==2.0.0+cu118", "--python-version", "3.10"]) == 0
    assert main(["pip install torch==2.0.0+cu118", "--python-version", "3.10", "--strict"]) == 1
    assert main([str(tmp_path / "none.txt")]) == 2
    assert main(["pip install 'torch"]) == 2
    assert main(["torch", "--python-version", "three"]) == 2
    assert main([]) == 2
    (tmp_path / "pyproject.toml").write_text("[")
    assert main([str(tmp_path / "pyproject.toml")]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_json_has_the_findings_and_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([TUTORIAL, "--python-version", "3.10", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    first = data["findings"][0]
    assert (first["code"], first["level"]) == ("tutorial-pair", "error")
    assert first["fixes"][0]["line"].startswith("pip install torch==2.0.0 torchvision==0.15.1")


def test_a_line_is_judged_in_milliseconds() -> None:
    start = time.perf_counter()
    lint(TUTORIAL, (3, 10))
    assert time.perf_counter() - start < 0.1


NAME = st.sampled_from(["torch", "torchvision", "torch-audio", "a.b_c"])
VERSION = st.from_regex(
    r"[0-9]{1,2}\.[0-9]{1,2}(\.[0-9]{1,2})?((a|rc)[0-9])?(\+cu118)?", fullmatch=True
)
SIGN = st.sampled_from(["==", ">=", "<=", "!=", "~=", "<", ">"])


@settings(
    suppress_health_check=[HealthCheck.too_slow], deadline=None
)  # a busy machine draws slowly
@given(NAME, st.lists(st.tuples(SIGN, VERSION), max_size=3), VERSION)
def test_requirements_are_read_as_packaging_reads_them(
    name: str, clauses: list[tuple[str, str]], version: str
) -> None:
    clauses = [(s, v if s in ("==", "!=") else v.partition("+")[0]) for s, v in clauses]
    text = name + ",".join(sign + bound for sign, bound in clauses)
    expected = Requirement(text)
    found = wish(text)
    assert found is not None
    assert found.name == name.lower().replace(".", "-").replace("_", "-")
    assert allows(found.ranges, version) == expected.specifier.contains(version, prereleases=True)


@given(st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_text_is_judged_or_refused(text: str) -> None:
    try:
        reading = command.read(text)
    except command.NotACommand:
        return
    assert reading.plans or reading.not_read


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_file_is_judged(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requirements.txt"
        path.write_text(text, "utf-8")
        lint(str(path), (3, 11))
