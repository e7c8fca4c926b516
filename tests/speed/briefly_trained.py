"""Records of base models whose life on a CPU takes minutes in place of hours, for `tests/speed/best_lane.py`.

They are the catalogue's, trained for a few steps on a few samples: enough that the loss falls and that weights are no
longer those of the start. Nothing else is asked of that training. Their metric (perplexity, mIoU) is poor, but what
8 bits or bfloat16 change in it is measured as in any life.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from suite.catalog import spec_for
from suite.spec import ModelSpec

STEPS: Final = {"bert": 12, "gpt2": 12, "llama": 12, "t5": 16, "transformer": 16, "unet": 24}
"""Optimizer steps of each."""
BATCH: Final = 4
TEST_SAMPLES: Final = 48
ANY_GAIN: Final = -1e9
"""Margin of a training that has nothing to beat."""
ANY_LOSS: Final = 1e9


def briefly(spec: ModelSpec, steps: int) -> ModelSpec:
    """Return the record at base alone, named NAME_brief."""
    base = spec.sizes["base"]
    training = replace(
        base.training,
        steps=steps,
        batch=BATCH,
        test_samples=TEST_SAMPLES,
        margin=ANY_GAIN,
        evaluations=1,
        overfit_steps=1,
        overfit_samples=2,
        overfit_to=ANY_LOSS,
    )
    pruning = replace(base.pruning, recovery_steps=steps)
    size = replace(base, training=training, pruning=pruning)
    return replace(spec, name=f"{spec.name}_brief", sizes={"base": size})


MODELS: Final = tuple(briefly(spec_for(name), steps) for name, steps in STEPS.items())
