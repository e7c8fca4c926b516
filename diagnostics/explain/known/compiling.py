"""Messages of torch.compile, torch.export and TorchScript."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, row, rows, run, sh
from diagnostics.finding import Level

ROWS = rows(
    "compile",
    row(
        "dynamo-unsupported",
        r"torch\._dynamo\.exc\.Unsupported: (?P<what>[^\n]{1,200})",
        summary="torch.compile cannot trace this code: {what}.",
        cause="With fullgraph=True (and in torch.export) every line must be traceable.",
        cures=(
            do("remove print, item() and calls to other libraries from forward()", "is traceable"),
            do("torch.compile(model) without fullgraph", "runs the rest as usual"),
            sh("export TORCH_LOGS=graph_breaks", "lists every place"),
        ),
    ),
    row(
        "inductor",
        r"torch\._dynamo\.exc\.BackendCompilerFailed",
        r"torch\._inductor\.exc\.InductorError: (?P<what>[^\n]{1,200})",
        r"backend='inductor' raised",
        summary="torch.compile's code generator failed: {what}",
        cause="The lines after this one name the step that failed; when no other finding explains "
        "it, inductor has a bug with this model.",
        cures=(
            do('torch.compile(model, backend="aot_eager")', "shows whether inductor is the cause"),
            sh("export TORCHDYNAMO_VERBOSE=1", "prints more"),
        ),
        is_symptom=True,
    ),
    row(
        "triton-missing",
        r"Cannot find a working triton installation",
        r"No module named 'triton(?:\.[\w.]+)?'(?!; )",
        summary="Triton, which torch.compile uses on the GPU, is missing or does not work.",
        cause="It comes with the Linux CUDA wheels only; another version does not fit.",
        cures=(
            pip("install --force-reinstall {torch}", "the same torch again, with its own Triton"),
            do('torch.compile(model, backend="aot_eager")', "does without"),
        ),
        explains=("inductor",),
    ),
    row(
        "triton-old-gpu",
        r"too old to be supported by the triton GPU compiler",
        summary="The GPU is too old for Triton.",
        cause="Triton needs compute capability 7.0 or more.",
        cures=(do("run without torch.compile on this GPU", "is supported"),),
        explains=("inductor", "triton-missing"),
    ),
    row(
        "dynamo-python",
        r"(?:Dynamo is not supported|torch\.compile is not supported) on Python "
        r"(?P<python_version>[\d.]+)",
        summary="This torch cannot compile on Python {python_version}.",
        cause="Dynamo reads bytecode and must know each Python version.",
        cures=(pip("install --upgrade torch torchvision", "brings support for newer Pythons"),),
    ),
    row(
        "recompile-fullgraph",
        r"FailOnRecompileLimitHit: (?P<what>[^\n]{1,160})",
        summary="torch.compile gave up after too many recompilations, and fullgraph=True forbids the "
        "way back.",
        cause="Shapes, flags or Python numbers change from call to call.",
        cures=(
            sh("export TORCH_LOGS=recompiles", "tells what changed"),
            do("torch.compile(model, dynamic=True), or pad to fixed sizes", "compiles once"),
        ),
        explains=("recompile-limit",),
    ),
    row(
        "compile-mode",
        r"Unrecognized mode=(?P<name>[\w-]+), should be one of: (?P<list>[^\n]{1,160})",
        r"Invalid backend: '(?P<name>[^']+)'",
        summary="torch.compile knows no mode or backend {name} ({list}).",
        cause="It is misspelt, or the package that registers the backend was not imported.",
        cures=(do("torch._dynamo.list_backends()", "lists the backends"),),
    ),
    row(
        "flex-attention-cpu",
        r"FlexAttention does not support backward on CPU",
        summary="FlexAttention cannot be trained on the CPU.",
        cause="Its CPU kernel has a forward pass only.",
        cures=(do("F.scaled_dot_product_attention(...), or a GPU", "has a backward pass"),),
    ),
    row(
        "jit-source",
        r"TorchScript requires source access in order to carry out compilation",
        summary="TorchScript cannot read the function's source.",
        cause="It was typed into a prompt, is a lambda, or is packed without its .py file.",
        cures=(do("put it in a file, or use torch.export / torch.compile", "needs no source"),),
    ),
    row(
        "op-missing-library",
        r"'_OpNamespace' '(?P<space>\w+)' object has no attribute '(?P<name>\w+)'",
        summary="The operator {space}::{name} is not registered.",
        cause="The package that brings it was not imported, its compiled part did not load, or it is "
        "of another version.",
        cures=(
            do("import the package before torch.ops.{space}.{name} is used", "registers it"),
            run("{python} -m diagnostics", "finds a compiled part that does not fit this torch"),
        ),
    ),
    row(
        "recompile-limit",
        r"torch\._dynamo hit config\.(?P<name>recompile_limit|cache_size_limit) \((?P<n>\d+)\)",
        summary="torch.compile gave up after {n} recompilations and runs this part uncompiled.",
        cause="Shapes, flags or Python numbers change from call to call.",
        cures=(
            sh("export TORCH_LOGS=recompiles", "says what changed"),
            do("torch.compile(model, dynamic=True), or pad to fixed sizes", "compiles once"),
        ),
        level=Level.WARN,
    ),
    row(
        "cudagraph-overwritten",
        r"accessing tensor output of CUDAGraphs that has been overwritten",
        summary="An output of a CUDA graph was used after the next run overwrote it.",
        cause='mode="reduce-overhead" reuses its memory in every step.',
        cures=(
            do("torch.compiler.cudagraph_mark_step_begin() before each step", "marks the steps"),
            do("output.clone()", "keeps a copy"),
        ),
    ),
    row(
        "export-data-dependent",
        r"Could not guard on data-dependent expression (?P<what>[^\n]{1,80}?)(?: \(unhinted|$)",
        r"Could not extract specialized integer from data-dependent expression (?P<what>\S+)",
        summary="The graph depends on values of the data ({what}).",
        cause="An `if`, a shape or item() depends on a tensor's content, which is unknown while "
        "tracing.",
        cures=(
            do("torch.where or torch.cond instead of if", "keeps the choice in the graph"),
            do("torch._check(n > 0) after n = x.item()", "promises a range"),
        ),
        explains=("dynamo-unsupported", "onnx-export-failed"),
    ),
    row(
        "export-constraints",
        r"Constraints violated \((?P<dims>[^)]+)\)",
        summary="The dimension {dims} was declared dynamic, but the model fixes it.",
        cause="The code compares or reshapes with the example's number, or the sizes are tied.",
        cures=(
            do("torch.export.Dim.AUTO, or drop it from dynamic_shapes", "lets torch decide"),
            do("take sizes from x.shape instead of numbers", "keeps it dynamic"),
        ),
        explains=("onnx-export-failed",),
    ),
    row(
        "export-dynamic-control-flow",
        r"Dynamic control flow is not supported",
        r"Data-dependent branching",
        summary="The model branches on a tensor's value.",
        cause="A traced graph has one path.",
        cures=(do("torch.cond(pred, true_fn, false_fn, operands)", "puts both paths in"),),
        explains=("dynamo-unsupported", "onnx-export-failed"),
    ),
    row(
        "jit-trace-branch",
        r"TracerWarning: Converting a tensor to a Python (?P<kind>\w+) might cause the trace to "
        r"be incorrect",
        summary="The trace fixes a {kind} that depends on the example input.",
        cause="Tracing records one path: another input may need another.",
        cures=(do("torch.export, or torch.where in place of if", "keeps the choice"),),
        level=Level.WARN,
    ),
    row(
        "jit-trace-type",
        r"Tracer cannot infer type of",
        r"Encountering a dict at the output of the tracer",
        summary="torch.jit.trace cannot handle what the model returns.",
        cause="It wants tensors or tuples of tensors, not dicts or objects.",
        cures=(do("wrap the model so that it returns a tuple, e.g. return_dict=False", "fits"),),
    ),
    row(
        "jit-script",
        r"Unknown builtin op: (?P<what>[\w:.]+)",
        r"torch\.jit\.frontend\.(?P<what>NotSupportedError|UnsupportedNodeError)",
        r"Module '(?P<what>\w+)' has no attribute '\w+' \(This (?:attribute|function) exists "
        r"on the "
        r"Python",
        summary="TorchScript does not know {what}.",
        cause="It covers part of Python only, and is deprecated.",
        cures=(do("torch.export or torch.compile instead", "covers far more"),),
    ),
)
