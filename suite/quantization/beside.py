"""Worker side. ONNX Runtime's dynamic quantizer on a graph with weights beside it: one in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

LOADS: Final = "load_model_with_shape_infer"
RELOADS: Final = "save_and_reload_model_with_shape_infer"
"""Functions of the library that load a whole graph: from a file, and after its Gemms became MatMuls."""


@contextmanager
def weights_beside(folder: Path) -> Iterator[None]:
    """Within the block, the quantizer leaves the weights of a graph in their files in `folder` and reads each when it
    rounds it. Else it loads all of them, copies them and loads them again (onnxruntime 1.32), and so it does where the
    functions behind which this stands are no longer there. The graph that it writes refers to what it has left, so it
    has to be in `folder`, too.
    """
    import onnx
    import onnx.numpy_helper

    try:
        # The package has a function of the first one's name, which hides the module.
        quantize = import_module("onnxruntime.quantization.quantize")
        onnx_quantizer = import_module("onnxruntime.quantization.onnx_quantizer")
        add_metadata = import_module("onnxruntime.quantization.quant_utils").add_infer_metadata
        loads, reloads = getattr(quantize, LOADS), getattr(onnx_quantizer, RELOADS)
    except (ImportError, AttributeError):
        yield
        return
    read = onnx.numpy_helper.to_array

    def load(path: Path) -> Any:
        inferred = folder / "with_shapes.onnx"
        onnx.shape_inference.infer_shapes_path(str(path), str(inferred))
        model = onnx.load(inferred, load_external_data=False)
        add_metadata(model)
        return model

    def reload(model: Any) -> Any:
        path = folder / "again.onnx"
        onnx.save(model, path)
        return load(path)

    def from_folder(tensor: Any, base_dir: str = "") -> Any:
        return read(tensor, base_dir or str(folder))

    setattr(quantize, LOADS, load)
    setattr(onnx_quantizer, RELOADS, reload)
    onnx.numpy_helper.to_array = from_folder
    try:
        yield
    finally:
        setattr(quantize, LOADS, loads)
        setattr(onnx_quantizer, RELOADS, reloads)
        onnx.numpy_helper.to_array = read
