"""Real environments with broken packages: the doctor names the cause, and its command cures it."""

from __future__ import annotations

from pathlib import Path

from fake_machine import Clone, apply, compile_library, look, wheel

CUFILE = "nvidia-cufile"
TORCH_IMPORT = "import torch; print(torch.__version__)"


def cufile(clone: Clone) -> Path:
    """A small library that torch needs: quick to fetch again."""
    return clone.find("nvidia/*/lib/libcufile.so.0")


def test_the_untouched_clone_is_healthy(clone: Clone) -> None:
    report = clone.look("--ignore", "quiet")
    assert report.roots("error", "warn") == []
    assert report.code == 0


def test_a_deleted_library_is_named_with_its_owner_and_comes_back(
    clone: Clone, index: None
) -> None:
    cufile(clone).unlink()
    assert "cannot open shared object file" in clone.run(TORCH_IMPORT).stderr
    report = clone.look("--ignore", "quiet")
    assert report.roots("error") == ["file-missing"]
    assert "nvidia-lib-missing" in report.folded("file-missing")
    apply(report.root("file-missing", CUFILE))
    assert clone.look("--ignore", "quiet").roots("error") == []
    assert clone.run(TORCH_IMPORT).returncode == 0


def test_an_uninstalled_library_package_is_brought_back_in_the_pinned_version(
    clone: Clone, index: None
) -> None:
    version = clone.find("nvidia_cufile-*.dist-info").name.split("-")[1].removesuffix(".dist")
    clone.pip("uninstall", "-y", CUFILE)
    assert clone.run(TORCH_IMPORT).returncode != 0
    report = clone.look("--ignore", "quiet")
    finding = report.root("nvidia-lib-missing")
    assert finding["fixes"][0]["argv"][-1].startswith(CUFILE)
    apply(finding)
    after = clone.look("--ignore", "quiet")
    assert after.roots("error", "warn") == []
    assert (clone.site / f"nvidia_cufile-{version}.dist-info").is_dir()


def test_a_dangling_library_link_is_called_one(clone: Clone, index: None) -> None:
    path = cufile(clone)
    path.unlink()
    path.symlink_to("/nowhere/libcupti.so")
    assert path.is_symlink()
    report = clone.look("--ignore", "quiet")
    assert report.roots("error") == ["dangling-lib-symlink"]
    apply(report.root("dangling-lib-symlink"))
    assert clone.look("--ignore", "quiet").roots("error") == []


def test_a_library_cut_to_nothing_is_named(clone: Clone, index: None) -> None:
    path = cufile(clone)
    clone.write(str(path.relative_to(clone.site)), b"")
    assert "file too short" in clone.run(TORCH_IMPORT).stderr
    report = clone.look("--ignore", "quiet")
    assert report.roots("error") == ["file-truncated"]
    apply(report.root("file-truncated"))
    assert clone.look("--ignore", "quiet").roots("error") == []


def test_a_library_that_is_only_opened_late_is_missed_too(clone: Clone) -> None:
    clone.find("nvidia/*/lib/libcudnn_ops.so.9").unlink()
    finding = clone.look("--ignore", "quiet").root("file-missing")
    assert finding["subject"] == "nvidia-cudnn-cu13"
    assert "--no-deps nvidia-cudnn-cu13==" in finding["fixes"][0]["line"]


def test_an_older_torchvision_is_replaced_by_the_partner(clone: Clone, index: None) -> None:
    clone.pip("install", "--no-deps", "torchvision==0.28.0")
    failed = clone.run("import torchvision")
    assert "torchvision::nms does not exist" in failed.stderr
    report = clone.look("--ignore", "quiet")
    assert report.roots("error") == ["tv-version-pair"]
    apply(report.root("tv-version-pair"))
    assert clone.look("--ignore", "quiet").roots("error") == []
    assert clone.run("import torchvision").returncode == 0


def test_a_cpu_torch_beside_a_cuda_torchvision(clone: Clone) -> None:
    version = clone.find("torch/version.py").read_text()
    label = version.split("__version__ = '")[1].split("'")[0]
    clone.write("torch/version.py", f"__version__ = '{label.split('+')[0]}+cpu'\ncuda = None\n")
    clone.find("torch/lib/libtorch_cuda.so").unlink()
    report = clone.look("--select", "versions")
    finding = report.root("tv-cpu-torch-cuda-vision")
    assert "/whl/cpu" in finding["fixes"][0]["line"]
    assert "--force-reinstall" in finding["fixes"][0]["line"]


def test_a_torch_that_is_too_old_for_its_torchvision(clone: Clone) -> None:
    clone.write("torch/version.py", "__version__ = '2.13.0+cu130'\ncuda = '13.0'\n")
    finding = clone.look("--select", "versions").root("tv-stable-abi-needs-newer-torch")
    assert "torchvision==0.28.0" in finding["fixes"][0]["line"]


def overlay(clone: Clone, folder: Path) -> None:
    """Installs a second package over onnxruntime/, as onnxruntime-gpu does."""
    own = clone.find("onnxruntime/__init__.py").read_bytes()
    files = {
        f"onnxruntime/{path.relative_to(clone.site / 'onnxruntime')}": path.read_bytes() + b"#"
        for path in sorted((clone.site / "onnxruntime").rglob("*.py"))
    }
    files["onnxruntime/__init__.py"] = own + b"\n# the other one\n"
    path = wheel(folder, "onnxruntime-gpu", "1.31.1", files)
    clone.pip("install", "--no-deps", "--no-index", str(path))


def test_two_onnxruntimes_over_each_other_are_untangled(
    clone: Clone, tmp_path: Path, index: None
) -> None:
    overlay(clone, tmp_path)
    report = clone.look("--ignore", "quiet")
    assert report.roots("error") == ["ort-both"]
    apply(report.root("ort-both"))
    after = clone.look("--ignore", "quiet")
    assert after.roots("error", "warn") == []
    assert clone.run("import onnxruntime; onnxruntime.InferenceSession").returncode == 0


def test_an_onnxruntime_gutted_by_uninstalling_its_twin_is_restored(
    clone: Clone, tmp_path: Path, index: None
) -> None:
    overlay(clone, tmp_path)
    clone.pip("uninstall", "-y", "onnxruntime-gpu")
    for path in (clone.site / "onnxruntime").rglob("*"):
        # What is left of the first package goes as well, as with wheels of the same version.
        if path.is_file() and path.suffix != ".pyc":
            path.unlink()
    assert "has no attribute" in clone.run("import onnxruntime as o; o.InferenceSession").stderr
    report = clone.look("--ignore", "quiet")
    assert report.roots("error") == ["ort-gutted"]
    apply(report.root("ort-gutted"))
    assert clone.look("--ignore", "quiet").roots("error") == []


def test_a_cuda_provider_without_its_libraries_is_said_to_fall_back(
    clone: Clone, tmp_path: Path, gcc: str
) -> None:
    blas = compile_library(
        tmp_path / "libcublasLt.so.12", "int x;", "-Wl,-soname,libcublasLt.so.12"
    )
    provider = compile_library(
        tmp_path / "p.so", "extern int x; int *y = &x;", str(blas), "-Wl,--no-as-needed"
    )
    path = wheel(
        tmp_path,
        "onnxruntime-gpu",
        "1.20.0",
        {"onnxruntime/capi/libonnxruntime_providers_cuda.so": provider.read_bytes()},
    )
    clone.pip("uninstall", "-y", "onnxruntime")
    clone.pip("install", "--no-deps", "--no-index", str(path))
    finding = clone.look("--select", "onnxruntime").root("ort-cuda-libs")
    assert "libcublasLt.so.12" in finding["summary"]


def test_an_old_protobuf_is_brought_up(clone: Clone, index: None) -> None:
    clone.pip("install", "--no-deps", "protobuf==3.20.3")
    assert clone.run("import onnx").returncode != 0
    report = clone.look("--ignore", "quiet")
    assert report.roots("error") == ["protobuf-too-old"]
    assert "dependency-unmet" in report.folded("protobuf-too-old")
    apply(report.root("protobuf-too-old"))
    assert clone.look("--ignore", "quiet").roots("error") == []
    assert clone.run("import onnx").returncode == 0


def test_a_missing_exporter_library_is_installed(clone: Clone, index: None) -> None:
    clone.pip("uninstall", "-y", "onnxscript")
    report = clone.look("--ignore", "quiet")
    apply(report.root("onnxscript-missing"))
    assert clone.look("--ignore", "quiet").roots("error", "warn") == []


def test_a_missing_dependency_of_torch_is_installed(clone: Clone, index: None) -> None:
    clone.pip("uninstall", "-y", "networkx")
    report = clone.look("--ignore", "quiet")
    assert report.roots("error") == ["dependency-unmet"]
    apply(report.root("dependency-unmet"))
    assert clone.look("--ignore", "quiet").roots("error") == []


def test_a_module_of_another_python_is_replaced(clone: Clone, index: None) -> None:
    path = clone.find("markupsafe/_speedups.cpython-*.so")
    path.rename(path.with_name("_speedups.cpython-39-x86_64-linux-gnu.so"))
    record = clone.find("markupsafe-*.dist-info/RECORD")
    clone.edit(
        str(record.relative_to(clone.site)), path.name, "_speedups.cpython-39-x86_64-linux-gnu.so"
    )
    finding = clone.look("--ignore", "quiet").root("extension-misbuilt")
    assert "cpython-39" in finding["summary"]
    apply(finding)
    assert "extension-misbuilt" not in clone.look("--ignore", "quiet").all_codes()


def test_a_module_built_for_numpy_1_is_named(clone: Clone, tmp_path: Path, gcc: str) -> None:
    library = compile_library(
        tmp_path / "old.so", 'const char *api = "numpy.core._multiarray_umath";'
    )
    import sysconfig

    name = f"oldlib/_c{sysconfig.get_config_var('EXT_SUFFIX')}"
    path = wheel(tmp_path, "oldlib", "0.3", {name: library.read_bytes(), "oldlib/__init__.py": b""})
    clone.pip("install", "--no-deps", "--no-index", str(path))
    finding = clone.look("--ignore", "quiet").root("extension-misbuilt")
    assert "oldlib 0.3: built against NumPy 1" in finding["summary"]


def test_an_extension_without_its_library_is_named_by_the_general_walk(
    clone: Clone, tmp_path: Path, gcc: str
) -> None:
    import sysconfig

    absent = compile_library(tmp_path / "libnever.so.3", "int never;", "-Wl,-soname,libnever.so.3")
    module = compile_library(tmp_path / "m.so", "extern int never; int *p = &never;", str(absent))
    name = f"unheard/_c{sysconfig.get_config_var('EXT_SUFFIX')}"
    path = wheel(tmp_path, "unheard", "1.0", {name: module.read_bytes()})
    clone.pip("install", "--no-deps", "--no-index", str(path))
    finding = clone.look("--ignore", "quiet").root("library-missing")
    assert "libnever.so.3 is needed by unheard" in finding["summary"]


def test_an_old_libstdcxx_on_the_library_path_is_named_and_unset(
    clone: Clone, tmp_path: Path, gcc: str
) -> None:
    script = tmp_path / "map"
    script.write_text("GLIBCXX_3.4 { global: old; local: *; };\nCXXABI_1.3 { global: abi; };\n")
    compile_library(
        tmp_path / "libstdc++.so.6",
        "int old; int abi;",
        f"-Wl,--version-script={script}",
        "-Wl,-soname,libstdc++.so.6",
    )
    failed = clone.run(TORCH_IMPORT, LD_LIBRARY_PATH=str(tmp_path))
    assert "not found" in failed.stderr
    report = clone.look("--ignore", "quiet", LD_LIBRARY_PATH=str(tmp_path))
    finding = report.root("libstdcxx-too-old")
    assert finding["fixes"][0]["line"] == "unset LD_LIBRARY_PATH"
    assert clone.look("--ignore", "quiet").roots("error") == []


def test_bogus_cuda_libraries_on_the_path_do_no_harm_and_raise_no_alarm(
    clone: Clone, tmp_path: Path, gcc: str
) -> None:
    compile_library(tmp_path / "libcudnn.so.9", "int x;", "-Wl,-soname,libcudnn.so.9")
    report = clone.look("--ignore", "quiet", LD_LIBRARY_PATH=str(tmp_path))
    assert report.roots("error", "warn") == []
    assert "ld-path-harmless" in report.roots("info")
    assert clone.run(TORCH_IMPORT, LD_LIBRARY_PATH=str(tmp_path)).returncode == 0


def test_two_versions_in_one_folder_are_told(clone: Clone) -> None:
    clone.write("numpy-1.20.0.dist-info/METADATA", "Name: numpy\nVersion: 1.20.0\n\n")
    finding = clone.look("--select", "python").root("user-site-or-pythonpath-shadow")
    assert "numpy is installed twice" in finding["summary"]


def test_ruined_metadata_is_a_warning_and_never_a_traceback(clone: Clone) -> None:
    clone.write(str(clone.find("tqdm-*.dist-info/METADATA").relative_to(clone.site)), b"\xff\x00")
    clone.write(str(clone.find("idna-*.dist-info/RECORD").relative_to(clone.site)), b"\xff,,\n,,,x")
    (clone.site / "nothing-1.0.dist-info").mkdir()
    (clone.site / "torch.dist-info").mkdir()
    report = clone.look("--ignore", "quiet")
    assert report.code == 0
    names = {d["subject"] for d in report.data["diagnoses"] if d["code"] == "broken-metadata"}
    assert names == {"tqdm", "nothing", "torch"}


def test_a_file_that_nobody_listed_is_missed_by_the_general_walk(clone: Clone, index: None) -> None:
    clone.find("tqdm/std.py").unlink()
    report = clone.look("--ignore", "quiet")
    assert report.root("file-missing")["subject"] == "tqdm"
    apply(report.root("file-missing"))
    assert clone.look("--ignore", "quiet").roots("error") == []


def test_another_python_can_be_examined(other_python: Path, tmp_path: Path) -> None:
    import subprocess

    made = [str(other_python), "-m", "venv", "--without-pip", str(tmp_path / "v")]
    subprocess.run(made, check=True)
    report = look(tmp_path / "v" / "bin" / "python", "--ignore", "quiet")
    examined = report.data["environment"]["python"]
    said = subprocess.run([other_python, "-V"], capture_output=True, text=True, check=True).stdout
    assert f"Python {examined['version']}" in said
    # No wheel of torch is for PyPy, and not for every Python.
    (root,) = report.roots("error")
    assert root in ("torch-installed", "python-has-no-wheel")
    if root == "torch-installed":
        assert report.root(root)["fixes"][0]["argv"][:3] == ["uv", "pip", "install"]


def test_a_namespace_folder_in_place_of_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "v")], check=True)
    (tmp_path / "torch").mkdir()
    report = look(tmp_path / "v" / "bin" / "python", "--select", "python,versions", cwd=tmp_path)
    assert report.folded("torch-installed") == {"empty-dir-namespace"}


def test_a_veto_on_manylinux_wheels_is_found(tmp_path: Path) -> None:
    import subprocess
    import sys

    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "v")], check=True)
    (site,) = (tmp_path / "v").glob("lib/python3*/site-packages")
    (site / "_manylinux.py").write_text("def manylinux_compatible(*_): return False\n")
    python = tmp_path / "v" / "bin" / "python"
    finding = look(python, "--select", "glibc-too-old").root("glibc-too-old")
    apply(finding)
    assert look(python, "--select", "glibc-too-old").roots() == []
