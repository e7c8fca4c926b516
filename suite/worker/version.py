"""Version of the protocol between the parent and its workers, and of the API that instruments import from `suite`.

Versions
  1  options and results of runners are plain mappings.
  2  several modules of `suite` have other names.
  3  options and results of runners are dataclasses.
"""

from __future__ import annotations

from typing import Final

PROTOCOL: Final = 3
"""Incremented by a change after which the instruments of another source tree do not work with this `suite`."""
