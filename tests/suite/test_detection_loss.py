"""The loss of detectors: the model's own, in train mode, without a trace of it in a model that is validated."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from suite.tasks import detection
from suite.tasks.batch import Batch

pytestmark = pytest.mark.heavy

BOX = (0.0, 0.0, 10.0, 10.0)


def scene(*pictures: list[tuple[tuple[float, ...], int]]) -> Batch:
    """Pictures with these objects."""
    targets = [
        {
            "boxes": torch.tensor([o[0] for o in objects]).reshape(-1, 4),
            "labels": torch.tensor([o[1] for o in objects], dtype=torch.int64),
        }
        for objects in pictures
    ]
    return Batch(
        inputs={"images": [torch.zeros(3, 64, 64) for _ in targets]},
        targets=targets,
        num_samples=len(targets),
    )


class Detector(nn.Module):
    """Torchvision's manners: losses in train mode, detections in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(1)
        self.drop = nn.Dropout(0.5)
        self.seen: list[dict[str, bool]] = []

    def forward(self, images: list[Tensor], targets: Any = None) -> Any:
        if not self.training:
            return [{} for _ in images]
        x = self.norm(self.drop(torch.ones(4, 1)))
        self.seen.append({name: m.training for name, m in self.named_modules()})
        noise = torch.rand(())
        return {"box": x.mean(), "class": noise, "count": torch.tensor(float(len(targets)))}


def test_the_models_own_losses_are_summed() -> None:
    class Two(nn.Module):
        def forward(self, images: Any, targets: Any) -> dict[str, Tensor]:
            return {"a": torch.tensor(1.5), "b": torch.tensor(2.0)}

    assert float(detection.loss(Two(), scene([(BOX, 1)]))) == 3.5


def test_validating_a_detector_moves_nothing_and_repeats_itself() -> None:
    module, batch = Detector().eval(), scene([(BOX, 1)], [])
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state = torch.random.get_rng_state()
    first = detection.loss(module, batch)
    assert torch.equal(first, detection.loss(module, batch))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(m.training for m in module.modules())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert module.seen[0] == {"": True, "norm": False, "drop": False}


def test_training_a_detector_leaves_its_modes_alone() -> None:
    module = Detector().train()
    module.norm.eval()  # frozen by whoever trains
    detection.loss(module, scene([(BOX, 1)]))
    assert module.seen[0] == {"": True, "norm": False, "drop": True}


def test_modes_are_restored_when_the_model_raises() -> None:
    class Broken(nn.Module):
        def forward(self, images: Any, targets: Any) -> None:
            raise RuntimeError("no")

    module = Broken().eval()
    with pytest.raises(RuntimeError, match="no"):
        detection.loss(module, scene([(BOX, 1)]))
    assert not module.training


def test_a_detector_without_losses_is_told_what_to_name() -> None:
    class Boxes(nn.Module):
        def forward(self, images: Any, targets: Any) -> Tensor:
            return torch.zeros(1)

    with pytest.raises(ValueError, match="expected a dictionary of losses"):
        detection.loss(Boxes(), scene([(BOX, 1)]))


@pytest.mark.parametrize("name", ["faster_rcnn", "ssd300"])
def test_torchvisions_detectors_take_pictures_without_objects(name: str) -> None:
    from suite.models import detection as records

    spec = next(spec for spec in records.MODELS if spec.name == name)
    torch.manual_seed(0)
    module = spec.build(**spec.sizes["tiny"].build).train()
    loss = detection.loss(module, scene([((5.0, 5.0, 40.0, 40.0), 1)], []))
    loss.backward()
    assert loss.isfinite()
    assert sum(p.grad is not None for p in module.parameters()) > 0
