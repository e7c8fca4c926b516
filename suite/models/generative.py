"""Generative models: DCGAN."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from suite import presets
from suite.lifecycle import Finetuning, Pruning, Training
from suite.spec import Export, ModelSpec, Size


def build_dcgan(*, latent: int, width: int, channels: int) -> Any:
    """Return generator and discriminator in one module, as `.generator` and `.discriminator`."""
    from suite.nets.dcgan import Dcgan

    return Dcgan(latent=latent, width=width, channels=channels)


MODELS: Final = (
    ModelSpec(
        name="dcgan",
        family="generative",
        task="image_generation",
        build=build_dcgan,
        sizes={
            "tiny": Size(
                training=Training(
                    optimizer="adam_gan",
                    learning_rate=0.003,
                    steps=150,
                    weight_decay=0.0,
                    evaluations=1,
                    overfit_steps=80,
                    margin=20.0,
                    batch=16,
                ),
                finetuning=Finetuning(
                    steps=30,
                    learning_rate=0.001,
                    rates={"partial": 0.004, "layerwise": 0.003},
                    batch=32,
                ),
                pruning=Pruning(
                    parameters_left=0.4,
                    macs_left=0.4,
                    ignored=("generator.12",),
                    recovery_steps=160,
                    learning_rate=0.004,
                    max_drop=20.0,
                ),
                quantization=replace(presets.TINY_STATIC, bytes_left=0.7),
                build={"latent": 16, "width": 16, "channels": 3},
                inputs={"latent": 16, "channels": 3, "side": 64},
            ),
            "base": Size(
                training=Training(
                    optimizer="adam_gan",
                    learning_rate=0.0005,
                    steps=250,
                    weight_decay=0.0,
                    evaluations=1,
                    overfit_steps=60,
                    batch=16,
                ),
                finetuning=Finetuning(
                    steps=20, learning_rate=0.0001, rates={"partial": 0.001}, batch=16
                ),
                pruning=replace(
                    presets.CHANNELS,
                    ignored=("generator.12",),
                    recovery_steps=200,
                    learning_rate=0.0005,
                    max_drop=20.0,
                ),
                quantization=replace(presets.STATIC, max_drop=3.0),
                build={"latent": 100, "width": 64, "channels": 3},
                inputs={"latent": 100, "channels": 3, "side": 64},
            ),
        },
        outputs=("image", "score"),
        # generator and discriminator of PyTorch's example with ngf = ndf = 64
        parameters=3_576_704 + 2_765_568,
        source="https://github.com/pytorch/examples/blob/main/dcgan/main.py",
        requires=("suite.nets.dcgan",),
        head=("generator.12", "discriminator.11"),
        export=Export(dynamic={"z": {0: "batch"}}),
    ),
)
