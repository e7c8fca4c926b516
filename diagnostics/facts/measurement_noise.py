"""Reads what disturbs a measurement: clock policy, other load, the hypervisor, throttling."""

from __future__ import annotations

import re
import time
from contextlib import suppress

from diagnostics.facts import cgroup
from diagnostics.facts.procfs import names, number, text
from diagnostics.records import Quiet

LOOK_SECONDS = 0.05
_CPU = "/sys/devices/system/cpu"


def describe() -> Quiet:
    """Return the state now; observes the processor counters for 50 ms."""
    before = _counters()
    limits = cgroup.limits()
    turbo = _turbo()
    time.sleep(LOOK_SECONDS)
    after = _counters()
    spent = [new - old for old, new in zip(before, after, strict=False)]
    total = sum(spent[:8])
    pressure = re.search(r"some avg10=([\d.]+)", text("/proc/pressure/cpu"))
    # Boot totals tell more about steal than 50 ms do.
    lifetime = sum(after[:8])
    return Quiet(
        governor=text(f"{_CPU}/cpu0/cpufreq/scaling_governor"),
        turbo=turbo,
        steal=round(after[7] / lifetime, 4) if len(after) > 7 and lifetime else -1.0,
        busy=round(1 - (spent[3] + spent[4]) / total, 3) if total > 0 else -1.0,
        pressure=float(pressure[1]) if pressure else -1.0,
        throttled=limits.throttled,
        periods=limits.periods,
        smt=number(f"{_CPU}/smt/active", 0) == 1,
        temperature=_temperature(),
        battery=_on_battery(),
    )


def _counters() -> list[int]:
    """user, nice, system, idle, iowait, irq, softirq, steal in clock ticks (proc(5))."""
    first = text("/proc/stat", 4096).splitlines()[:1]
    words = first[0].split()[1:] if first else []
    return [int(word) for word in words if word.isdigit()] or [0] * 8


def _turbo() -> str:
    blocked = number(f"{_CPU}/intel_pstate/no_turbo")
    if blocked >= 0:
        return "off" if blocked else "on"
    boost = number(f"{_CPU}/cpufreq/boost")
    return {0: "off", 1: "on"}.get(boost, "")


def _temperature() -> float:
    folder = "/sys/class/thermal"
    found = [number(f"{folder}/{name}/temp") for name in names(folder) if name.startswith("therm")]
    return max(found) / 1000 if found and max(found) > 0 else -1.0


def _on_battery() -> bool:
    folder = "/sys/class/power_supply"
    with suppress(OSError):
        states = [text(f"{folder}/{name}/status") for name in names(folder)]
        return "Discharging" in states
    return False
