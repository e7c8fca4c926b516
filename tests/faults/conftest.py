"""Made-up runs, histories and pages of tests/bench are used here too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "bench"))
