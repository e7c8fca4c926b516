"""The `.pt2` program of a recurrent model: whatever was exported before it, its steps stay an axis."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_recurrent_program_takes_another_number_of_steps(name):
    import torch

    from suite.catalog import spec_for
    from suite.tracing.program import program_of
    from suite.weights import module_for

    spec = spec_for(name, "")
    module = module_for(spec, "tiny", seed=0).eval()
    program = program_of(spec, module, {"x": torch.randn(2, 28, 28)}).module()
    x = torch.randn(3, 14, 28)
    with torch.no_grad():
        (answer,) = program(x)
        torch.testing.assert_close(answer, module(x))
