"""Facts about errors that no row knows, missing modules, and commands for other installers."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnostics.explain import explain
from diagnostics.explain.cli import main
from diagnostics.explain.explainer import explain as explain_all
from diagnostics.explain.installer import target_of
from diagnostics.explain.known.distributions import DISTRIBUTIONS, SAME_NAME, distribution_of
from diagnostics.explain.unknown import CODE, last_raised, nearest
from diagnostics.finding import Finding, Level, Safety

FRAMES = """\
Traceback (most recent call last):
  File "/srv/job/train.py", line 31, in <module>
    main()
  File "/srv/job/train.py", line 12, in main
    grid = warp(image)
  File "/srv/job/.venv/lib/python3.12/site-packages/kornia/geometry/transform.py", line 88, in warp
    raise NotInvertible("the homography of the third view cannot be inverted")
"""
KORNIA = (
    FRAMES + "kornia.errors.NotInvertible: the homography of the third view cannot be inverted\n"
)


def unknown(text: str) -> Finding:
    found = explain_all(text, source="log", unknown=True)
    assert [item.code for item in found][-1:] == [CODE], [item.code for item in found]
    return found[-1]


def told(finding: Finding) -> dict[str, str]:
    return {item.source: item.value for item in finding.evidence}


def test_an_unknown_traceback_names_exception_package_version_and_own_frame() -> None:
    finding = unknown("kornia==0.8.1 torch==2.9.0\n" + KORNIA)
    assert finding.level is Level.ERROR
    assert finding.subject == "kornia"
    assert finding.summary.startswith("NotInvertible in kornia 0.8.1 ")
    evidence = told(finding)
    assert evidence["innermost frame of your code"] == "/srv/job/train.py:12, in main"
    assert evidence["log:9"].startswith("kornia.errors.NotInvertible: the homography")
    assert "kornia/geometry/transform.py:88" in evidence["raised at"]


@pytest.mark.parametrize(
    "text, said",
    [
        (
            "error: Failed to parse: `pyproject.toml`\n  Caused by: TOML parse error at line 3\n",
            "Failed to parse: `pyproject.toml`: TOML parse error at line 3",
        ),
        ("Collecting torch\nERROR: Could not frobnicate torch\n", "Could not frobnicate torch"),
        ("torch._C._LinAlgError: linalg.foo: weird\n", "linalg.foo: weird"),
    ],
)
def test_an_error_without_a_traceback_is_no_silence(text: str, said: str) -> None:
    assert said in unknown(text).summary


@pytest.mark.parametrize(
    "text", ["epoch 3 error: 0.25\nerror: 0.2\n", "ERROR: X\n" + "ok\n" * 2000]
)
def test_a_figure_or_a_line_long_ago_is_no_last_word(text: str) -> None:
    assert explain_all(text, unknown=True) == []


def test_a_version_that_the_text_does_not_tell_is_not_made_up() -> None:
    finding = unknown(KORNIA)
    assert finding.summary.startswith("NotInvertible in kornia is ")
    assert finding.fixes[0].argv[-3:] == ("pip", "show", "kornia")


@pytest.mark.parametrize(
    "prefix",
    [
        "[rank3]: ",
        "2026-05-01T10:00:00.123Z stderr F ",
        "(EngineCore_DP0 pid=60) ERROR 01-12 01:09:14 [core.py:708] ",
        "\x1b[31m",
        "    ",
    ],
)
def test_prefixes_of_logs_do_not_hide_the_exception(prefix: str) -> None:
    text = "".join(f"{prefix}{line}\n" for line in KORNIA.splitlines())
    finding = unknown(text)
    assert "NotInvertible in kornia" in finding.summary
    assert told(finding)["innermost frame of your code"].startswith("/srv/job/train.py:12")


@pytest.mark.parametrize("begin", range(6))
def test_a_traceback_that_is_cut_at_the_top_is_still_described(begin: int) -> None:
    text = "\n".join(KORNIA.splitlines()[begin:])
    assert "NotInvertible in kornia" in unknown(text).summary


def test_a_traceback_of_windows_and_one_of_ipython_are_read() -> None:
    windows = (
        'Traceback (most recent call last):\r\n  File "D:\\apps\\main.py", line 9, in <module>\r\n'
        '    go()\r\n  File "C:\\Python312\\Lib\\json\\decoder.py", line 3, in go\r\n    x()\r\n'
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)\r\n"
    )
    finding = unknown(windows)
    assert finding.summary.startswith("JSONDecodeError is not a known message")
    assert told(finding)["innermost frame of your code"] == "D:\\apps\\main.py:9, in <module>"
    notebook = (
        "QuxError                                  Traceback (most recent call last)\n"
        "Cell In[4], line 2\n      1 import numpy as np\n----> 2 go()\n\n"
        "File ~/venv/lib/python3.12/site-packages/qux/core.py:148, in go(x)\n    147 y\n"
        "--> 148 raise QuxError('no')\n\nQuxError: no such quantity\n"
    )
    finding = unknown(notebook)
    assert finding.summary.startswith("QuxError in qux")
    assert told(finding)["innermost frame of your code"] == "Cell In[4]:2"


def test_a_failure_of_pytest_is_described_by_its_message() -> None:
    text = (
        "    def test_a():\n>       go()\n"
        "E       ValueError: the flux is not divergence free\n\na.py:3: ValueError\n"
    )
    assert "the flux is not divergence free" in unknown(text).summary


def test_a_known_error_and_an_innocent_text_get_no_unknown_finding() -> None:
    known = FRAMES + "IndexError: index out of range in self\n"
    assert [item.code for item in explain_all(known, unknown=True)] == ["emb-range"]
    assert explain_all("epoch 1\nWARNING: nothing happened\n", unknown=True) == []
    # An earlier warning does not explain a later crash.
    text = "libgomp: Invalid value for environment variable OMP_NUM_THREADS\n" + KORNIA
    assert [item.code for item in explain_all(text, unknown=True)] == ["omp-env-invalid", CODE]


def test_two_ranks_with_the_same_known_error_are_explained_once() -> None:
    text = "".join(
        f"[rank{rank}]: {line}\n"
        for rank in (0, 1)
        for line in (FRAMES + "IndexError: index out of range in self").splitlines()
    )
    assert [item.code for item in explain_all(text, unknown=True)] == ["emb-range"]


def test_the_plain_search_stays_silent_about_unknown_errors() -> None:
    assert explain(KORNIA) == []


def test_an_unknown_error_gives_exit_code_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "run.log"
    log.write_text(KORNIA)
    assert main([str(log)]) == 1
    assert CODE in capsys.readouterr().out


def test_the_nearest_rows_share_words_and_come_in_one_order() -> None:
    rows = nearest("RuntimeError: expected all tensors on the same device, found cuda:0 and cpu")
    assert "not-one-device" in [row.code for row in rows]
    assert [row.code for row in rows] == [
        row.code
        for row in nearest(
            "RuntimeError: expected all tensors on the same device, found cuda:0 and cpu"
        )
    ]
    assert nearest("xyzzy plugh") == []


def test_a_text_without_an_exception_has_none() -> None:
    assert last_raised("all is well\n") is None
    assert last_raised('  File "a.py", line 3\nand then nothing') is None


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("cv2", "opencv-python-headless"),
        ("PIL", "pillow"),
        ("sklearn", "scikit-learn"),
        ("yaml", "PyYAML"),
        ("flash_attn", "flash-attn"),
        ("einops", "einops"),
    ],
)
def test_a_missing_module_is_explained_with_its_distribution(name: str, package: str) -> None:
    finding = explain(f"ModuleNotFoundError: No module named '{name}'")[0]
    assert finding.code == "module-missing"
    assert finding.fixes[0].argv[-1] == package
    assert package in finding.cause


def test_an_unlisted_module_is_looked_up_before_it_is_installed() -> None:
    finding = explain("ModuleNotFoundError: No module named 'some_tool'")[0]
    assert finding.code == "module-unlisted"
    assert "usually the distribution's name (some-tool)" in finding.cause
    # A stranger may have taken the name: nothing here can be run without a thought.
    assert finding.fixes[0].safety is Safety.MANUAL
    built = explain("ModuleNotFoundError: No module named 'pytorch3d'")[0]
    assert "No package index has ready wheels" in built.cause


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("No module named 'pkg_resources'", "pkg-resources-removed"),
        ("No module named 'distutils.util'", "deprecated-distutils"),
        ("No module named '_lzma'", "stdlib-not-built"),
        ("No module named 'cgi'", "stdlib-removed"),
        ("No module named 'torchaudio.backend'", "torchaudio-removed"),
        ("No module named 'skimage.measure.simple'", "submodule-missing"),
        ("No module named 'utils.plots'", "checkpoint-module-missing"),
        ("No module named 'torch.nn'; 'torch' is not a package", "local-file-shadows"),
        ("No module named 'torch.ao.quantization.quantizer.x86'", "pt2e-moved"),
        ("No module named 'torch'", "module-missing"),
    ],
)
def test_each_kind_of_missing_module_has_its_own_cause(text: str, code: str) -> None:
    assert [item.code for item in explain(f"ModuleNotFoundError: {text}")] == [code]


def test_the_table_of_distributions_is_about_other_names_and_each_name_is_in_one_table() -> None:
    assert not SAME_NAME & DISTRIBUTIONS.keys() - {
        name for name, d in DISTRIBUTIONS.items() if not d
    }
    assert distribution_of("torch_geometric") == "torch-geometric"


def test_a_build_without_torch_is_not_a_missing_torch() -> None:
    text = (
        "  Getting requirements to build wheel ... error\n"
        "      ModuleNotFoundError: No module named 'torch'\n"
    )
    first = explain(text)[0]
    assert first.code == "flash-attn-build"
    assert "--no-build-isolation" in first.fixes[1].argv


def environment(folder: Path, installer: str, *, conda: bool = False) -> str:
    site = folder / "lib" / "python3.12" / "site-packages"
    for name in ("torch-2.9.1+cu126", "torchvision-0.24.1+cu126"):
        info = site / f"{name}.dist-info"
        info.mkdir(parents=True)
        (info / "INSTALLER").write_text(f"{installer}\n")
    if conda:
        (folder / "conda-meta").mkdir()
        (folder / "conda-meta" / "pytorch-2.9.1-cuda126_0.json").write_text("{}")
    (folder / "bin").mkdir()
    return str(folder / "bin" / "python")


MISSING = "ImportError: libcudnn.so.9: cannot open shared object file: No such file or directory"


def test_commands_keep_the_installed_torch(tmp_path: Path) -> None:
    python = environment(tmp_path, "pip")
    argv = explain(MISSING, python=python)[0].fixes[1].argv
    assert argv == (python, "-m", "pip", "install", "--force-reinstall", "torch==2.9.1+cu126")


@pytest.mark.parametrize(
    ("installer", "conda", "begin"),
    [
        ("uv", False, ("uv", "pip", "install", "--python")),
        ("conda", True, ("conda", "install", "-y", "-p")),
        ("pip", False, ("{python}", "-m", "pip", "install")),
    ],
)
def test_commands_are_those_of_the_installer_in_use(
    tmp_path: Path, installer: str, conda: bool, begin: tuple[str, ...]
) -> None:
    python = environment(tmp_path, installer, conda=conda)
    argv = explain(MISSING, python=python)[0].fixes[1].argv
    assert argv[:4] == tuple(item.format(python=python) for item in begin)
    assert "--force-reinstall" in argv or "--reinstall" in argv
    assert argv[-1] == ("pytorch=2.9.1" if conda else "torch==2.9.1+cu126")


def test_poetry_adds_and_uv_uninstalls_without_yes(tmp_path: Path) -> None:
    poetry = environment(tmp_path / "p", "poetry")
    text = "ModuleNotFoundError: No module named 'einops'"
    assert explain(text, python=poetry)[0].fixes[0].argv == ("poetry", "add", "einops")
    uv = environment(tmp_path / "u", "uv")
    gutted = "AttributeError: module 'onnxruntime' has no attribute 'InferenceSession'"
    argv = explain(gutted, python=uv)[0].fixes[0].argv
    assert argv[:3] == ("uv", "pip", "uninstall")
    assert "-y" not in argv


def test_an_interpreter_that_is_no_path_is_taken_for_pips() -> None:
    assert target_of("python").tool == "pip"
    assert target_of("/no/such/bin/python").pinned("torch") == "torch"


def test_json_holds_no_user_host_or_signature(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "run.log"
    log.write_text(
        "OSError: /home/carla/x is not a local folder and is not a valid model identifier "
        "https://s3.example.com/m?X-Amz-Signature=0123456789abcdef\n"
    )
    assert main([str(log), "--json"]) == 1
    out = capsys.readouterr().out
    assert "carla" not in out
    assert "0123456789abcdef" not in out
    assert json.loads(out)["findings"][0]["code"] == "hf-not-found"
    assert main([str(log), "--json", "--no-redact"]) == 1
    assert "carla" in capsys.readouterr().out


def test_a_log_in_utf_16_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "powershell.log"
    log.write_bytes("IndexError: index out of range in self\r\n".encode("utf-16"))
    assert main([str(log)]) == 1
    assert "emb-range" in capsys.readouterr().out


@given(st.text(alphabet=st.sampled_from('abE: \n"File,line0123in[].()Error\\/')))
@settings(max_examples=150, deadline=None)
def test_any_text_can_be_described(text: str) -> None:
    for item in explain_all(f'Traceback (most recent call last):\n  File "{text}', unknown=True):
        assert item.as_dict()


@given(st.integers(0, len(KORNIA)), st.integers(0, len(KORNIA)))
@settings(max_examples=100, deadline=None)
def test_a_traceback_cut_anywhere_can_be_described(start: int, end: int) -> None:
    for item in explain_all(KORNIA[min(start, end) : max(start, end)], unknown=True):
        assert item.summary


def test_the_last_exception_of_three_megabytes_takes_less_than_a_second() -> None:
    line = "worker {} ERROR: request {} was not served, retry in a moment\n"
    text = "".join(line.format(i % 7, i) for i in range(50_000))
    start = time.process_time()
    assert last_raised(text + KORNIA) is not None
    assert len(text) > 3_000_000
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        ("    x = (\n        ^\nSyntaxError: '(' was never closed\n", "SyntaxError"),
        ("    assert ready\nAssertionError\n", "AssertionError"),
        ("    raise Exit(3)\nmylib.errors.EarlyExit: 3\n", "EarlyExit"),
        ("    f()\n    ~^^\nZeroDivisionError: division by zero\n", "ZeroDivisionError"),
    ],
)
def test_exceptions_of_other_shapes_are_named(tail: str, kind: str) -> None:
    finding = unknown('  File "/srv/a.py", line 3, in go\n' + tail)
    assert finding.summary.startswith(f"{kind} ")
