"""How long the data loader is measured."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from types import SimpleNamespace

from scripted import forever

from bench.instruments.dataloader import ENOUGH, WARM, rates_of


def rates(durations, seconds):
    now = [0.0]
    rest = forever(durations)

    def batches():
        while True:
            now[0] += next(rest)
            yield SimpleNamespace(num_samples=4)

    return rates_of(batches(), seconds, lambda: now[0])


def test_a_steady_loader_is_known_after_a_few_batches():
    found = rates([0.01], seconds=100.0)
    assert len(found) == ENOUGH
    assert found == pytest.approx([400.0] * ENOUGH)


def test_an_unsteady_one_is_measured_to_the_cap():
    found = rates([0.01, 0.04] * 200 + [0.01], seconds=1.0)
    assert sum(4 / rate for rate in found) == pytest.approx(1.0, abs=0.05)


def test_a_slow_one_gives_three_batches_beside_the_warm_ones():
    assert len(rates([5.0], seconds=1.0)) == 3
    assert WARM == 2
