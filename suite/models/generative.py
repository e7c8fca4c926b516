"""Models that paint: DCGAN."""

from __future__ import annotations

from typing import Any, Final

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
                build={"latent": 16, "width": 8, "channels": 3},
                inputs={"latent": 16, "channels": 3, "side": 64},
            ),
            "base": Size(
                build={"latent": 100, "width": 64, "channels": 3},
                inputs={"latent": 100, "channels": 3, "side": 64},
            ),
        },
        outputs=("image", "score"),
        # generator and discriminator of PyTorch's example with ngf = ndf = 64
        parameters=3_576_704 + 2_765_568,
        source="https://github.com/pytorch/examples/blob/main/dcgan/main.py",
        requires=("suite.nets.dcgan",),
        export=Export(dynamic={"z": {0: "batch"}}),
    ),
)
