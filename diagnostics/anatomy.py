"""The facts about one machine as data: what collectors fill in and checks read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The examined Python, which need not be the one that runs the doctor."""

    executable: str
    version: str
    """Such as `3.11.7`."""
    implementation: str = "cpython"
    soabi: str = ""
    """Such as `cpython-311-x86_64-linux-gnu`; extension modules carry it in their name."""
    machine: str = ""
    prefix: str = ""
    base_prefix: str = ""
    paths: tuple[str, ...] = ()
    """`sys.path` without the script's folder."""
    site_packages: tuple[str, ...] = ()
    user_site: str = ""
    user_site_enabled: bool = False
    externally_managed: str = ""
    """Path of the EXTERNALLY-MANAGED marker, empty inside a virtual environment."""
    has_pip: bool = True
    has_headers: bool = True
    headers: str = ""
    free_threaded: bool = False
    libc: str = ""
    """Such as `glibc 2.39` or `musl 1.2`."""
    manylinux_veto: str = ""
    """Path of a `_manylinux.py` that tells installers which wheels to refuse."""
    is_self: bool = True
    """True when the doctor runs in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One installed distribution, read from its metadata folder."""

    name: str
    version: str
    directory: str
    """The metadata folder."""
    installer: str = ""
    requires: tuple[str, ...] = ()
    requires_python: str = ""
    tags: tuple[str, ...] = ()
    editable: bool = False
    flaw: str = ""
    """What is wrong with the metadata itself, empty when it can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaPackage:
    """One record of conda-meta."""

    name: str
    version: str
    build: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One file that RECORD promises and the disk does not hold."""

    distribution: str
    path: str
    kind: str
    """`missing`, `dangling`, `size` or `unreadable`."""
    expected: int = -1
    found: int = -1
    """Sizes in bytes, -1 when unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """How much of one distribution is damaged."""

    distribution: str
    num_files: int
    num_missing: int
    num_changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Files that two distributions both claim with different contents."""

    first: str
    second: str
    num_files: int
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """RECORD of every distribution against the disk."""

    num_files: int = 0
    losses: tuple[Loss, ...] = ()
    damages: tuple[Damage, ...] = ()
    """At most a few per distribution."""
    overlaps: tuple[Overlap, ...] = ()
    owners: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Watched top-level package -> distributions that own files in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What `version.py` of an installed library says about how it was built."""

    package: str
    version: str
    """With its local label, such as `2.15.0+cu132`."""
    cuda: str = ""
    """Such as `13.2`; empty for a build without CUDA."""
    hip: str = ""
    path: str = ""
    links_cuda: bool = False
    """Its extension module needs CUDA libraries."""
    architectures: tuple[str, ...] = ()
    """Such as `sm_90`, `compute_120`; empty when not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """A shared library that the loader will not find."""

    library: str
    distribution: str
    needs: str
    supplier: str = ""
    """The distribution whose RECORD lists a file of that name."""
    dangling: str = ""
    """A link of that name which points nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionMiss:
    """A symbol version that the library which the loader finds does not define."""

    library: str
    distribution: str
    provider: str
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detour:
    """A library that a variable makes the loader find elsewhere than in the wheels."""

    soname: str
    library: str
    """Who asks for it."""
    distribution: str
    found: str
    shipped: str
    harmless: bool
    """The asking library has DT_RPATH, which goes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misbuilt:
    """An extension module that this interpreter or its NumPy cannot load."""

    path: str
    distribution: str
    kind: str
    """`tag`, `machine`, `numpy` or `not-elf`."""
    detail: str
    built_for: str = ""
    """The Python in the file's name as a wheel's tag says it (`cp310`), for kind `tag`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linkage:
    """What a walk over the ELF headers of the installed libraries found."""

    num_libraries: int = 0
    unresolved: tuple[Unresolved, ...] = ()
    version_misses: tuple[VersionMiss, ...] = ()
    detours: tuple[Detour, ...] = ()
    misbuilt: tuple[Misbuilt, ...] = ()
    openmp: tuple[str, ...] = ()
    """Copies of Intel's and LLVM's OpenMP runtime (libiomp5, libomp)."""
    provider_needs: tuple[str, ...] = ()
    """What the CUDA provider of ONNX Runtime needs and the loader will not find."""
    provider_wants: tuple[str, ...] = ()
    """All that it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """A file or folder that is imported instead of the installed library of that name."""

    name: str
    path: str
    kind: str
    """`file`, `package` or `folder` (no `__init__.py`)."""
    where: str
    """`current folder`, `PYTHONPATH`, `user site` or `earlier site`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One NVIDIA device."""

    index: int
    name: str
    memory_total: int
    """Bytes."""
    memory_free: int = -1
    capability: str = ""
    """Such as `9.0`."""
    uuid: str = ""
    driver: str = ""
    processes: tuple[tuple[int, int], ...] = ()
    """(pid, bytes) of compute processes on it."""
    throttle: tuple[str, ...] = ()
    persistence: bool | None = None
    temperature: int = -1
    """Degrees Celsius."""
    utilization: int = -1
    """Percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The NVIDIA driver as files, kernel and libraries show it."""

    pci_devices: int = 0
    """NVIDIA display controllers on the PCI bus."""
    kernel_version: str = ""
    """From /proc/driver/nvidia/version."""
    kernel_loaded: bool = False
    nouveau_loaded: bool = False
    uvm_loaded: bool = False
    device_files: tuple[str, ...] = ()
    has_smi: bool = False
    fabric_manager: str = ""
    """`running`, `installed` or empty."""
    nvml_library: str = ""
    nvml_code: int = -1
    """Return code of nvmlInit, -1 when it was not called."""
    nvml_driver: str = ""
    cuda_library: str = ""
    """Where the loader found libcuda.so.1."""
    cuda_code: int = -1
    """Return code of cuInit, -1 when it was not called."""
    cuda_version: str = ""
    """Newest CUDA that the driver supports, such as `13.3`."""
    num_cuda_devices: int = -1
    num_nvml_devices: int = -1
    probe_failure: str = ""
    """Why the probe gave nothing: `timeout`, `signal 11`, ..."""
    wsl_libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """One folder that something will be written to."""

    purpose: str
    path: str
    exists: bool = True
    is_directory: bool = True
    writable: bool = True
    noexec: bool = False
    total: int = -1
    free: int = -1
    """Bytes, -1 when unknown."""
    blocker: str = ""
    """The existing parent that is a file or forbids writing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Operating system, processor, memory and limits."""

    system: str = ""
    kernel: str = ""
    distro: str = ""
    distro_family: str = ""
    """`debian`, `fedora`, ... from os-release."""
    machine: str = ""
    cpu_model: str = ""
    num_cpus: int = 0
    """Processors that the kernel shows."""
    num_affinity: int = 0
    """Processors that this process may use."""
    quota: float = 0.0
    """Processors that the control group grants; 0 when unlimited."""
    num_cores: int = 1
    """What can be used: affinity, and the quota rounded up."""
    memory_total: int = 0
    memory_available: int = 0
    memory_limit: int = 0
    """Bytes that the control group grants; 0 when unlimited."""
    memory_used: int = 0
    """Bytes used against that limit."""
    num_oom_kills: int = 0
    overcommit: int = 0
    swap_total: int = 0
    swap_used: int = 0
    load: float = 0.0
    """Mean number of runnable processes over one minute."""
    container: str = ""
    """`docker`, `podman`, `kubernetes`, `lxc` or empty."""
    wsl: bool = False
    shm_total: int = -1
    shm_free: int = -1
    shm_mode: int = 0
    open_files: int = -1
    """Soft limit of file descriptors, -1 when unlimited or unknown."""
    open_files_hard: int = -1
    address_space: int = -1
    """Bytes of RLIMIT_AS, -1 when unlimited."""
    root: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """What disturbs a measurement."""

    governor: str = ""
    turbo: str = ""
    """`on`, `off` or empty."""
    steal: float = -1.0
    """Share of processor time taken by the hypervisor since the last look, -1 unknown."""
    busy: float = -1.0
    """Share of processor time used by all processes over the look, -1 unknown."""
    pressure: float = -1.0
    """Percent of the last 10 s in which a task waited for a processor, -1 unknown."""
    throttled: int = 0
    """Periods in which the control group was throttled."""
    periods: int = 0
    smt: bool = False
    temperature: float = -1.0
    battery: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """Compilers and build tools that torch.compile and extensions use."""

    cxx: str = ""
    cxx_asked: str = ""
    """What the variable CXX says."""
    cc: str = ""
    ninja: str = ""
    nvcc: str = ""
    nvcc_release: str = ""
    cuda_home: str = ""
    cuda_home_source: str = ""
    cuda_home_has_headers: bool = False
    git: str = ""
    uv: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """The model cache of transformers and the variables around it."""

    home: str = ""
    offline: bool = False
    num_cached: int = 0
    broken: tuple[str, ...] = ()
    """Cached weight files whose header is not what their name says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """TCP ports that something here wants, and whether they are free."""

    taken: dict[str, int] = field(default_factory=dict)
    """Purpose -> port that could not be bound."""
    interfaces: tuple[str, ...] = ()
    """Names of the network interfaces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The git checkout of the current folder."""

    commit: str = ""
    dirty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One import or tiny operation, run in a process of its own."""

    name: str
    outcome: str
    """`passed`, `failed`, `crashed`, `timed_out`, `wrong` or `unavailable`."""
    seconds: float = 0.0
    detail: str = ""
    """Last line of the error, or what was measured."""
    log: str = ""
    """Tail of what it wrote to stderr."""
    values: dict[str, str] = field(default_factory=dict)
