"""Worker side. Makes real errors with the installed libraries and prints their verbatim texts.

`python tests/diagnostics/errors/record.py > tests/diagnostics/errors/recorded.txt` after an
upgrade: a text that the explainer no longer knows then fails its test. That is how drift is found.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

SNIPPET_SECONDS, GROUP_SECONDS = 300, 1800
"""After so long a snippet, or a package's snippets together, are given up: the machine may be busy."""

PRELUDE = """
import copy, io, os, sys, warnings
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F
x = torch.randn(4, 8, requires_grad=True)
"""

TENSORS = {
    "shape-mm": ["nn.Linear(512, 10)(torch.randn(32, 256))", "torch.ones(2, 3) @ torch.ones(4, 5)"],
    "shape-bmm": ["torch.bmm(torch.ones(2, 3, 4), torch.ones(2, 5, 6))"],
    "shape-dot": ["torch.dot(torch.ones(3), torch.ones(4))"],
    "broadcast": ["torch.ones(3) + torch.ones(4)"],
    "dtype-mm": [
        "nn.Conv2d(3, 8, 3, bias=False)(torch.zeros(1, 3, 8, 8).double())",
        "nn.Linear(4, 4)(torch.ones(2, 4).half())",
        "nn.Linear(4, 4)(torch.ones(2, 4, dtype=torch.long))",
        "torch.ones(2, 2) @ torch.ones(2, 2).double()",
        "torch.bmm(torch.ones(1, 2, 2), torch.ones(1, 2, 2).double())",
    ],
    "dtype-conv": [
        "nn.Conv2d(3, 8, 3)(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))",
        "nn.Conv2d(3, 8, 3).half()(torch.zeros(1, 3, 8, 8))",
    ],
    "channels": ["nn.Conv2d(3, 8, 3)(torch.zeros(1, 1, 8, 8))"],
    "conv-dims": ["nn.Conv2d(3, 8, 3)(torch.zeros(8, 8))"],
    "kernel-size": ["nn.Conv2d(3, 8, 5)(torch.zeros(1, 3, 2, 2))"],
    "kernel-size:2": ["nn.MaxPool2d(4)(torch.zeros(1, 3, 2, 2))"],
    "ce-range": ["F.cross_entropy(torch.randn(2, 3), torch.tensor([0, 3]))"],
    "ce-dtype": [
        "F.cross_entropy(torch.randn(2, 3), torch.tensor([0, 1], dtype=torch.int32))",
        "F.cross_entropy(torch.randn(2, 3), torch.tensor([0.0, 1.0]))",
    ],
    "ce-shape": [
        "F.cross_entropy(torch.randn(2, 3), torch.tensor([[0], [1]]))",
        "F.cross_entropy(torch.randn(4, 3), torch.tensor([0, 1, 2]))",
    ],
    "bce-range": ["F.binary_cross_entropy(torch.tensor([2.0]), torch.tensor([1.0]))"],
    "bce-shape": ["F.binary_cross_entropy_with_logits(torch.zeros(4, 1), torch.zeros(4))"],
    "loss-broadcast": [
        "warnings.simplefilter('error'); F.mse_loss(torch.zeros(4, 1), torch.zeros(4))"
    ],
    "emb-range": ["nn.Embedding(10, 4)(torch.tensor([10]))"],
    "emb-dtype": ["nn.Embedding(10, 4)(torch.tensor([1.0]))"],
    "view": ["torch.zeros(2, 3).t().view(-1)"],
    "reshape": ["torch.zeros(10).reshape(3, 4)"],
    "stack": ["torch.stack([torch.zeros(2), torch.zeros(3)])"],
    "cat": ["torch.cat([torch.zeros(2, 2), torch.zeros(3, 2)], dim=1)"],
    "index-range": ["torch.zeros(3)[5]"],
    "emb-range:2": ["torch.zeros(3).index_select(0, torch.tensor([7]))"],
    "dim-range": ["torch.zeros(3).sum(dim=1)"],
    "too-many-indices": ["torch.zeros(3)[0, 0]"],
    "mask-shape": ["torch.zeros(4)[torch.tensor([True, False, True])]"],
    "expand": ["torch.zeros(3).expand(4)"],
    "permute": ["torch.zeros(3, 4).permute(0, 2, 1)"],
    "scalar": ["torch.zeros(2).item()"],
    "bool-ambiguous": ["bool(torch.zeros(2))"],
    "mean-integer": ["torch.tensor([1, 2]).mean()"],
    "cast-result": ["a = torch.tensor([1]); a += 0.5"],
    "one-hot": ["F.one_hot(torch.tensor([3]), num_classes=3)"],
    "ragged": ["torch.tensor([[1, 2], [1, 2, 3]])"],
    "object-array": ["torch.from_numpy(np.array(['a', None], dtype=object))"],
    "negative-stride": ["torch.from_numpy(np.zeros(4)[::-1])"],
    "not-implemented-dtype": [
        "F.log_softmax(torch.tensor([1, 2]), dim=0)",
        "torch.linalg.inv(torch.eye(2).half())",
    ],
    "not-a-tensor": [
        "nn.Linear(2, 2)((torch.zeros(2),))",
        "nn.Conv2d(3, 8, 3)(np.zeros((1, 3, 8, 8)))",
    ],
    "normalized-shape": ["nn.LayerNorm(8)(torch.zeros(2, 4))"],
    "group-norm": ["nn.GroupNorm(3, 8)"],
    "rnn-input-size": ["nn.LSTM(10, 20)(torch.zeros(5, 3, 8))"],
    "rnn-hidden-size": [
        "nn.LSTM(10, 20)(torch.zeros(5, 3, 10), (torch.zeros(1, 2, 20), torch.zeros(1, 2, 20)))"
    ],
    "heads-divide": ["nn.MultiheadAttention(10, 3)"],
    "attention-size": ["a = nn.MultiheadAttention(16, 2); a(*[torch.zeros(5, 1, 8)] * 3)"],
    "bn-1": ["nn.BatchNorm1d(4)(torch.zeros(1, 4))"],
    "missing-forward": ["type('Net', (nn.Module,), {})()(x)"],
    "missing-super-init": [
        "type('Net', (nn.Module,), {'__init__': lambda s: setattr(s, 'a', nn.Linear(1, 1))})()"
    ],
    "missing-forward:2": ["nn.ModuleList([nn.Linear(1, 1)])(x)"],
    "meta": ["nn.Linear(2, 2, device='meta').to('cpu')"],
    "not-one-device": ["torch.ones(2, 2) + torch.ones(2, 2, device='meta')"],
    "no-driver": ["torch.zeros(1).cuda()"],
    "backend-missing-op": ["torch.zeros(2, 2).to_sparse().view(-1)"],
    "singular": ["torch.linalg.inv(torch.zeros(2, 2))", "torch.linalg.cholesky(-torch.eye(2))"],
    "cpu-alloc-fail": ["torch.empty(10**15)"],
    "empty-reduction": ["torch.zeros(0).max()"],
}

AUTOGRAD = {
    "grad": ["torch.zeros(2).sum().backward()"],
    "grad-twice": ["l = (x ** 2).sum(); l.backward(); l.backward()"],
    "grad-leaf-inplace": ["x += 1"],
    "grad-inplace": ["a = x * 2; b = a.exp(); b += 1; b.sum().backward()"],
    "grad-scalar": ["(x * 2).backward()"],
    "grad-unused": ["torch.autograd.grad(x.sum(), torch.zeros(1, requires_grad=True))"],
    "grad-inference": [
        "exec('with torch.inference_mode():\\n y = torch.ones(2)'); (y * x[0, :2]).sum()"
    ],
    "grad-integer": ["torch.tensor([1], requires_grad=True)"],
    "grad-deepcopy": ["copy.deepcopy(x * 2)"],
    "grad-function-count": [
        "C = type('C', (torch.autograd.Function,), {'forward': staticmethod(lambda c, a, b: a * b),"
        " 'backward': staticmethod(lambda c, g: g)}); C.apply(x, x).sum().backward()"
    ],
    "grad-view-inplace": ["a, b = x.unbind(0)[:2]; a += 1"],
    "numpy-grad": ["x.numpy()"],
    "anomaly-nan": [
        "torch.autograd.set_detect_anomaly(True); a = torch.zeros(1, requires_grad=True);"
        " (a.sqrt() * 0).sum().backward()"
    ],
}

TRAINING = {
    "optimizer-empty": ["torch.optim.SGD([], lr=0.1)"],
    "optimizer-not-iterable": ["torch.optim.SGD(x, lr=0.1)"],
    "optimizer-non-leaf": ["torch.optim.SGD([x * 2], lr=0.1)"],
    "optimizer-duplicate": [
        "p = [x]; torch.optim.SGD([{'params': p}, {'params': p}], lr=0.1)",
    ],
    "optimizer-state": [
        "o = torch.optim.SGD([x], lr=0.1);"
        " o.load_state_dict(torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1).state_dict())"
    ],
    "optimizer-state:2": [
        "o = torch.optim.SGD([x], lr=0.1); s = o.state_dict();"
        " s['param_groups'] = s['param_groups'] * 2; o.load_state_dict(s)"
    ],
    "scheduler-order": [
        "warnings.simplefilter('error'); o = torch.optim.SGD([x], lr=0.1);"
        " torch.optim.lr_scheduler.StepLR(o, 1).step()"
    ],
    "scaler-no-inf-checks": [
        "s = torch.amp.GradScaler('cpu'); o = torch.optim.SGD([x], lr=0.1);"
        " s.scale(x.sum()); s.step(o)"
    ],
    "scaler-unscale-twice": [
        "s = torch.amp.GradScaler('cpu'); o = torch.optim.SGD([x], lr=0.1);"
        " s.scale(x.sum()).backward(); s.unscale_(o); s.unscale_(o)"
    ],
    "scaler-fp16": [
        "h = nn.Linear(2, 1).half(); s = torch.amp.GradScaler('cpu');"
        " o = torch.optim.SGD(h.parameters(), lr=0.1);"
        " s.scale(h(torch.ones(1, 2).half()).sum()).backward(); s.unscale_(o)"
    ],
    "clip-non-finite": [
        "x.grad = torch.full_like(x, float('nan'));"
        " nn.utils.clip_grad_norm_([x], 1.0, error_if_nonfinite=True)"
    ],
    "detection-boxes": [
        "import torchvision; m = torchvision.models.detection.ssdlite320_mobilenet_v3_large("
        "weights=None, weights_backbone=None); m([torch.zeros(3, 64, 64)],"
        " [{'boxes': torch.tensor([[5.0, 5.0, 5.0, 9.0]]), 'labels': torch.tensor([1])}])"
    ],
    "detection-box-shape": [
        "import torchvision; m = torchvision.models.detection.ssdlite320_mobilenet_v3_large("
        "weights=None, weights_backbone=None); m([torch.zeros(3, 64, 64)],"
        " [{'boxes': torch.zeros(0), 'labels': torch.tensor([1])}])"
    ],
    "detection-no-targets": [
        "import torchvision; torchvision.models.detection.ssdlite320_mobilenet_v3_large("
        "weights=None, weights_backbone=None)([torch.zeros(3, 64, 64)])"
    ],
    "deterministic": [
        "torch.use_deterministic_algorithms(True);"
        " nn.MaxUnpool2d(2)(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2, dtype=torch.long))"
    ],
    "module-prefix": ["nn.Linear(2, 2).load_state_dict({'module.weight': torch.zeros(2, 2)})"],
    "state-dict": [
        "nn.Sequential(nn.Linear(2, 2)).load_state_dict({'1.weight': torch.zeros(2, 2)})",
    ],
    "classifier-size": [
        "import torchvision; a, b = (torchvision.models.mobilenet_v3_small(num_classes=n)"
        " for n in (10, 5)); a.load_state_dict(b.state_dict())",
        "m = nn.ModuleDict({'fc': nn.Linear(8, 10)});"
        " m.load_state_dict(nn.ModuleDict({'fc': nn.Linear(8, 1000)}).state_dict())",
    ],
    "unknown-model-name": [
        "import torchvision; torchvision.models.get_model('resnet19')",
    ],
    "unknown-model-name:2": ["import timm; timm.create_model('resnet51x')"],
}

FILES = {
    "weights-only": [
        "b = io.BytesIO(); torch.save(nn.Linear(1, 1), b); b.seek(0); torch.load(b)",
    ],
    "checkpoint-lfs": ["torch.load(io.BytesIO(b'version https://git-lfs.github.com/spec/v1\\n'))"],
    "checkpoint-html": [
        "torch.load(io.BytesIO(b'<!DOCTYPE html><html></html>'), weights_only=False)"
    ],
    "checkpoint-truncated": [
        "b = io.BytesIO(); torch.save(torch.zeros(4096), b); torch.load(io.BytesIO(b.getvalue()[:9000]))"
    ],
    "checkpoint-missing": ["torch.load('no_such_file.pt')"],
    "safetensors-header": [
        "from safetensors.torch import load; load(b'version https://git-lfs.github.com/spec/v1')",
        "from safetensors.torch import load; load(b'<!DOCTYPE html><html><body></body></html>')",
    ],
    "safetensors-truncated": [
        "from safetensors.torch import load, save; load(save({'a': torch.zeros(99)})[:-9])"
    ],
    "offline-empty-cache": [
        "os.environ['HF_HUB_OFFLINE'] = '1';"
        " from transformers import AutoModel; AutoModel.from_pretrained('nobody/nothing')"
    ],
}

COMPILE = {
    "dynamo-unsupported": [
        'exec(\'@torch.compile(fullgraph=True, backend="eager")\\ndef f(a):\\n print(1)\\n'
        " if a.sum() > 0: return a\\n return -a'); f(x)"
    ],
    "export-data-dependent": [
        "M = type('M', (nn.Module,), {'forward': lambda s, a: a if a.sum() > 0 else -a});"
        " torch.export.export(M(), (torch.ones(2),))",
        "M = type('M', (nn.Module,), {'forward': lambda s, a: torch.zeros(a.max().item())[:2].sum()"
        " if a.max().item() > 3 else a}); torch.export.export(M(), (torch.tensor([2]),))",
    ],
    "export-constraints": [
        "torch.export.export(nn.Linear(4, 4), (torch.ones(2, 4),),"
        " dynamic_shapes=({1: torch.export.Dim('d')},))"
    ],
    "jit-trace-branch": [
        "warnings.simplefilter('error', torch.jit.TracerWarning); torch.jit.trace(lambda a: a if a.sum() > 0 else -a,"
        " torch.ones(2))"
    ],
    "onnx-unsupported-op": [
        "M = type('M', (nn.Module,), {'forward': lambda s, a: torch.linalg.eig(a)[0].real});"
        " torch.onnx.export(M(), (torch.eye(2),), io.BytesIO(), dynamo=False)",
        "M = type('M', (nn.Module,), {'forward': lambda s, a: torch.linalg.eig(a)[0].real});"
        " torch.onnx.export(M(), (torch.eye(2),), dynamo=True)",
    ],
}

LOADING = {
    "collate-type": [
        "from torch.utils.data import default_collate; default_collate([object()])",
    ],
    "collate-length": [
        "from torch.utils.data import default_collate; default_collate([[1, 2], [1]])"
    ],
    "dataset-empty": ["from torch.utils.data import DataLoader; DataLoader([], shuffle=True)"],
    "image-folder-empty": [
        "import tempfile, torchvision; torchvision.datasets.ImageFolder(tempfile.mkdtemp())"
    ],
    "dataset-not-downloaded": ["import torchvision; torchvision.datasets.CIFAR10('/nonexistent')"],
    "image-unidentified": ["from PIL import Image; Image.open(io.BytesIO(b'not an image'))"],
    "worker-error": [
        "from torch.utils.data import DataLoader\n"
        "class D:\n def __len__(s): return 1\n def __getitem__(s, i): raise KeyError('label')\n"
        "next(iter(DataLoader(D(), num_workers=1)))"
    ],
    "worker-signal": [
        "from torch.utils.data import DataLoader\n"
        "class D:\n def __len__(s): return 1\n def __getitem__(s, i): os.kill(os.getpid(), 11)\n"
        "next(iter(DataLoader(D(), num_workers=1)))",
    ],
    "worker-exited": [
        "from torch.utils.data import DataLoader\n"
        "class D:\n def __len__(s): return 1\n def __getitem__(s, i): os._exit(3)\n"
        "next(iter(DataLoader(D(), num_workers=1)))",
    ],
    "too-many-workers": [
        "from torch.utils.data import DataLoader; warnings.simplefilter('error');"
        " DataLoader([1], num_workers=500)"
    ],
    "worker-unpicklable": [
        "from torch.utils.data import DataLoader\n"
        "class D:\n def __len__(s): return 1\n def __getitem__(s, i): return 1\n"
        "d = D(); d.f = lambda: 1\n"
        "next(iter(DataLoader(d, num_workers=1, multiprocessing_context='spawn')))",
        "from torch.utils.data import DataLoader\n"
        "def make():\n class D:\n  def __len__(s): return 1\n return D()\n"
        "next(iter(DataLoader(make(), num_workers=1, multiprocessing_context='spawn')))",
    ],
}

DISTRIBUTED = {
    "dist-env": ["import torch.distributed as d; d.init_process_group('gloo')"],
    "dist-not-initialized": ["import torch.distributed as d; d.all_reduce(torch.zeros(1))"],
    "dist-no-cuda": [
        "import torch.distributed as d; d.init_process_group('nccl', rank=0, world_size=1,"
        " store=d.HashStore()); d.all_reduce(torch.zeros(1))"
    ],
    "dist-twice": [
        "import torch.distributed as d\n"
        "for _ in range(2): d.init_process_group('gloo', rank=0, world_size=1, store=d.HashStore())"
    ],
    "dist-port": [
        "import socket, torch.distributed as d; s = socket.socket(); s.bind(('localhost', 0));"
        " s.listen(); d.TCPStore('localhost', s.getsockname()[1], 1, True)"
    ],
    "ddp-frozen": [
        "import torch.distributed as d; d.init_process_group('gloo', rank=0, world_size=1,"
        " store=d.HashStore()); nn.parallel.DistributedDataParallel("
        "nn.Linear(1, 1).requires_grad_(False))"
    ],
    "ddp-unused": [
        "import torch.distributed as d; d.init_process_group('gloo', rank=0, world_size=1,"
        " store=d.HashStore())\n"
        "class M(nn.Module):\n def __init__(s):\n  super().__init__(); s.a = nn.Linear(1, 1);"
        " s.b = nn.Linear(1, 1)\n def forward(s, v): return s.a(v)\n"
        "m = nn.parallel.DistributedDataParallel(M())\n"
        "for _ in range(2): m(torch.ones(1, 1)).sum().backward()"
    ],
}

RUNTIME = {
    "ort-shape": ["S(np.zeros((2, 4), np.float32))"],
    "ort-rank": ["S(np.zeros(3, np.float32))"],
    "ort-dtype": ["S(np.zeros((2, 3)))"],
    "ort-input-missing": ["session.run(None, {})"],
    "ort-input-missing:2": ["session.run(None, {'y': np.zeros((2, 3), np.float32)})"],
    "ort-name": ["session.run(['q'], {'x': np.zeros((2, 3), np.float32)})"],
    "ort-provider": ["make(model(), providers=['CUDAExecutionProvider'])"],
    "ort-no-file": ["onnxruntime.InferenceSession('missing.onnx')"],
    "model-truncated": ["make(model()[:40])"],
    "ort-ir-too-new": ["make(model(ir=99))"],
    "opset-too-new": ["make(model(opset=99))"],
    "unregistered-op": ["make(model(op='NoSuchOp'))"],
    "ort-unknown-op": ["make(model(op='Relu', domain='my.ops'))"],
    "ort-not-implemented": ["make(model(dtype=11, op='Gelu', opset=20))", "make(model(dtype=5))"],
    "ort-type": ["make(model(dtype=8))"],
    "external-data-missing": [
        "make(model(external='gone.bin'))",
        "open('e.onnx', 'wb').write(model(external='gone.bin')); onnx.load('e.onnx')",
    ],
    "external-data-outside": [
        "open('o.onnx', 'wb').write(model(external='../up.bin')); make('o.onnx')",
        "open('o.onnx', 'wb').write(model(external='../up.bin')); onnx.load('o.onnx')",
    ],
    "model-truncated:2": ["onnx.load_from_string(model()[:40])"],
    "unregistered-op:2": ["onnx.checker.check_model(model(op='NoSuchOp'))"],
}

REMOVED = {
    "pt2e-moved": [
        "from torch.ao.quantization.quantize_pt2e import prepare_pt2e",
        "from torch.ao.quantization.quantizer.xnnpack_quantizer import XNNPACKQuantizer",
        "import torch.ao.quantization.pt2e",
    ],
    "export-training-removed": ["torch.export.export_for_training(nn.Linear(2, 2), (x,))"],
    "onnx-export-removed": [
        "torch.onnx.dynamo_export(nn.Linear(2, 2), x)",
        "torch.onnx.ExportOptions()",
        "torch.onnx.export(nn.Linear(8, 2), x, 'a.onnx', use_external_data_format=True)",
    ],
    "torch-six": ["from torch._six import inf"],
    "torch-removed-function": ["torch.symeig(torch.eye(2))", "torch.qr(torch.eye(2))"],
    "scheduler-verbose": [
        "torch.optim.lr_scheduler.StepLR(torch.optim.SGD([x], 0.1), 1, verbose=True)",
        "torch.optim.lr_scheduler.ReduceLROnPlateau(torch.optim.SGD([x], 0.1), verbose=True)",
    ],
    "tensor-parallel-removed": ["from torch.distributed.tensor.parallel import PairwiseParallel"],
    "numpy-removed": ["np.float_", "np.bool8", "np.float", "np.trapz([1, 2])", "np.in1d([1], [1])"],
    "numpy-copy": ["np.array(torch.ones(2), copy=False)"],
    "numpy-ragged": ["np.array([1, 2, [3]])"],
    "uint8-overflow": ["np.uint8(300)"],
    "pillow-removed": [
        "from PIL import Image; Image.ANTIALIAS",
        "from PIL import Image, ImageDraw; ImageDraw.Draw(Image.new('L', (1, 1))).textsize('a')",
    ],
    "pkg-resources-removed": ["import pkg_resources"],
    "hub-1-removed": [
        "from huggingface_hub import cached_download",
        "from huggingface_hub import HfFolder",
    ],
    "auth-keyword-removed": [
        "from huggingface_hub import hf_hub_download; hf_hub_download('a', 'b', use_auth_token=1)"
    ],
    "torchvision-video-removed": [
        "import torchvision; torchvision.io.read_video('a.mp4')",
        "from torchvision.io import VideoReader",
    ],
    "torchvision-old-module": [
        "from torchvision.models.utils import load_state_dict_from_url",
        "from torchvision.models.resnet import model_urls",
        "import torchvision.transforms.functional_tensor",
    ],
    "peft-removed": ["from peft import prepare_model_for_int8_training"],
    "torchao-removed": [
        "from torchao.quantization import int4_weight_only",
        "from torchao.quantization import autoquant",
        "from torchao.quantization import Int8DynamicActivationInt4WeightConfig",
    ],
}

DEVICES = {
    "xpu-not-built": ["torch.zeros(1, device='xpu')"],
    "xpu-not-built:2": [
        "import torch.distributed as d;"
        " d.init_process_group('xccl', rank=0, world_size=1, store=d.HashStore())"
    ],
    "mps-not-here": ["torch.zeros(1, device='mps')"],
    "npu-name": ["torch.zeros(1, device='npu')", "torch.zeros(1, device='gpu')"],
    "unplugged-backend": ["torch.zeros(1, device='hpu')"],
    "needs-mslk": [
        "from torchao.quantization import quantize_, Int4WeightOnlyConfig;"
        " quantize_(nn.Sequential(nn.Linear(256, 256).bfloat16()), Int4WeightOnlyConfig())"
    ],
    "torchao-float8-gpu": [
        "from torchao.quantization import quantize_,"
        " Float8DynamicActivationFloat8WeightConfig as C;"
        " quantize_(nn.Sequential(nn.Linear(32, 32)), C())"
    ],
    "safetensors-contiguous": [
        "from safetensors.torch import save; save({'a': torch.ones(2, 3).t()})"
    ],
    "safetensors-type": ["from safetensors.torch import save; save({'step': 1})"],
    "compile-mode": [
        "torch.compile(lambda a: a, mode='fast')(x)",
        "torch.compile(lambda a: a, backend='fast')(x)",
    ],
    "flex-attention-cpu": [
        "from torch.nn.attention.flex_attention import flex_attention;"
        " q = torch.ones(1, 1, 4, 8, requires_grad=True); flex_attention(q, q, q)"
    ],
    "jit-source": ["torch.jit.script(lambda a: a)"],
    "op-missing-library": ["torch.ops.my_kernels.fused(x)"],
    "dist-mpi": ["torch.distributed.init_process_group('mpi')"],
    "heads-divide:2": ["import timm; timm.models.vision_transformer.Attention(10, 3)"],
    "module-missing": ["import flash_attn", "import cv2"],
    "module-unlisted": ["import some_tool"],
    "submodule-missing": ["from onnxruntime.training import ORTModule"],
    "checkpoint-module-missing": ["from utils.general import non_max_suppression"],
}

TRANSFORMERS_PRELUDE = """
import os, sys, warnings
os.environ['HF_HUB_OFFLINE'] = '1'
import torch, transformers
from transformers import DynamicCache, GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments
from transformers import PreTrainedTokenizerFast, pipeline
from tokenizers import Tokenizer, models
words = Tokenizer(models.WordLevel({'a': 0, '[UNK]': 1}, unk_token='[UNK]'))
tok = PreTrainedTokenizerFast(tokenizer_object=words)
config = dict(n_embd=16, n_layer=1, n_head=2, vocab_size=32, n_positions=16, bos_token_id=0,
              eos_token_id=0)
model = GPT2LMHeadModel(GPT2Config(**config)).eval()
ids = torch.ones(1, 4, dtype=torch.long)
"""

TRANSFORMERS = {
    "transformers-5-removed": [
        "from transformers import AutoModelForVision2Seq",
        "from transformers.utils.import_utils import is_torch_fx_available",
        "from transformers import TFAutoModel",
        "from transformers import AdamW",
        "from transformers.pytorch_utils import find_pruneable_heads_and_indices",
        "from transformers import HybridCache",
        "from transformers import CLIPFeatureExtractor",
        "from transformers.utils import TRANSFORMERS_CACHE",
        "from transformers.models.llama.modeling_llama import LlamaFlashAttention2",
        "tok.batch_encode_plus(['a'])",
        "tok.encode_plus('a')",
        "DynamicCache().key_cache",
        "DynamicCache.from_legacy_cache(None)",
    ],
    "transformers-5-module": [
        "from transformers.deepspeed import HfDeepSpeedConfig",
        "import transformers.onnx",
        "from transformers.data.processors import squad",
    ],
    "transformers-5-task": ["pipeline('summarization')", "pipeline('translation_en_to_fr')"],
    "trainer-argument": [
        "TrainingArguments('out', evaluation_strategy='no')",
        "TrainingArguments('out', no_cuda=True)",
        "Trainer(model=model, tokenizer=tok)",
    ],
    "model-keyword-removed": [
        "model.save_pretrained('m'); GPT2LMHeadModel.from_pretrained('m', load_in_4bit=True)"
    ],
    "auth-keyword-removed": [
        "model.save_pretrained('m'); GPT2LMHeadModel.from_pretrained('m', use_auth_token=1)"
    ],
    "hf-chat-template": ["tok.apply_chat_template([{'role': 'user', 'content': 'a'}])"],
    "hf-config-field": ["GPT2Config(n_layer='two')"],
    "hf-dtype-string": [
        "model.save_pretrained('m'); GPT2LMHeadModel.from_pretrained('m', dtype='flot16')"
    ],
    "hf-flash-attention": [
        "GPT2LMHeadModel._from_config(GPT2Config(**config),"
        " attn_implementation='flash_attention_2')"
    ],
    "heads-divide": ["GPT2LMHeadModel(GPT2Config(**{**config, 'n_head': 3}))"],
    "export-cache-output": [
        "torch.export.export(model, (ids,))",
        "torch.export.export(model, (ids,), strict=True)",
        "torch.onnx.export(model, (ids,), 'g.onnx', dynamo=True)",
        "warnings.simplefilter('ignore'); torch.onnx.export(model, (ids,), 'g.onnx', dynamo=False)",
    ],
}

GRAPHS = {
    "onnx-attribute": [
        "make(graph([N('Relu', ['x'], ['y'], foo=1)]))",
        "onnx.checker.check_model(graph([N('Relu', ['x'], ['y'], foo=1)], out=['n']))",
    ],
    "ort-duplicate": [
        "make(graph([N('Relu', ['x'], ['y']), N('Relu', ['x'], ['y'])]))",
        "onnx.checker.check_model("
        "graph([N('Relu', ['x'], ['y']), N('Relu', ['x'], ['y'])], out=['n']))",
        "make(graph([N('Relu', ['x'], ['h'], name='a'), N('Relu', ['h'], ['y'], name='a')]))",
    ],
    "ort-output-type": ["make(graph([N('Relu', ['x'], ['y'])], kind=10))"],
    "onnx-input-count": ["make(graph([N('Add', ['x'], ['y'])]))"],
    "onnx-no-producer": ["make(graph([N('Relu', ['x'], ['q'])]))"],
    "onnx-cycle": [
        "make(graph([N('Relu', ['y'], ['z']), N('Relu', ['z'], ['y'])]))",
        "onnx.checker.check_model("
        "graph([N('Relu', ['z'], ['y']), N('Relu', ['x'], ['z'])], out=['n']))",
    ],
    "ort-conv-bias": [
        "make(graph([N('Conv', ['x', 'k', 'b'], ['y'])], shape=('n', 3, 4, 4),"
        " weights={'k': np.ones((2, 3, 1, 1)), 'b': np.ones(5)}))"
        ".run(None, {'x': np.zeros((1, 3, 4, 4), np.float32)})"
    ],
    "ort-index-range": [
        "make(graph([N('Cast', ['x'], ['i'], to=7), N('Gather', ['k', 'i'], ['y'])],"
        " weights={'k': np.ones(2)})).run(None, {'x': np.array([9], np.float32)})"
    ],
    "ort-reshape": [
        "make(graph([N('Reshape', ['x', 's'], ['y'])], weights={'s': np.array([2, 3])}))"
        ".run(None, {'x': np.zeros(5, np.float32)})"
    ],
    "ort-broadcast": [
        "make(graph([N('Add', ['x', 'k'], ['y'])], weights={'k': np.ones(3)}))"
        ".run(None, {'x': np.zeros(5, np.float32)})"
    ],
    "ort-torch-input": ["import torch; session.run(None, {'x': torch.ones(2, 3)})"],
    "ort-custom-library": ["onnxruntime.SessionOptions().register_custom_ops_library('my_ops.so')"],
    "onnx-helper-removed": [
        "from onnx.helper import float32_to_bfloat16",
        "from onnx import numpy_helper; numpy_helper.float8e4m3_to_float32",
        "import onnx.hub",
    ],
}

RUNTIME_PRELUDE = """
import os, sys
import numpy as np, onnx, onnxruntime
from onnx import TensorProto as T, helper as h
def model(op='Relu', domain='', ir=10, opset=18, dtype=1, external=''):
    nodes = [h.make_node(op, ['x'], ['y'], domain=domain)]
    inits = []
    if external:
        w = T(name='w', data_type=1, dims=[3], data_location=T.EXTERNAL)
        for key, value in (('location', external), ('offset', '0'), ('length', '12')):
            e = w.external_data.add(); e.key = key; e.value = value
        inits = [w]; nodes.append(h.make_node('Add', ['y', 'w'], ['z']))
    out = 'z' if external else 'y'
    g = h.make_graph(nodes, 'g', [h.make_tensor_value_info('x', dtype, ['b', 3])],
                     [h.make_tensor_value_info(out, dtype, ['b', 3])], inits)
    opsets = [h.make_opsetid('', opset)] + ([h.make_opsetid(domain, 1)] if domain else [])
    m = h.make_model(g, opset_imports=opsets); m.ir_version = ir
    return m.SerializeToString()
def make(m, providers=('CPUExecutionProvider',)):
    return onnxruntime.InferenceSession(m, providers=list(providers))
session = make(model())
S = lambda a: session.run(None, {'x': a})
N = h.make_node
def graph(nodes, kind=1, shape=('n',), weights={}, out=None):
    inits = [onnx.numpy_helper.from_array(
        v.astype(np.int64 if v.dtype.kind == 'i' else np.float32), k) for k, v in weights.items()]
    g = h.make_graph(nodes, 'g', [h.make_tensor_value_info('x', 1, shape)],
                     [h.make_tensor_value_info('y', kind, out)], inits)
    m = h.make_model(g, opset_imports=[h.make_opsetid('', 18)]); m.ir_version = 10
    return m.SerializeToString()
"""

GROUPS = (
    ("torch", PRELUDE, TENSORS | AUTOGRAD | TRAINING | FILES | COMPILE | LOADING | DISTRIBUTED),
    ("torch", PRELUDE, REMOVED | DEVICES),
    ("onnxruntime", RUNTIME_PRELUDE, RUNTIME | GRAPHS),
    ("transformers", TRANSFORMERS_PRELUDE, TRANSFORMERS),
)


def script(prelude: str) -> str:
    """A program that runs the snippets on its stdin, each in a fork, and prints their errors."""
    return prelude + (
        "import json, traceback\n"
        "for code, snippet in json.load(sys.stdin):\n"
        "    print('=== ' + code.partition(':')[0], flush=True)\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        os.dup2(1, 2)\n"
        f"        __import__('signal').alarm({SNIPPET_SECONDS})\n"
        "        try: exec(snippet, globals())\n"
        "        except BaseException: traceback.print_exc(limit=0)\n"
        "        else: print('NO ERROR')\n"
        "        sys.stdout.flush(); sys.stderr.flush(); os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
    )


def scrubbed(text: str, folder: str) -> str:
    """The text without the places of this machine and without the registrations of dispatchers."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    text = text.replace(sys.prefix, "~/venv").replace(folder, "~/run")
    kept = [
        line.rstrip()
        for line in text.splitlines()
        if not line.startswith(('  File "', "    ")) and "registered at /" not in line
    ]
    return "\n".join(line for line in kept if line)


def main() -> int:
    """Prints every text, its code on a line of its own before it; 1 when a group was cut off."""
    import json

    only = set(sys.argv[1:])
    is_whole = True
    for package, prelude, table in GROUPS:
        print(f"# {package} {version(package)}", flush=True)
        jobs = [(c, s) for c, snippets in table.items() for s in snippets if not only or c in only]
        if not jobs:
            continue
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as output:
            program = Path(folder) / "snippets.py"
            program.write_text(script(prelude))
            # Into a file: what was made before a timeout is kept.
            try:
                subprocess.run(
                    [sys.executable, str(program)],
                    input=json.dumps(jobs),
                    text=True,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=folder,
                    timeout=GROUP_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                is_whole = False
                print(f"{package}: not all of it within {GROUP_SECONDS} s", file=sys.stderr)
            output.seek(0)
            print(scrubbed(output.read(), folder), flush=True)
    return int(not is_whole)


if __name__ == "__main__":
    raise SystemExit(main())
