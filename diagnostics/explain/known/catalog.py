"""All explanation tables together."""

from __future__ import annotations

from diagnostics.explain.known import (
    autograd,
    checkpoints,
    compiling,
    cuda,
    data_loading,
    distributed,
    driver,
    dtypes,
    export,
    files,
    fine_tuning,
    install,
    layers,
    memory,
    netron,
    onnxruntime,
    packages,
    shapes,
    toolchain,
    training,
    transformers,
    variables,
)

ROWS = (
    *install.ROWS,
    *packages.ROWS,
    *driver.ROWS,
    *cuda.ROWS,
    *variables.ROWS,
    *memory.ROWS,
    *toolchain.ROWS,
    *shapes.ROWS,
    *dtypes.ROWS,
    *layers.ROWS,
    *autograd.ROWS,
    *training.ROWS,
    *checkpoints.ROWS,
    *fine_tuning.ROWS,
    *compiling.ROWS,
    *export.ROWS,
    *onnxruntime.ROWS,
    *files.ROWS,
    *netron.ROWS,
    *transformers.ROWS,
    *data_loading.ROWS,
    *distributed.ROWS,
)
"""Every row; the order decides nothing but the order of equals."""
