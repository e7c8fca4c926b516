"""Worker side. Modules that an export imports lazily: the launcher preloads them for all workers.

Importing this module is its purpose: it saves 1.5 to 2 s per export, runs no torch operation and starts no thread.
"""

import onnx.checker
import onnx_ir.passes.common
import onnxscript.optimizer
import onnxscript.version_converter
import torch._dynamo
import torch._export
import torch._functorch.aot_autograd
import torch._inductor.codecache
import torch.export._trace
import torch.export.pt2_archive
import torch.onnx._internal.exporter._core

from suite.stages.export import run
from suite.stages.export.quick_exporter import prepare

__all__ = ["onnx", "onnx_ir", "onnxscript", "run", "torch"]

prepare()
