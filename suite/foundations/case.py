"""Case: the record of one known-answer test. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from suite.axes import DTYPES, EAGER, FOUNDATIONS
from suite.spec import Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A property that models rely on, whose answer is known beforehand."""

    name: str
    """Unique; becomes part of the test's id."""
    runner: str
    """Worker side: `package.module:function`, called as `function(device, dtype) -> evidence`."""
    meaning: str
    """One sentence: what holds when it passes."""
    dtypes: tuple[str, ...] = DTYPES
    """The dtypes to test; a case that does not depend on the dtype runs once, in float32."""
    gaps: tuple[Gap, ...] = ()
    """Devices and dtypes in which it cannot hold, with the reason: skipped and shown."""

    def is_asked(self, *, dtype: str) -> bool:
        """Return True if the case is run in that dtype."""
        return dtype in self.dtypes

    def gap_for(self, *, device: str, dtype: str) -> Gap | None:
        """Return the first declared gap that covers the device and dtype, or None."""
        for gap in self.gaps:
            if gap.covers(
                stage=FOUNDATIONS, backend=EAGER, device=device, dtype=dtype, size="tiny"
            ):
                return gap
        return None
