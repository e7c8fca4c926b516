"""Checks environment variables that change PyTorch's behaviour unintentionally."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.finding_builders import export, finding
from diagnostics.registry import Skipped, check
from diagnostics.torch_build_choice import has_gpu

HIDDEN_DEVICES = ("deep-cuda*", "deep-matmul:cuda*", "deep-nccl")
SLOW = {
    "CUDA_LAUNCH_BLOCKING": "every kernel is waited for",
    "TORCH_LOGS": "log lines are written while it runs",
    "TORCH_SHOW_CPP_STACKTRACES": "stacks are collected",
    "TORCH_DISTRIBUTED_DEBUG": "collectives are checked",
    "PYTHONMALLOC": "a debugging allocator",
    "PYTHONASYNCIODEBUG": "debug mode",
    "PYTHONDEVMODE": "development mode",
    "TORCH_USE_CUDA_DSA": "device assertions",
    "CUDA_DEVICE_MAX_CONNECTIONS": "kernels are serialised at 1",
}
_OFF = ("", "0", "false", "off", "no")


@check("cvd-empty", "CUDA_VISIBLE_DEVICES shows devices", "variables")
def no_visible_devices(environment: Environment) -> Iterator[Finding]:
    """CUDA_VISIBLE_DEVICES is set to an empty value or to no device.

    Why: it hides every GPU: `No CUDA GPUs are available`. Cure: unset it.
    """
    value = environment.variables.get("CUDA_VISIBLE_DEVICES")
    if value is None or (value.strip() and value.strip() not in ("-1", "NoDevFiles")):
        return
    yield finding(
        Level.WARN if has_gpu(environment) else Level.INFO,
        f"CUDA_VISIBLE_DEVICES={value!r} hides every GPU",
        cause="an empty list, -1 and NoDevFiles all mean none",
        evidence={"CUDA_VISIBLE_DEVICES": value or "(empty)"},
        fixes=(export("unset CUDA_VISIBLE_DEVICES", "shows all of them"),),
        explains=HIDDEN_DEVICES,
    )


@check("cvd-bad-index", "CUDA_VISIBLE_DEVICES names devices that are here", "variables")
def bad_index(environment: Environment) -> Iterator[Finding]:
    """CUDA_VISIBLE_DEVICES names a device that does not exist, or one twice.

    Why: the driver silently ignores the first invalid entry and all after it. Cure: use each index
    below the number of devices at most once.
    """
    value = environment.variables.get("CUDA_VISIBLE_DEVICES", "").strip()
    if not value or value in ("-1", "NoDevFiles"):
        raise Skipped("not set")
    count = len(environment.gpus)
    driver = environment.driver
    if not count and driver and driver.num_cuda_devices > 0:
        count = driver.num_cuda_devices
    if not count:
        raise Skipped("no GPU to compare with")
    entries = [entry.strip() for entry in value.split(",")]
    known = {gpu.uuid for gpu in environment.gpus}
    for position, entry in enumerate(entries):
        reason = _flaw(entry, entries[:position], count, known)
        if not reason:
            continue
        kept = ",".join(entries[:position]) or "none"
        yield finding(
            Level.ERROR if position == 0 else Level.WARN,
            f"CUDA_VISIBLE_DEVICES={value}: {reason}; what is left: {kept}",
            cause="everything from the first bad entry on is dropped",
            evidence={"CUDA_VISIBLE_DEVICES": value, "devices": count},
            fixes=(
                export(
                    "export CUDA_VISIBLE_DEVICES=" + ",".join(str(i) for i in range(count)),
                    "names the devices that are here",
                ),
            ),
            explains=HIDDEN_DEVICES,
        )
        return


def _flaw(entry: str, before: list[str], count: int, known: set[str]) -> str:
    if entry in before:
        return f"{entry} stands there twice"
    if entry.startswith("MIG-"):
        return ""  # instances are not in NVML's list of devices
    if entry.startswith("GPU-"):
        whole = any(uuid.startswith(entry) for uuid in known if uuid)
        return "" if whole or not any(known) else f"{entry} is no device of this machine"
    if not entry.isdigit():
        return f"{entry!r} is no index"
    return "" if int(entry) < count else f"there is no device {entry} (0 to {count - 1})"


@check("nvml-check-lies", "is_available() asks the CUDA runtime", "variables")
def nvml_check(environment: Environment) -> Iterator[Finding]:
    """PYTORCH_NVML_BASED_CUDA_CHECK makes is_available() ask NVML alone.

    Why: it then returns True although CUDA cannot start. Cure: unset it.
    """
    if environment.variables.get("PYTORCH_NVML_BASED_CUDA_CHECK", "0") == "1":
        yield finding(
            Level.WARN if has_gpu(environment) else Level.INFO,
            "torch.cuda.is_available() only asks NVML and can be wrong",
            cause="PYTORCH_NVML_BASED_CUDA_CHECK=1",
            evidence={"PYTORCH_NVML_BASED_CUDA_CHECK": "1"},
            fixes=(export("unset PYTORCH_NVML_BASED_CUDA_CHECK", "asks the CUDA runtime again"),),
        )


@check("omp-env-invalid", "Thread variables hold numbers", "variables")
def thread_numbers(environment: Environment) -> Iterator[Finding]:
    """OMP_NUM_THREADS or MKL_NUM_THREADS is not a positive integer.

    Why: `libgomp: Invalid value for environment variable OMP_NUM_THREADS`; the value is ignored.
    Cure: set a positive integer.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        value = environment.variables.get(name)
        parts = value.split(",") if value is not None and name.startswith("OMP") else [value or ""]
        if value is None or all(p.strip().isdigit() and int(p) > 0 for p in parts):
            continue
        yield finding(
            Level.ERROR,
            f"{name}={value!r} is not a positive number",
            subject=name,
            cause="a typing mistake, or a variable of a job script that was empty",
            evidence={name: value or "(empty)"},
            fixes=(
                export(f"export {name}={environment.system.num_cores}", "the cores that are here"),
            ),
        )


@check("alloc-conf-bad", "The allocator's settings agree", "variables")
def allocator(environment: Environment) -> Iterator[Finding]:
    """The settings of the CUDA allocator contradict each other or cannot be read.

    Why: the old and the new variable differ, or max_split_size_mb works against
    expandable_segments. Cure: keep one variable and one of the two options.
    """
    old = environment.variables.get("PYTORCH_CUDA_ALLOC_CONF")
    new = environment.variables.get("PYTORCH_ALLOC_CONF")
    value = new if new is not None else old
    if not value:
        return
    if old and new and old != new:
        yield finding(
            Level.WARN,
            "PYTORCH_ALLOC_CONF and PYTORCH_CUDA_ALLOC_CONF differ; the first one counts",
            subject="differ",
            cause="the variable was renamed",
            evidence={"PYTORCH_ALLOC_CONF": new, "PYTORCH_CUDA_ALLOC_CONF": old},
            fixes=(export("unset PYTORCH_CUDA_ALLOC_CONF", "leaves the new name"),),
        )
    pairs = [part.partition(":") for part in value.split(",") if part.strip()]
    options = {key.strip(): setting.strip() for key, _, setting in pairs}
    if "max_split_size_mb" in options and options.get("expandable_segments", "").lower() == "true":
        yield finding(
            Level.WARN,
            "max_split_size_mb together with expandable_segments makes reserved memory grow",
            subject="together",
            cause="two ways against fragmentation that work against each other",
            evidence={"PYTORCH_ALLOC_CONF": value},
            fixes=(export("export PYTORCH_ALLOC_CONF=expandable_segments:True", "one of them"),),
            links=("https://github.com/pytorch/pytorch/issues/123548",),
        )
    if any(not sign for _, sign, _ in pairs):
        yield finding(
            Level.ERROR if has_gpu(environment) else Level.WARN,
            f"the allocator's settings cannot be read: {value!r}",
            subject="unreadable",
            cause="expected option:value, joined by commas",
            evidence={"PYTORCH_ALLOC_CONF": value},
            fixes=(export("unset PYTORCH_ALLOC_CONF PYTORCH_CUDA_ALLOC_CONF", "the defaults"),),
        )


@check("debug-env-left-on", "No debugging variable is left on", "variables")
def debugging(environment: Environment) -> Iterator[Finding]:
    """A variable for debugging is set.

    Why: it slows every run, by 43 % in one report. Cure: unset it.
    """
    found = {
        name: environment.variables[name]
        for name in SLOW
        if environment.variables.get(name, "").lower() not in _OFF
    }
    if found.get("CUDA_DEVICE_MAX_CONNECTIONS", "1") != "1":
        found.pop("CUDA_DEVICE_MAX_CONNECTIONS")
    if environment.variables.get("NCCL_DEBUG", "").upper() in ("INFO", "TRACE"):
        found["NCCL_DEBUG"] = environment.variables["NCCL_DEBUG"]
    if found:
        reasons = "; ".join(f"{name}: {SLOW.get(name, 'much is logged')}" for name in found)
        yield finding(
            Level.WARN,
            f"left on: {', '.join(f'{name}={value}' for name, value in found.items())}",
            cause=reasons,
            evidence=dict(found),
            fixes=(export("unset " + " ".join(found), "back to full speed"),),
        )
    if environment.variables.get("OMP_NUM_THREADS") == "1" and environment.system.num_cores > 1:
        yield finding(
            Level.INFO,
            f"OMP_NUM_THREADS=1 leaves {environment.system.num_cores - 1} core(s) idle",
            subject="OMP_NUM_THREADS",
            evidence={"OMP_NUM_THREADS": "1"},
            fixes=(export("unset OMP_NUM_THREADS", "one thread per core again"),),
        )


@check("ld-preload", "No library is preloaded", "variables")
def preload(environment: Environment) -> Iterator[Finding]:
    """LD_PRELOAD loads libraries before all others.

    Why: this is intended for allocators and profilers, but CUDA or C++ libraries loaded this way
    cause failures. Cure: unset it when something fails.
    """
    value = environment.variables.get("LD_PRELOAD", "")
    risky = any(mark in value for mark in ("libcuda", "libcud", "libstdc++", "libtorch", "libnv"))
    if value:
        yield finding(
            Level.WARN if risky else Level.INFO,
            f"LD_PRELOAD={value}",
            cause="it goes before every other library",
            evidence={"LD_PRELOAD": value},
            fixes=(export("unset LD_PRELOAD", "takes it out"),) if risky else (),
        )
