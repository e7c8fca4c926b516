"""Collectors over made files: what they see, and that nothing broken stops them."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest
from sample_environments import PYTHON_FACTS

from diagnostics.facts import (
    builds,
    cgroup,
    deadline,
    distributions,
    elf,
    gpu,
    hub,
    interpreter,
    ports,
    record,
    shadows,
    storage,
)
from diagnostics.facts.linkage import walk
from diagnostics.facts.loader import Loader, cached_libraries
from diagnostics.facts.timed_collector import Slot, collect
from diagnostics.gather import gather
from diagnostics.records import Distribution


def write(path: Path, content: str | bytes = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def package(
    site: Path, name: str, files: dict[str, str], *, metadata: str = "", record: str = ""
) -> Distribution:
    """A distribution on the disk with its RECORD."""
    info = site / f"{name}-1.0.dist-info"
    write(
        info / "METADATA", metadata or f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n\nbody"
    )
    for path, content in files.items():
        write(site / path, content)
    rows = "".join(f"{path},sha256={hash(c)},{len(c)}\n" for path, c in files.items())
    write(info / "RECORD", record or rows)
    (found,) = (d for d in distributions.installed((str(site),)) if d.name == name)
    return found


# the frame of a collector


def test_a_collector_that_raises_leaves_its_fallback_and_a_line() -> None:
    errors: dict[str, str] = {}
    assert collect("x", lambda: 1 // 0, 7, errors) == 7
    assert errors["x"].startswith("ZeroDivisionError")


def test_a_collector_that_hangs_costs_its_deadline_and_no_more() -> None:
    errors: dict[str, str] = {}
    start = time.monotonic()
    assert Slot("x", lambda: time.sleep(60), seconds=0.05).result(None, errors) is None
    assert time.monotonic() - start < 5
    assert errors["x"] == "no answer within 0.05 s"


class Scripted(deadline.Deadline):
    """A deadline whose counter follows a script."""

    rows: ClassVar[list[float]] = []

    def _waited(self) -> float:
        return self.rows.pop(0)


def test_time_in_the_queue_for_a_processor_makes_nothing_late(monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr(deadline.time, "monotonic", lambda: now[0])
    Scripted.rows = [1.0, 28.0, 28.0]
    clock = Scripted(5.0)
    now[0] = 30.0
    assert clock.remaining() == pytest.approx(5 - 3)
    now[0] = 32.0
    assert clock.remaining() == 0.0
    # Without load the wall clock counts; with any, the longest wait has an end.
    Scripted.rows = [0.0, 0.0, 9999.0]
    clock, now[0] = Scripted(5.0), 36.0
    assert clock.remaining() == pytest.approx(1.0)
    now[0] = 32.0 + 5 * deadline.LONGEST - 2
    assert clock.remaining() == pytest.approx(2.0)


@pytest.mark.skipif(sys.platform != "linux", reason="the counters are Linux's")
def test_a_child_that_hangs_is_killed_and_one_that_answers_is_heard() -> None:
    done = deadline.run([sys.executable, "-c", "print('here')"], 20.0)
    assert done.stdout == b"here\n"
    start = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        deadline.run([sys.executable, "-c", "import time; time.sleep(60)"], 0.2)
    assert time.monotonic() - start < 10


# installed distributions


def test_metadata_is_read_up_to_the_first_empty_line(tmp_path: Path) -> None:
    text = (
        "Metadata-Version: 2.1\nName: Foo.Bar\nVersion: 2.0+cpu\nRequires-Python: >=3.9\n"
        "Requires-Dist: numpy>=1\nRequires-Dist: torch; extra == 'x'\n\nName: not this"
    )
    write(tmp_path / "foo_bar-2.0.dist-info" / "METADATA", text)
    write(tmp_path / "foo_bar-2.0.dist-info" / "INSTALLER", "uv\n")
    (found,) = distributions.installed((str(tmp_path),))
    assert (found.name, found.version, found.installer) == ("foo-bar", "2.0+cpu", "uv")
    assert found.requires == ("numpy>=1", "torch; extra == 'x'")
    assert found.requires_python == ">=3.9"
    assert not found.flaw


def test_broken_metadata_is_a_flaw_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "empty-1.0.dist-info").mkdir()
    write(tmp_path / "odd-1.0.dist-info" / "METADATA", b"\xff\xfe\x00binary")
    write(tmp_path / "old-3.0-py3.11.egg-info", "Metadata-Version: 1.0\nName: old\nVersion: 3.0\n")
    write(tmp_path / "bad.dist-info" / "direct_url.json", "{")
    (tmp_path / "dir-1.0.dist-info" / "METADATA").mkdir(parents=True)
    found = {item.name: item for item in distributions.installed((str(tmp_path),))}
    assert found["old"].version == "3.0"
    assert found["empty"].flaw.startswith("METADATA: No such file")
    assert found["odd"].flaw == "METADATA has no Name or no Version"
    assert found["dir"].flaw
    assert found["bad"].flaw


def test_versions_come_from_folder_names_alone(tmp_path: Path) -> None:
    (tmp_path / "Foo_Bar-2.0.dist-info").mkdir()
    assert distributions.versions((str(tmp_path), "/does/not/exist")) == {"foo-bar": "2.0"}


def test_condas_records_are_read_even_when_one_is_broken(tmp_path: Path) -> None:
    write(tmp_path / "conda-meta/pytorch-2.3.0-py3.json", '{"name": "pytorch", "version": "2.3.0"}')
    write(tmp_path / "conda-meta/mkl-2024.2.0-h1.json", "{broken")
    found = {item.name: item.version for item in distributions.conda_packages(str(tmp_path))[0]}
    assert found == {"pytorch": "2.3.0", "mkl": "2024.2.0"}


# RECORD against the disk


def test_missing_cut_and_dangling_files_are_named_with_their_owner(tmp_path: Path) -> None:
    owner = package(tmp_path, "foo", {"foo/a.py": "1", "foo/b.py": "22", "foo/l.so": "333"})
    (tmp_path / "foo/a.py").unlink()
    write(tmp_path / "foo/b.py", "")
    (tmp_path / "foo/l.so").unlink()
    (tmp_path / "foo/l.so").symlink_to("/gone")
    files, libraries = record.survey((owner,))
    assert {(d.path.rpartition("/")[2], d.kind) for d in files.damages} == {
        ("a.py", "missing"),
        ("b.py", "size"),
        ("l.so", "dangling"),
    }
    (loss,) = files.losses
    assert (loss.distribution, loss.num_missing, loss.num_changed) == ("foo", 2, 1)
    assert libraries == {f"{tmp_path}/foo/l.so": "foo"}


def test_a_whole_distribution_gives_no_finding(tmp_path: Path) -> None:
    owner = package(tmp_path, "foo", {"foo/__init__.py": "x = 1", 'foo/a,b".txt': "odd"})
    row = '"foo/a,b"".txt",,3\nfoo/__init__.py,,5\nfoo/__pycache__/x.pyc,,\n'
    write(Path(owner.directory) / "RECORD", row)
    files, _ = record.survey((owner,))
    assert (files.losses, files.damages, files.overlaps) == ((), (), ())


@pytest.mark.parametrize("text", ["garbage", "a,b\n,,\n", "x,y,notanumber\n", b"\xff\xfe,,1\n"])
def test_a_broken_record_does_not_stop_the_survey(tmp_path: Path, text: str | bytes) -> None:
    owner = package(tmp_path, "foo", {"x": "1"})
    write(Path(owner.directory) / "RECORD", text)
    files, _ = record.survey((owner,))
    assert files.num_files <= 2


def test_files_with_two_owners_count_only_when_they_differ(tmp_path: Path) -> None:
    first = package(tmp_path, "one", {"onnxruntime/a.py": "1", "ns/__init__.py": ""})
    second = package(tmp_path, "two", {"onnxruntime/a.py": "22", "ns/__init__.py": ""})
    files, _ = record.survey((first, second))
    (overlap,) = files.overlaps
    assert (overlap.first, overlap.second, overlap.num_files) == ("one", "two", 1)


def test_three_owners_of_one_file_are_told_in_pairs(tmp_path: Path) -> None:
    owners = tuple(
        package(tmp_path, name, {"cv2/a.py": text, f"{name}.py": ""})
        for name, text in (("one", "1"), ("two", "22"), ("three", "333"))
    )
    files, _ = record.survey(owners)
    pairs = {(row.first, row.second): row.num_files for row in files.overlaps}
    assert pairs == {("one", "two"): 1, ("one", "three"): 1, ("two", "three"): 1}
    assert files.num_files == 6


# the driver's libraries


def test_a_child_is_started_only_where_a_driver_may_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "names", lambda folder: ())
    monkeypatch.setattr(gpu.os.path, "isdir", lambda path: False)
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    cache = {"libc.so.6": "/lib/libc.so.6"}
    bare = Loader(cache=cache, system=())
    assert not gpu.may_have_driver(bare)
    assert gpu.Probe(bare).answers() == ({}, [], "")
    write(tmp_path / "libcuda.so.1")
    assert gpu.may_have_driver(Loader(library_path=(str(tmp_path),), cache=cache, system=()))
    # Nobody knows where the loader looks: the child has to try.
    assert gpu.may_have_driver(Loader(cache={}, system=()))


@pytest.mark.parametrize(
    "listed",
    [
        b"sm_50 sm_75 sm_90a compute_90",
        b"sm_75\0sm_80\0compute_120",
        b"compute_90 sm_100 sm_120",
    ],
)
def test_the_architectures_of_a_build_are_the_longest_list_in_its_library(
    tmp_path: Path, listed: bytes
) -> None:
    write(tmp_path / "torch/version.py", "__version__ = '2.9.0+cu128'\ncuda = '12.8'\n")
    noise = b"\x7fELF" + b"asm_volatile sm_7 compute_ sm_90\0" + bytes(5000)
    write(tmp_path / "torch/lib/libtorch_python.so", noise + listed + b"\0" + bytes(5000))
    found = builds.describe((str(tmp_path),), Loader(), architectures=True)["torch"]
    assert found.architectures == tuple(listed.replace(b"\0", b" ").decode().split())


# ELF


def own_library() -> str:
    """A real library: the loader's cache names libc."""
    return cached_libraries()["libc.so.6"]


@pytest.mark.skipif(sys.platform != "linux", reason="ELF is Linux's format")
def test_a_real_library_is_read() -> None:
    header = elf.read(own_library())
    assert header.soname == "libc.so.6"
    assert "GLIBC_2.2.5" in header.defines or "GLIBC_2.17" in header.defines
    assert header.machine == os.uname().machine


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "too short"),
        (b"\x7fELF", "too short"),
        (b"version https://git-lfs" + b" " * 80, "not with the ELF mark"),
        (b"\x7fELF\x02\x01" + b"\xff" * 80, "ends before"),
    ],
)
def test_what_is_no_library_is_said_to_be_none(tmp_path: Path, content: bytes, says: str) -> None:
    path = write(tmp_path / "x.so", content)
    with pytest.raises(elf.NotElf, match=says):
        elf.read(str(path))


@pytest.mark.skipif(sys.platform != "linux", reason="ELF is Linux's format")
def test_a_library_cut_anywhere_never_breaks_the_reader(tmp_path: Path) -> None:
    whole = Path(own_library()).read_bytes()
    for length in (64, 100, 500, 4096, 70_000, len(whole) // 2, len(whole) - 1):
        path = write(tmp_path / "cut.so", whole[:length])
        try:
            elf.read(str(path))
        except elf.NotElf:
            continue


def test_a_truncated_library_is_not_elf_to_the_walk(tmp_path: Path) -> None:
    path = write(tmp_path / "m" / "_c.cpython-311-x86_64-linux-gnu.so", b"\x7fELF")
    found = walk({str(path): "m"}, PYTHON_FACTS, Loader())
    assert [(row.kind, row.distribution) for row in found.misbuilt] == [("not-elf", "m")]


def test_a_module_of_another_python_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "m" / "_c.cpython-39-x86_64-linux-gnu.so", b"\x7fELF")
    found = walk({str(path): "m"}, PYTHON_FACTS, Loader())
    assert ("tag", "built for cpython-39") in [(row.kind, row.detail) for row in found.misbuilt]


@pytest.mark.parametrize(
    ("strings", "old"),
    [
        (b"numpy.core._multiarray_umath", True),
        (b"numpy.core._multiarray_umath\0numpy._core._multiarray_umath", False),
        (b"nothing of the kind", False),
    ],
)
def test_a_module_built_for_numpy_1_is_known_by_its_strings(
    tmp_path: Path, strings: bytes, old: bool
) -> None:
    path = write(tmp_path / "m" / "_c.cpython-311-x86_64-linux-gnu.so", b"\x7fELF" * 30 + strings)
    found = walk({str(path): "m"}, PYTHON_FACTS, Loader())
    assert ("numpy" in {row.kind for row in found.misbuilt}) is old


def test_a_damaged_loader_cache_is_an_empty_one(tmp_path: Path) -> None:
    magic = b"glibc-ld.so.cache1.1"
    for content in (b"", b"junk", magic, magic + struct.pack("<II", 9, 9) + b"\0" * 20):
        assert cached_libraries(str(write(tmp_path / "c", content))) == {}


# control groups


def test_the_quota_of_cgroup_v2_counts_also_when_a_parent_sets_it(tmp_path: Path) -> None:
    write(tmp_path / "cg/cpu.max", "50000 100000")
    write(tmp_path / "cg/pod/box/cpu.max", "max 100000")
    write(tmp_path / "cg/pod/memory.max", str(1 << 30))
    write(tmp_path / "cg/pod/memory.current", "1000")
    write(tmp_path / "cg/pod/box/memory.events", "low 0\noom_kill 2\n")
    write(tmp_path / "cg/pod/box/cpu.stat", "nr_periods 10\nnr_throttled 4\n")
    write(tmp_path / "self", "0::/pod/box\n")
    found = cgroup.limits(str(tmp_path / "cg"), str(tmp_path / "self"))
    assert found == cgroup.Limits(
        quota=0.5, memory_limit=1 << 30, memory_used=1000, num_oom_kills=2, periods=10, throttled=4
    )


def test_the_limits_of_cgroup_v1_are_read(tmp_path: Path) -> None:
    write(tmp_path / "cg/cpu,cpuacct/job/cpu.cfs_quota_us", "150000")
    write(tmp_path / "cg/cpu,cpuacct/job/cpu.cfs_period_us", "100000")
    write(tmp_path / "cg/memory/job/memory.limit_in_bytes", "268435456")
    write(tmp_path / "cg/memory/memory.limit_in_bytes", "9223372036854771712")
    write(tmp_path / "self", "3:cpu,cpuacct:/job\n2:memory:/job\n1:name=systemd:/\n")
    found = cgroup.limits(str(tmp_path / "cg"), str(tmp_path / "self"))
    assert (found.quota, found.memory_limit) == (1.5, 268435456)


@pytest.mark.parametrize("text", ["", "nonsense", "0::/../..", "::::", "0::" + "/x" * 50])
def test_unreadable_groups_mean_no_limit(tmp_path: Path, text: str) -> None:
    write(tmp_path / "self", text)
    assert cgroup.limits(str(tmp_path / "none"), str(tmp_path / "self")) == cgroup.Limits()


# the rest


def test_the_variant_is_read_from_version_files(tmp_path: Path) -> None:
    write(
        tmp_path / "torch/version.py",
        "from typing import Optional\n__version__ = '2.15.0+cu132'\n"
        "cuda: Optional[str] = '13.2'\nhip: Optional[str] = None\n",
    )
    write(tmp_path / "torchvision/version.py", "__version__ = '0.29.2+cpu'\ncuda = _ask()\n")
    write(
        tmp_path / "onnxruntime/capi/build_and_package_info.py",
        "package_name = 'onnxruntime-gpu'\n__version__ = '1.31.1'\ncuda_version = '13.0'\n",
    )
    found = builds.describe((str(tmp_path),), Loader())
    assert {name: (b.version, b.cuda) for name, b in found.items()} == {
        "torch": ("2.15.0+cu132", "13.2"),
        "torchvision": ("0.29.2+cpu", ""),
        "onnxruntime": ("1.31.1", "13.0"),
    }


def test_a_folder_named_torch_without_a_version_file_is_no_build(tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    write(tmp_path / "torchvision/version.py", "garbage(")
    assert builds.describe((str(tmp_path),), Loader()) == {}


def test_shadows_are_found_in_the_current_folder_and_in_pythonpath(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "here/torch.py")
    write(tmp_path / "here/onnx/readme.txt")
    write(tmp_path / "here/test.py")
    write(tmp_path / "there/random.py")
    write(tmp_path / "there/numpy/__init__.py")
    monkeypatch.chdir(tmp_path / "here")
    found = shadows.shadows(PYTHON_FACTS, {"PYTHONPATH": str(tmp_path / "there")})
    assert [(s.name, s.kind, s.where) for s in found] == [
        ("numpy", "package", "PYTHONPATH"),
        ("onnx", "folder", "current folder"),
        ("random", "file", "PYTHONPATH"),
        ("torch", "file", "current folder"),
    ]


def test_what_pip_installed_into_a_folder_of_pythonpath_is_no_shadow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("netron", "PIL", "onnx"):
        (tmp_path / "there" / name).mkdir(parents=True)
        (tmp_path / "there" / name / "__init__.py").touch()
    for name in ("netron-9.0", "pillow-12.0"):
        (tmp_path / "there" / f"{name}.dist-info").mkdir()
    found = shadows.shadows(PYTHON_FACTS, {"PYTHONPATH": str(tmp_path / "there")})
    assert [shadow.name for shadow in found] == ["onnx"]


def test_a_cache_below_a_file_names_that_file(tmp_path: Path) -> None:
    write(tmp_path / "file")
    chosen = {"HF_HOME": str(tmp_path / "file" / "hf")}
    (row,) = [d for d in storage.disks(PYTHON_FACTS, chosen) if d.purpose == "hub cache"]
    assert not row.is_directory
    assert row.blocker == str(tmp_path / "file")


def test_damaged_cached_weights_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "hub/models--a--b/snapshots/1"
    header = b'{"__metadata__":{}}'
    write(folder / "good.safetensors", struct.pack("<Q", len(header)) + header)
    write(folder / "lfs.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:1")
    write(folder / "long.safetensors", struct.pack("<Q", 1 << 40) + b"{}")
    write(folder / "short.safetensors", "abc")
    found = hub.describe({"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"})
    assert (found.offline, found.num_cached) == (True, 1)
    names = [row.partition(": ")[0].rpartition("/")[2] for row in found.broken]
    assert names == ["lfs.safetensors", "long.safetensors", "short.safetensors"]


def test_a_taken_port_is_seen() -> None:
    import socket

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        found = ports.describe({"MASTER_PORT": str(taken)}, netron=False)
        assert found.taken == {"MASTER_PORT": taken}
        rank_1 = ports.describe({"MASTER_PORT": str(taken), "RANK": "1"}, netron=False)
        assert rank_1.taken == {}
    assert ports.describe({"MASTER_PORT": "nonsense"}, netron=False).taken == {}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024",
            "550.54.15",
        ),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build",
            "580.65.06",
        ),
    ],
)
def test_the_kernel_modules_version_is_read_in_both_spellings(text: str, version: str) -> None:
    found = gpu.kernel_version(text)
    assert found == version
    assert gpu.kernel_version("nothing of the kind") == ""


# other interpreters


def test_a_path_that_is_no_interpreter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(interpreter.NotAPython, match="expected an executable"):
        interpreter.locate(str(tmp_path))


def fake_venv(folder: Path, script: str) -> Path:
    python = write(folder / "bin/python", "#!/bin/sh\n" + script)
    python.chmod(0o755)
    write(folder / "pyvenv.cfg", "home = /usr/bin\nversion = 3.10.4\n")
    (folder / "lib/python3.10/site-packages").mkdir(parents=True)
    return python


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exec sleep 60", "timeout"),
        ("echo broken >&2; exit 3", "exit status 3: broken"),
        ("echo '[]'", "something else"),
        ("kill -SEGV $$", "exit status -11"),
    ],
)
def test_an_interpreter_that_does_not_answer_is_read_from_the_disk(
    tmp_path: Path, script: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreter, "ANSWER_SECONDS", 0.5)
    python = fake_venv(tmp_path, script)
    found = gather(str(python))
    assert reason in found.errors["python"]
    assert found.python.version == "3.10.4"
    assert found.python.site_packages == (str(tmp_path / "lib/python3.10/site-packages"),)


def test_a_virtual_environment_can_be_named_by_its_folder(tmp_path: Path) -> None:
    python = fake_venv(tmp_path, "exit 1")
    assert interpreter.locate(str(tmp_path)) == str(python)


def test_the_probe_in_the_patient_is_valid_for_python_3_9() -> None:
    import ast

    from diagnostics.deep import scripts
    from diagnostics.facts import gpu_probe, interpreter_probe

    for module in (interpreter_probe, gpu_probe):
        ast.parse(Path(str(module.__file__)).read_text(), feature_version=(3, 9))
    for name in dir(scripts):
        if name.isupper():
            script = getattr(scripts, name).replace("{name!r}", "'torch'")
            ast.parse(script, feature_version=(3, 9))


def test_a_quick_look_leaves_the_walks_out_and_keeps_the_fingerprint() -> None:
    quick = gather(quick=True)
    assert quick.files is None
    assert quick.linkage is None
    assert quick.packages["pytest"]
    assert quick.system.num_cores >= 1
    assert quick.errors == {}


def test_a_file_that_holds_the_other_owners_content_is_not_cut_short(tmp_path: Path) -> None:
    import base64
    import hashlib

    def row(path: str, content: bytes) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        return f"{path},sha256={digest},{len(content)}\n"

    path = "nvidia/cudnn/lib/libcudnn.so.9"
    old = package(tmp_path, "nvidia-cudnn-cu12", {}, record=row(path, b"twelve"))
    new = package(tmp_path, "nvidia-cudnn-cu13", {}, record=row(path, b"thirteen"))
    write(tmp_path / path, b"thirteen")
    files, _ = record.survey((old, new))
    (overlap,) = files.overlaps
    assert (overlap.on_disk, overlap.num_libraries) == ("nvidia-cudnn-cu13", 1)
    assert (files.losses, files.damages) == ((), ())
    # Of one size, only the content tells.
    other = package(tmp_path, "other", {}, record=row(path, b"THIRTEEN"))
    assert record.survey((other, new))[0].overlaps[0].on_disk == "nvidia-cudnn-cu13"
    # What is nobody's is damaged.
    write(tmp_path / path, b"")
    files, _ = record.survey((old, new))
    assert files.overlaps[0].on_disk == ""
    assert {loss.num_changed for loss in files.losses} == {1}


def test_what_conda_moved_or_patched_after_the_record_is_no_damage(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    package(site, "torch", {"torch/a.so": "xx", "torch/b.so": "xx", "torch/c.so": "xx"})
    write(site / "torch-1.0.dist-info/INSTALLER", "conda\n")
    (owner,) = distributions.installed((str(site),))
    write(site / "torch/a.so", "patched")
    (site / "torch/b.so").unlink()
    (site / "torch/c.so").unlink()
    listed = ["lib/python3.11/site-packages/torch/a.so", "lib/python3.11/site-packages/torch/c.so"]
    write(
        tmp_path / "conda-meta/pytorch-1.0-0.json",
        f'{{"name": "pytorch", "version": "1.0", "files": {str(listed).replace(chr(39), chr(34))},'
        ' "channel": "https://example.org/conda-forge/linux-64"}',
    )
    packages, paths = distributions.conda_packages(str(tmp_path))
    assert packages[0].channel == "conda-forge"
    files, _ = record.survey((owner,), paths)
    assert [(d.path.rpartition("/")[2], d.kind) for d in files.damages] == [("c.so", "missing")]


@pytest.mark.skipif(sys.platform != "linux", reason="ELF is Linux's format")
def test_what_a_module_is_linked_with_is_read_from_its_header(tmp_path: Path) -> None:
    import shutil
    import subprocess

    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    hip = tmp_path / "libamdhip64.so.6"
    for target, arguments in (
        (hip, ["-Wl,-soname,libamdhip64.so.6"]),
        (tmp_path / "torchvision/_C.so", [str(hip), "-Wl,--no-as-needed"]),
    ):
        source = write(tmp_path / "x.c", "int x;" if target == hip else "extern int x; int *y=&x;")
        target.parent.mkdir(exist_ok=True)
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-o", str(target), str(source), *arguments], check=True
        )
    write(tmp_path / "torchvision/version.py", "__version__ = '0.24.1'\n")
    found = builds.describe((str(tmp_path),), Loader())
    assert found["torchvision"].linked == ("libamdhip64.so.6",)
    assert not found["torchvision"].links_cuda


@pytest.mark.parametrize(("text", "name"), [("Poetry 1.8.3\n", "poetry"), ("uv", "uv"), ("", "")])
def test_the_installer_is_named_without_its_version(tmp_path: Path, text: str, name: str) -> None:
    write(tmp_path / "x-1.0.dist-info/METADATA", "Name: x\nVersion: 1.0\n")
    write(tmp_path / "x-1.0.dist-info/INSTALLER", text)
    assert distributions.installed((str(tmp_path),))[0].installer == name
