"""Case: the one record that a known-answer test is. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from suite.axes import DTYPES, EAGER, FOUNDATIONS
from suite.spec import Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that models rest on, whose answer is known beforehand."""

    name: str
    """Unique; becomes part of the test's id."""
    runner: str
    """Worker side: `package.module:function`, called as `function(device, dtype) -> evidence`."""
    meaning: str
    """One sentence: what holds when it passes."""
    dtypes: tuple[str, ...] = DTYPES
    """Where the question differs; one that has nothing to do with the dtype is asked once, in float32."""
    gaps: tuple[Gap, ...] = ()
    """Devices and dtypes in which it cannot hold, with the reason: skipped and shown."""

    def is_asked(self, *, dtype: str) -> bool:
        """True when the case is a test of its own in that dtype."""
        return dtype in self.dtypes

    def gap_for(self, *, device: str, dtype: str) -> Gap | None:
        """The first declared gap that covers the device and dtype, or None."""
        for gap in self.gaps:
            if gap.covers(
                stage=FOUNDATIONS, backend=EAGER, device=device, dtype=dtype, size="tiny"
            ):
                return gap
        return None
