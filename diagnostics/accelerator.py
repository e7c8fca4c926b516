"""What a build of torch or of a partner runs on, and where it came from, by labels and linked libraries.

What has no label and links no runtime is unknown, and unknown never counts as different.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnostics.environment import Environment
from diagnostics.records import Build
from diagnostics.version import try_parse

INDEX_LABEL = re.compile(r"(?:cu\d{2,3}|cpu|rocm\d+(?:\.\d+)*|xpu)(?:\.with\.\w+)?$")
"""Labels of the builds that PyTorch's own index serves."""
_CUDA_LABEL = re.compile(r"cu(\d{2,3})(?:\D|$)")
_ROCM_LABEL = re.compile(r"rocm(\d+(?:\.\d+)*)")
_RUNTIMES = (
    ("rocm", re.compile(r"lib(?:amdhip64|torch_hip|c10_hip)\.so(?:\.(\d+))?")),
    ("xpu", re.compile(r"lib(?:sycl|torch_xpu|c10_xpu)\.so(?:\.(\d+))?")),
    ("cuda", re.compile(r"lib(?:cudart|torch_cuda|c10_cuda)\w*\.so(?:\.(\d+))?")),
)
TITLES = {"cuda": "CUDA", "rocm": "ROCm", "xpu": "XPU", "cpu": "CPU"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """What a build runs on."""

    kind: str = ""
    """`cuda`, `rocm`, `xpu`, `cpu`; empty when nothing tells."""
    version: str = ""
    """Of its runtime, such as `13.2`, `6.4` or `12`; empty when nothing tells."""

    @property
    def major(self) -> str:
        """The first number of the version."""
        return self.version.partition(".")[0]

    def __str__(self) -> str:
        return f"{TITLES.get(self.kind, 'unlabelled')} {self.version}".strip()


def accelerator_of(build: Build) -> Accelerator:
    """Return what the build runs on: its version file goes before its label, that before its links."""
    label = build.version.partition("+")[2]
    rocm = _ROCM_LABEL.match(label)
    cuda = _CUDA_LABEL.match(label)
    linked = _linked(build)
    if build.hip or rocm:
        short = ".".join(build.hip.split(".")[:2])
        return Accelerator(kind="rocm", version=rocm[1] if rocm else short)
    if build.xpu or label.startswith("xpu"):
        return Accelerator(kind="xpu", version="")
    if build.cuda or cuda:
        digits = cuda[1] if cuda else ""
        version = build.cuda or f"{digits[:-1]}.{digits[-1]}"
        return Accelerator(kind="cuda", version=version)
    if linked.kind:
        return linked
    if build.links_cuda:
        return Accelerator(kind="cuda")
    # torch's version file names each runtime; a partner's names none.
    return Accelerator(kind="cpu" if label.startswith("cpu") or build.package == "torch" else "")


def _linked(build: Build) -> Accelerator:
    for kind, pattern in _RUNTIMES:
        found = [match for name in build.linked if (match := pattern.match(name))]
        if found:
            majors = [match[1] for match in found if match[1]]
            return Accelerator(kind=kind, version=majors[0] if majors else "")
    return Accelerator()


def differ(one: Accelerator, other: Accelerator) -> bool:
    """True when both are known and cannot work in one process."""
    if not one.kind or not other.kind:
        return False
    if one.kind != other.kind:
        return True
    return bool(one.major and other.major and one.major != other.major)


def index_variant(build: Build) -> str:
    """The folder of PyTorch's index that serves this build, such as `cu132`; "" when unknown."""
    label = build.version.partition("+")[2]
    if INDEX_LABEL.match(label):
        return label.partition(".with.")[0]
    found = accelerator_of(build)
    if label or not found.version or found.kind not in ("cuda", "rocm"):
        return "cpu" if found.kind == "cpu" and not label else ""
    if found.kind == "rocm":
        return f"rocm{found.version}"
    return "cu" + found.version.replace(".", "") if "." in found.version else ""


def origin(environment: Environment, package: str = "torch") -> str:
    """Who built the package: `index` (wheels of PyPI and PyTorch), `conda`, `vendor` or `source`.

    `vendor` is NVIDIA's containers and Jetson; `source` an own build. Commands for PyTorch's index
    are right for the first only.
    """
    installed = next((d for d in environment.distributions if d.name == package), None)
    names = {item.name for item in environment.conda}
    alias = {"torch": "pytorch"}.get(package, package)
    owner = installed.installer if installed else ""
    if owner == "conda" or (owner == "" and alias in names):
        return "conda"
    build = environment.builds.get(package)
    version = build.version if build else environment.packages.get(package, "")
    label = version.partition("+")[2]
    if re.search(r"(?:^|\.)nv\d", label) or "tegra" in environment.system.kernel:
        return "vendor"
    if (installed is not None and installed.editable) or (label and not INDEX_LABEL.match(label)):
        return "source"
    found = try_parse(version)
    # An alpha is never published; nightly wheels are development versions.
    return "source" if found and re.search(r"\d(?:a|b)\d", found.public.text) else "index"


def counted_as(version: str) -> tuple[str, ...]:
    """The versions that ranges may be compared with: an own build `2.8.0a0+x` counts as 2.8.0 too."""
    found = try_parse(version)
    if found is None or not found.local or INDEX_LABEL.match(found.local) or not found.unstable:
        return (version,)
    return (version, ".".join(str(part) for part in found.release))
