"""Models that paint: DCGAN."""

from __future__ import annotations

from typing import Any, Final

from suite.lifecycle import Finetuning, Pruning, Quantization, Training
from suite.spec import Export, ModelSpec, Size


def build_dcgan(*, latent: int, width: int, channels: int) -> Any:
    """Generator and discriminator in one module, `.generator` and `.discriminator`."""
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
                    overfit_steps=20,
                    margin=20.0,
                    batch=16,
                ),
                finetuning=Finetuning(
                    steps=30, learning_rate=0.001, rates={"partial": 0.004}, batch=32
                ),
                pruning=Pruning(
                    parameters_left=0.4,
                    macs_left=0.4,
                    ignored=("generator.12",),
                    recovery_steps=80,
                    learning_rate=0.001,
                    max_drop=8.0,
                ),
                quantization=Quantization(max_drop=3.0),
                build={"latent": 16, "width": 8, "channels": 3},
                inputs={"latent": 16, "channels": 3, "side": 64},
            ),
            "base": Size(
                training=Training(
                    learning_rate=0.001,
                    steps=60,
                    batch=8,
                    test_samples=128,
                    overfit_steps=20,
                    optimizer="adam_gan",
                ),
                finetuning=Finetuning(steps=20, learning_rate=0.0005, batch=8),
                pruning=Pruning(
                    parameters_left=0.4,
                    macs_left=0.4,
                    ignored=("generator.12",),
                    round_to=8,
                    learning_rate=0.0005,
                ),
                quantization=Quantization(max_drop=1.0),
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
