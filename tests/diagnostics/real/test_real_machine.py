"""Real machines made ill: fake drivers, small mounts, limits, shadowing files, odd variables."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from fake_machine import apply, look


def driver(cuda: Path | None, nvml: Path | None, *codes: str, **said: str):
    """What the doctor says with these fake driver libraries."""
    folders = [str(folder) for folder in (cuda, nvml) if folder]
    variables = {"LD_LIBRARY_PATH": ":".join(folders), "container": "", **said}
    return look(None, "--select", ",".join(codes or ("driver", "versions")), **variables)


def test_a_driver_that_fits_is_content(cuda_stub: Path, nvml_stub: Path) -> None:
    report = driver(cuda_stub, nvml_stub)
    assert report.roots("error", "warn") == []
    assert report.data["environment"]["gpus"][0]["name"] == "NVIDIA Fake 1000"


def test_a_driver_below_the_floor_is_too_old(cuda_stub: Path, nvml_stub: Path) -> None:
    report = driver(cuda_stub, nvml_stub, FAKE_CUDA_DRIVER="12040", FAKE_DRIVER="550.54.15")
    finding = report.root("driver-too-old")
    assert "550.54.15" in finding["summary"]
    assert "/whl/cu12" in finding["fixes"][0]["line"]


def test_the_driver_is_known_from_libcuda_alone(cuda_stub: Path) -> None:
    finding = driver(cuda_stub, None, FAKE_CUDA_DRIVER="11080").root("driver-too-old")
    assert "CUDA 11.8" in finding["summary"]


@pytest.mark.parametrize(
    ("code", "row", "fix"),
    [
        ("802", "fabric-manager-802", "nvidia-fabricmanager"),
        ("804", "compat-804", "LD_LIBRARY_PATH"),
        ("999", "cuda-unknown-999", "nvidia_uvm"),
        ("101", "cuda-init-failed", "dmesg"),
    ],
)
def test_each_way_in_which_cuda_fails_to_start_has_its_cause(
    code: str, row: str, fix: str, cuda_stub: Path, nvml_stub: Path
) -> None:
    finding = driver(cuda_stub, nvml_stub, FAKE_CUDA_INIT=code).root(row)
    assert code in finding["summary"]
    assert fix in finding["fixes"][0]["line"]


def test_a_compat_folder_before_the_driver_is_taken_out(
    cuda_stub: Path, nvml_stub: Path, tmp_path: Path
) -> None:
    (tmp_path / "compat").mkdir()
    shutil.copy(cuda_stub / "libcuda.so.1", tmp_path / "compat")
    report = driver(tmp_path / "compat", nvml_stub, FAKE_CUDA_INIT="803")
    finding = report.root("compat-803")
    assert finding["fixes"][0]["line"] == f"export LD_LIBRARY_PATH={nvml_stub}"


def test_a_library_of_another_driver_version(nvml_stub: Path) -> None:
    finding = driver(None, nvml_stub, FAKE_NVML_INIT="18").root("driver-library-mismatch")
    assert finding["fixes"][0]["line"]


def test_a_gpu_that_is_too_old_for_the_build(cuda_stub: Path, nvml_stub: Path) -> None:
    finding = driver(cuda_stub, nvml_stub, FAKE_CC="61", FAKE_NAME="NVIDIA GeForce GTX 1080").root(
        "arch-too-old"
    )
    assert "sm_61" in finding["summary"]
    assert "sm_75" in finding["evidence"][0]["value"]


def test_a_gpu_that_is_too_new_for_the_build(cuda_stub: Path, nvml_stub: Path) -> None:
    report = driver(cuda_stub, nvml_stub, FAKE_CC="140")
    built = report.data["environment"]["builds"]["torch"]["architectures"]
    if any(name.startswith("compute_") for name in built):
        pytest.skip("this build carries PTX, which runs on every newer GPU")
    assert "sm_140" in report.root("arch-too-new")["summary"]


def test_a_container_without_compute_libraries(nvml_stub: Path) -> None:
    finding = driver(None, nvml_stub, container="docker").root("container-capabilities")
    assert "compute,utility" in finding["fixes"][0]["line"]


def test_a_container_that_lost_its_devices(nvml_stub: Path) -> None:
    report = driver(None, nvml_stub, container="docker", FAKE_NVML_INIT="999")
    assert report.root("container-lost-devices")["level"] == "error"


def test_memory_held_by_another_process(cuda_stub: Path, nvml_stub: Path) -> None:
    report = driver(
        cuda_stub,
        nvml_stub,
        "cuda-oom-other-process,quiet",
        FAKE_FREE_MIB="500",
        FAKE_PROCESSES="1",
    )
    assert "kill 4242" in report.root("cuda-oom-other-process")["fixes"][0]["line"]
    assert "pid 4242" in report.root("quiet-gpu-shared")["summary"]


@pytest.mark.parametrize(("value", "code"), [("", "cvd-empty"), ("7", "cvd-bad-index")])
def test_hidden_devices(value: str, code: str, cuda_stub: Path, nvml_stub: Path) -> None:
    report = driver(cuda_stub, nvml_stub, "variables", CUDA_VISIBLE_DEVICES=value)
    assert report.root(code)["fixes"]


def test_a_driver_that_hangs_costs_its_deadline_only(cuda_stub: Path, nvml_stub: Path) -> None:
    report = driver(cuda_stub, nvml_stub, FAKE_CUDA_HANG="1")
    finding = report.root("cuda-init-failed")
    assert "timeout" in finding["summary"]
    assert report.data["environment"]["gpus"], "what was known before the hang is kept"
    assert report.data["seconds"] < 15


def test_a_driver_that_aborts_is_a_finding(cuda_stub: Path, nvml_stub: Path) -> None:
    report = driver(cuda_stub, nvml_stub, FAKE_CUDA_ABORT="1")
    assert "signal 6" in report.root("cuda-init-failed")["summary"]


def test_shared_memory_of_one_megabyte(namespace: None) -> None:
    mount = "mount -t tmpfs -o size=1m none /dev/shm"
    report = look(None, "--select", "shm-too-small", before=mount)
    assert "of 1 MiB" in report.root("shm-too-small")["summary"]
    assert report.code == 1


def test_shared_memory_that_others_may_not_write(namespace: None) -> None:
    mount = "mount -t tmpfs -o size=4g,mode=0755 none /dev/shm"
    finding = look(None, "--select", "shm-too-small", before=mount).root("shm-too-small")
    assert "mode 0755" in finding["summary"]


def test_a_temporary_folder_that_is_full_and_not_executable(
    namespace: None, tmp_path: Path
) -> None:
    mount = f"mount -t tmpfs -o size=10m,noexec none {tmp_path}"
    report = look(
        None, "--select", "storage", before=mount, TMPDIR=str(tmp_path), TORCHINDUCTOR_CACHE_DIR=""
    )
    assert "10 MiB free" in report.root("disk-full-install", "temporary")["summary"]
    assert "noexec" in report.root("tmp-noexec", "inductor")["summary"]


def test_unreadable_proc_files_do_not_stop_the_doctor(namespace: None, tmp_path: Path) -> None:
    (tmp_path / "none").write_bytes(b"\xff\xfe nonsense")
    hide = "; ".join(
        f"mount --bind {tmp_path}/none {path}"
        for path in ("/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/self/cgroup")
    )
    report = look(None, "--select", "memory,quiet,doctor", before=hide)
    assert report.code in (0, 1)
    assert report.data["environment"]["system"]["memory_total"] == 0


def cgroup_folder(controller: str) -> Path:
    for root in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup") / controller):
        marker = "cgroup.subtree_control" if root.name == "cgroup" else "tasks"
        if (root / marker).exists():
            folder = root / f"vitals-test-{os.getpid()}"
            try:
                folder.mkdir()
            except OSError:
                continue
            return folder
    pytest.skip(f"no {controller} control group can be made here")


def test_a_processor_quota_in_a_real_control_group() -> None:
    folder = cgroup_folder("cpu")
    try:
        try:
            if (folder / "cpu.max").exists():
                (folder / "cpu.max").write_text("50000 100000")
            else:
                (folder / "cpu.cfs_quota_us").write_text("50000")
        except OSError:
            pytest.skip("the processor controller is not enabled here")
        join = f"echo $$ > {folder}/cgroup.procs"
        if (os.cpu_count() or 1) < 2:
            pytest.skip("one processor only")
        report = look(None, "--select", "cpu-quota-ignored", limits=join, OMP_NUM_THREADS="")
        finding = report.root("cpu-quota-ignored")
        assert finding["fixes"][0]["line"] == "export OMP_NUM_THREADS=1"
        after = look(None, "--select", "cpu-quota-ignored", limits=join, OMP_NUM_THREADS="1")
        assert after.roots() == []
    finally:
        folder.rmdir()


def test_a_memory_limit_in_a_real_control_group() -> None:
    folder = cgroup_folder("memory")
    try:
        limit = folder / "memory.max"
        limit = limit if limit.exists() else folder / "memory.limit_in_bytes"
        try:
            limit.write_text(str(600 << 20))
        except OSError:
            pytest.skip("the memory controller is not enabled here")
        join = f"echo $$ > {folder}/cgroup.procs"
        finding = look(None, "--select", "host-oom-kill", limits=join).root("host-oom-kill", "left")
        assert "control group" in finding["cause"]
    finally:
        folder.rmdir()


def test_few_open_files() -> None:
    report = look(None, "--select", "fd-limit", limits="ulimit -n 128")
    assert "only 128 open files" in report.root("fd-limit")["summary"]


def test_a_limited_address_space() -> None:
    report = look(None, "--select", "cpu-alloc-fail", limits="ulimit -v 4000000")
    assert report.root("cpu-alloc-fail")["fixes"][0]["line"] == "ulimit -v unlimited"


@pytest.mark.parametrize("name", ["torch", "onnx", "netron", "random", "profile"])
def test_a_file_with_a_librarys_name_is_found_and_moved_away(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.py"
    path.write_text("raise SystemExit('the wrong file was imported')\n")
    report = look(None, "--select", "local-file-shadows", cwd=tmp_path)
    apply(report.root("local-file-shadows", name), cwd=tmp_path)
    assert not path.exists()
    assert look(None, "--select", "local-file-shadows", cwd=tmp_path).roots() == []


def test_the_model_cache_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    report = look(None, "--select", "transformers", HF_HOME=str(tmp_path / "file" / "hf"))
    assert report.root("hf-home-bad")["level"] == "error"


def test_offline_with_an_empty_cache(tmp_path: Path) -> None:
    report = look(None, "--select", "transformers", HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1")
    assert report.root("offline-empty-cache")["level"] == "warn"


def test_a_git_lfs_pointer_among_the_cached_weights(tmp_path: Path) -> None:
    folder = tmp_path / "hub/models--a--b/snapshots/1"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    report = look(None, "--select", "transformers", HF_HOME=str(tmp_path))
    apply(report.root("safetensors-header"))
    assert look(None, "--select", "transformers", HF_HOME=str(tmp_path)).roots() == []


def test_a_taken_rendezvous_port() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        report = look(None, "--select", "distributed", MASTER_PORT=port, MASTER_ADDR="127.0.0.1")
    assert port in report.root("dist-port")["summary"]
    assert report.root("dist-env")["level"] == "warn"


def test_a_thread_number_that_is_none() -> None:
    report = look(None, "--select", "omp-env-invalid", OMP_NUM_THREADS="all")
    assert report.root("omp-env-invalid")["level"] == "error"


def test_no_compiler_and_no_ninja_on_the_path(tmp_path: Path) -> None:
    report = look(None, "--select", "toolchain", PATH=str(tmp_path), CXX="")
    assert report.root("cxx-missing")["level"] == "warn"
    assert "ninja-missing" in report.all_codes() or (Path(sys.prefix) / "bin/ninja").exists()


def test_an_nvcc_of_another_major_version(tmp_path: Path) -> None:
    script = tmp_path / "cuda/bin/nvcc"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\necho 'Cuda compilation tools, release 11.8, V11.8.89'\n")
    script.chmod(0o755)
    path = f"{script.parent}:{os.environ['PATH']}"
    report = look(None, "--select", "toolchain", PATH=path, CUDA_HOME="", CUDA_PATH="")
    built = report.data["environment"]["builds"]["torch"]["cuda"]
    if built.startswith("11") or not built:
        pytest.skip("torch is built for CUDA 11 or without CUDA")
    assert "nvcc is CUDA 11.8" in report.root("nvcc-mismatch")["summary"]


def test_another_user_than_root_gets_the_same_bill() -> None:
    if os.geteuid() or shutil.which("setpriv") is None:
        pytest.skip("only root can become another user")
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    fit = "import os, sys; sys.exit(sys.version_info < (3, 11) or not os.access(sys.executable, 1))"
    named = (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3")
    usable = [
        python
        for python in named
        if not subprocess.run(
            [*become, python, "-c", fit], capture_output=True, check=False
        ).returncode
    ]
    if not usable:
        pytest.skip("another user cannot read any interpreter that the doctor can run in")
    root = Path(__file__).parents[3]
    areas = "doctor,driver,memory,variables,storage,distributed"
    done = subprocess.run(
        [*become, usable[0], "-m", "diagnostics", "--json", "--select", areas],
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(root), "HOME": "/tmp"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert json.loads(done.stdout)["environment"]["system"]["root"] is False
