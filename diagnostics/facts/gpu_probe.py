"""Asks NVML and libcuda about the GPUs; runs in a child process, for a driver can hang or abort."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH123

from __future__ import annotations

import ctypes
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NVML, CUDA = "libnvidia-ml.so.1", "libcuda.so.1"
THROTTLE = {
    4: "power cap",
    8: "hardware slowdown",
    32: "thermal",
    64: "thermal (hardware)",
    128: "power brake",
}


def say(**facts: object) -> None:
    """Write one line, a Python literal, at once: what is known survives a later crash.

    Importing json or typing here would take longer than all else that the probe does.
    """
    sys.stdout.write(repr(facts) + "\n")
    sys.stdout.flush()


def where(name: str) -> str:
    """Return the path under which the loader mapped the library."""
    stem = name.split(".so")[0] + ".so"
    try:
        with open("/proc/self/maps") as maps:
            for line in maps:
                path = line.rstrip("\n").partition("/")
                if path[1] and stem in path[2].rsplit("/", 1)[-1]:
                    return "/" + path[2]
    except OSError:
        pass
    return name


class Memory(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


class Process(ctypes.Structure):
    """nvmlProcessInfo_t."""

    _fields_ = [
        ("pid", ctypes.c_uint),
        ("used", ctypes.c_ulonglong),
        ("instance", ctypes.c_uint),
        ("compute", ctypes.c_uint),
    ]


def text_of(call: Any, *arguments: object) -> str:
    """Return the string that an NVML call writes, "" when it fails or is missing."""
    buffer = ctypes.create_string_buffer(96)
    try:
        code = call(*arguments, buffer, 96)
    except AttributeError:
        return ""
    return buffer.value.decode("utf-8", "replace") if code == 0 else ""


def number_of(nvml: Any, name: str, *arguments: object, kind: Any = ctypes.c_uint) -> int | None:
    """Return the number that an NVML call writes, None when it fails or is missing."""
    value = kind()
    call = getattr(nvml, name, None)
    return value.value if call and call(*arguments, ctypes.byref(value)) == 0 else None


def device(nvml: Any, index: int) -> None:
    """Write what NVML reports about one device."""
    handle = ctypes.c_void_p()
    if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)) != 0:
        return
    facts: dict[str, object] = {"gpu": index, "name": text_of(nvml.nvmlDeviceGetName, handle)}
    if hasattr(nvml, "nvmlDeviceGetUUID"):
        facts["uuid"] = text_of(nvml.nvmlDeviceGetUUID, handle)
    memory = Memory()
    if nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) == 0:
        facts["memory_total"], facts["memory_free"] = memory.total, memory.free
    major, minor = ctypes.c_int(), ctypes.c_int()
    capability = getattr(nvml, "nvmlDeviceGetCudaComputeCapability", None)
    if capability and capability(handle, ctypes.byref(major), ctypes.byref(minor)) == 0:
        facts["capability"] = f"{major.value}.{minor.value}"
    reasons = number_of(
        nvml, "nvmlDeviceGetCurrentClocksThrottleReasons", handle, kind=ctypes.c_ulonglong
    )
    facts["throttle"] = [word for bit, word in THROTTLE.items() if (reasons or 0) & bit]
    mode = number_of(nvml, "nvmlDeviceGetPersistenceMode", handle)
    facts["persistence"] = None if mode is None else bool(mode)
    temperature = ctypes.c_uint()
    heat = getattr(nvml, "nvmlDeviceGetTemperature", None)
    if heat and heat(handle, 0, ctypes.byref(temperature)) == 0:
        facts["temperature"] = temperature.value
    rates = (ctypes.c_uint * 2)()
    use = getattr(nvml, "nvmlDeviceGetUtilizationRates", None)
    if use and use(handle, rates) == 0:
        facts["utilization"] = rates[0]
    running = getattr(nvml, "nvmlDeviceGetComputeRunningProcesses_v3", None)
    if running:
        count, found = ctypes.c_uint(64), (Process * 64)()
        if running(handle, ctypes.byref(count), found) == 0:
            facts["processes"] = [
                [found[i].pid, found[i].used if found[i].used < 1 << 62 else 0]
                for i in range(min(count.value, 64))
            ]
    say(**facts)


def ask_nvml() -> bool:
    """NVML: driver version and devices. True when it answered."""
    try:
        nvml = ctypes.CDLL(NVML)
    except OSError as error:
        say(nvml_missing=str(error))
        return False
    say(nvml_library=where(NVML))
    code = nvml.nvmlInit_v2()
    say(nvml_code=code)
    if code != 0:
        return False
    say(nvml_driver=text_of(nvml.nvmlSystemGetDriverVersion))
    version = number_of(nvml, "nvmlSystemGetCudaDriverVersion_v2", kind=ctypes.c_int)
    if version:
        say(cuda_version=f"{version // 1000}.{version % 1000 // 10}")
    count = number_of(nvml, "nvmlDeviceGetCount_v2") or 0
    say(num_nvml_devices=count)
    for index in range(count):
        device(nvml, index)
    return True


def ask_cuda() -> None:
    """libcuda: what torch will be told."""
    try:
        cuda = ctypes.CDLL(CUDA)
    except OSError as error:
        say(cuda_missing=str(error))
        return
    say(cuda_library=where(CUDA))
    version = ctypes.c_int()
    if cuda.cuDriverGetVersion(ctypes.byref(version)) == 0 and version.value:
        say(cuda_version=f"{version.value // 1000}.{version.value % 1000 // 10}")
    code = cuda.cuInit(0)
    say(cuda_code=code)
    count = ctypes.c_int()
    if code == 0 and cuda.cuDeviceGetCount(ctypes.byref(count)) == 0:
        say(num_cuda_devices=count.value)


if __name__ == "__main__":
    known = ask_nvml()
    if not (known and "quick" in sys.argv):
        ask_cuda()
    say(done=True)
