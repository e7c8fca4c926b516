"""The version of what crosses between the parent and its workers, and of what instruments import from `suite`.

Versions
  1  options and results of runners are plain mappings.
  2  both are dataclasses; several modules have other names.
"""

from __future__ import annotations

from typing import Final

PROTOCOL: Final = 2
"""Raised by a change after which the instruments of another source tree no longer fit this `suite`."""
