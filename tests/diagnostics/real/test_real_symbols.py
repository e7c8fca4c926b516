"""Extensions that were built for another torch, as small stand-in wheels with real ELF libraries."""

from __future__ import annotations

import sysconfig
import zipfile
from pathlib import Path

import pytest
from fake_machine import compile_library, look, wheel
from test_real_frame import site_of, venv

from diagnostics.facts.symbol_table import SymbolTable

SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
ERROR_NEW = (
    "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
)
ERROR_OLD = "_ZN3c105ErrorC2ENS_14SourceLocationESs"


def torch_library(folder: Path, name: str, symbols: tuple[str, ...]) -> Path:
    source = "\n".join(f"int {symbol};" for symbol in symbols)
    return compile_library(folder / name, source, f"-Wl,-soname,{name}")


def extension(folder: Path, library: Path, symbols: tuple[str, ...], *flags: str) -> bytes:
    source = "\n".join(f"extern int {s}; int *use{n} = &{s};" for n, s in enumerate(symbols))
    path = compile_library(
        folder / "ext.so", source + "\nint PyInit__C;", "-Wl,--no-as-needed", str(library), *flags
    )
    return path.read_bytes()


def environment(
    folder: Path, wanted: tuple[str, ...], name: str, version: str, requires: str = ""
) -> Path:
    """A virtual environment with a small torch and one extension for it."""
    python = venv(folder / "env")
    c10 = torch_library(folder / "lib", "libc10.so", (ERROR_NEW, "_ZN3c104warnEv"))
    module = extension(folder, c10, wanted)
    files = {
        "torch/version.py": b"__version__ = '2.15.0+cpu'\ncuda = None\nhip = None\n",
        "torch/__init__.py": b"",
        "torch/lib/libc10.so": c10.read_bytes(),
    }
    for path in (
        wheel(folder, "torch", "2.15.0", files),
        wheel(folder, name, version, {f"{name}/_C{SUFFIX}": module}, requires),
    ):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(site_of(folder / "env"))
    return python


def test_an_extension_for_an_older_torch_is_named_with_the_torch_it_was_built_for(
    tmp_path: Path, gcc: str
) -> None:
    python = environment(
        tmp_path, ("_ZN2at6detail11getCUDAHookEv",), "flash_attn", "2.8.3+cu12torch2.7"
    )
    report = look(python, "--ignore", "quiet")
    assert report.roots("error") == ["extension-other-torch"]
    finding = report.root("extension-other-torch")
    assert finding["summary"].startswith("flash-attn 2.8.3+cu12torch2.7 was built for torch 2.7")
    assert "at::detail::getCUDAHook" in finding["cause"]
    assert "--no-build-isolation" in finding["fixes"][0]["argv"]
    assert finding["fixes"][0]["argv"][-1] == "flash-attn==2.8.3"


def test_an_extension_with_the_other_strings_is_named_so(tmp_path: Path, gcc: str) -> None:
    python = environment(tmp_path, (ERROR_OLD,), "myops", "0.1")
    finding = look(python, "--ignore", "quiet").root("extension-other-torch")
    assert "the other C++ ABI of std::string" in finding["summary"]


@pytest.mark.parametrize(
    "wanted", [(ERROR_NEW, "_ZN3c104warnEv"), ("unrelated_symbol",)], ids=["fits", "not torch's"]
)
def test_an_extension_that_fits_is_left_alone(
    tmp_path: Path, gcc: str, wanted: tuple[str, ...]
) -> None:
    report = look(environment(tmp_path, wanted, "myops", "0.1"), "--ignore", "quiet")
    assert report.roots("error") == []


def test_symbols_are_looked_up_as_the_loader_does(tmp_path: Path, gcc: str) -> None:
    names = tuple(f"symbol_{number}" for number in range(500))
    for style in ("gnu", "both"):
        path = compile_library(
            tmp_path / f"{style}.so",
            "\n".join(f"int {name};" for name in names),
            f"-Wl,--hash-style={style}",
        )
        with SymbolTable(str(path)) as table:
            assert all(table.exports(name.encode()) for name in names)
            assert not any(table.exports(f"other_{name}".encode()) for name in names)
