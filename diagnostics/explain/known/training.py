"""Messages of training loops: losses, optimizers, scalers, detection targets."""

from __future__ import annotations

from diagnostics.explain.row import do, row, rows
from diagnostics.finding import Level

ROWS = rows(
    "training",
    row(
        "nan-loss",
        r"\b(?:\w*_)?loss\w*['\"]?\s*(?:=|:|is|of|became)\s*(?:tensor\()?(?P<what>nan|NaN|-?inf)\b",
        r"[Ll]oss is (?P<what>nan|NaN|-?inf|not finite|non-finite)",
        r"Loss is (?P<what>nan|inf), stopping training",
        summary="The loss became {what}.",
        cause="A learning rate that is too high, half precision that overflows, a division by "
        "zero or "
        "log of 0, or bad values in the data.",
        cures=(
            do("assert torch.isfinite(batch).all()", "shows whether the data are the cause"),
            do("torch.autograd.set_detect_anomaly(True)", "names the operation"),
            do("a tenth of the learning rate, clip_grad_norm_, bfloat16", "keeps values small"),
        ),
    ),
    row(
        "clip-non-finite",
        r"The total norm of order (?P<p>\S+) for gradients from `parameters` is non-finite",
        summary="Gradients are NaN or infinite before clipping.",
        cause="The loss or a gradient overflowed; with a GradScaler, unscale_ must come first.",
        cures=(do("scaler.unscale_(optimizer) before clip_grad_norm_", "clips real values"),),
    ),
    row(
        "scaler-no-inf-checks",
        r"No inf checks were recorded for this optimizer",
        summary="GradScaler found no gradients to step with.",
        cause="backward() did not reach this optimizer's parameters: frozen, another model's, or "
        "scaler.scale(loss).backward() was not called.",
        cures=(do("scaler.scale(loss).backward(); scaler.step(optimizer)", "in this order"),),
    ),
    row(
        "scaler-unscale-twice",
        r"unscale_\(\) has already been called on this optimizer since the last update\(\)",
        r"unscale_\(\) is being called after step\(\)",
        summary="unscale_ was called twice in one step.",
        cause="scaler.update() must close every step.",
        cures=(do("scaler.step(optimizer); scaler.update()", "closes the step"),),
    ),
    row(
        "scaler-fp16",
        r"Attempting to unscale FP16 gradients",
        summary="The weights themselves are float16; GradScaler wants float32 weights.",
        cause="The model was converted with half(); mixed precision keeps weights in float32.",
        cures=(do("model.float() and torch.autocast(dtype=torch.float16)", "mixes properly"),),
    ),
    row(
        "optimizer-empty",
        r"optimizer got an empty parameter list",
        summary="The optimizer got no parameters.",
        cause="The model has none (layers in a plain list), or a generator was used up, or "
        "everything "
        "is frozen.",
        cures=(
            do("nn.ModuleList([...]) instead of a list", "registers the layers"),
            do("list(model.parameters())", "can be read more than once"),
        ),
    ),
    row(
        "optimizer-not-iterable",
        r"params argument given to the optimizer should be an iterable of Tensors or dicts, "
        r"but got "
        r"(?P<got>[\w.]+)",
        r"optimizer can only optimize Tensors, but one of the params is (?P<got>[\w.]+)",
        summary="The optimizer got {got} instead of a list of parameters.",
        cause="It wants an iterable of tensors or groups.",
        cures=(do("optim.SGD(model.parameters(), ...) or [tensor]", "hands over a list"),),
    ),
    row(
        "optimizer-non-leaf",
        r"can't optimize a non-leaf Tensor",
        summary="A computed tensor was given to the optimizer.",
        cause="x.to(device) or an operation after requires_grad makes a result, not a leaf.",
        cures=(do("x = x.to(device).requires_grad_()", "makes the moved tensor the leaf"),),
    ),
    row(
        "optimizer-duplicate",
        r"some parameters appear in more than one parameter group",
        summary="A parameter is in two groups of the optimizer.",
        cause="Groups chosen by name overlap, or weights are tied.",
        cures=(do("choose the second group by what is not in the first", "keeps them apart"),),
    ),
    row(
        "optimizer-state",
        r"loaded state dict contains a parameter group that doesn't match the size of optimizer's",
        r"loaded state dict has a different number of parameter groups",
        summary="The saved optimizer state belongs to another set of parameters.",
        cause="Layers were added, frozen or grouped differently since it was saved.",
        cures=(do("load the model only and start with a fresh optimizer", "drops the old state"),),
    ),
    row(
        "optimizer-state-device",
        r"`?state_steps`? argument must contain a list of singleton tensors",
        r"If capturable=(?:True|False), (?:params and )?state_steps",
        summary="The optimizer's step counters are on the wrong device.",
        cause="The state was loaded on another device than the parameters.",
        cures=(do("model.to(device) before making the optimizer, then load", "aligns them"),),
    ),
    row(
        "scheduler-order",
        r"Detected call of `lr_scheduler\.step\(\)` before `optimizer\.step\(\)`",
        summary="The scheduler steps before the optimizer: the first learning rate is skipped.",
        cause="The order is wrong, or GradScaler skipped the first step because of an overflow.",
        cures=(do("optimizer.step(); scheduler.step()", "in this order"),),
        level=Level.WARN,
    ),
    row(
        "deterministic",
        r"\b(?P<op>\w{1,80}) does not have a deterministic implementation, but you set",
        summary="{op} has no deterministic version.",
        cause="torch.use_deterministic_algorithms(True) forbids operations that add in any order.",
        cures=(
            do("torch.use_deterministic_algorithms(True, warn_only=True)", "only warns"),
            do("another operation or the CPU for this step", "stays deterministic"),
        ),
    ),
    row(
        "detection-boxes",
        r"All bounding boxes should have positive height and width\. Found invalid box "
        r"(?P<box>\[[^\]]*\])",
        summary="A box has no area: {box}.",
        cause="Boxes are (x1, y1, x2, y2) with x2 > x1 and y2 > y1; COCO's are (x, y, width, "
        "height).",
        cures=(
            do("torchvision.ops.box_convert(boxes, 'xywh', 'xyxy')", "converts COCO boxes"),
            do("boxes[torchvision.ops.remove_small_boxes(boxes, 1)]", "drops empty ones"),
        ),
    ),
    row(
        "detection-box-shape",
        r"Expected target boxes to be (?:a tensor of shape \[N, 4\]|of type Tensor), got "
        r"(?P<got>[^\n]{1,60})",
        summary="Target boxes must be a tensor of shape [N, 4], got {got}",
        cause="An image without objects needs an empty tensor of shape (0, 4).",
        cures=(do("torch.zeros((0, 4))", "is the empty target"),),
    ),
    row(
        "detection-no-targets",
        r"targets should not be none when in training mode",
        r"In training mode, targets should be passed",
        summary="The detection model is in training mode but got no targets.",
        cause="Such models return losses in training and boxes in eval mode.",
        cures=(do("model.eval() for predictions", "changes the mode"),),
    ),
    row(
        "detection-label-range",
        r"Assertion `idx_dim >= 0 && idx_dim < index_size && \"index out of bounds\"` failed",
        r"ScatterGatherKernel\.cu[^\n]*Assertion",
        summary="A gather or scatter on the GPU got an index out of range.",
        cause="A label is beyond num_classes; detection models count the background as class 0.",
        cures=(do("num_classes = classes + 1", "makes room for the background"),),
        explains=("device-assert",),
    ),
    row(
        "trainer-no-loss",
        r"The model did not return a loss from the inputs, only the following keys: "
        r"(?P<keys>[\w, ]+)",
        summary="The Trainer got no loss (only {keys}).",
        cause="The batch has no `labels`, or the column was dropped because its name is another.",
        cures=(do("dataset.rename_column('label', 'labels')", "gives it the name models expect"),),
    ),
    row(
        "trainer-empty-batch",
        r"You should supply an encoding or a list of encodings to this method that includes "
        r"(?P<want>\S+), but you provided (?P<got>[^\n]{1,80})",
        summary="The collator got no {want} (only {got}).",
        cause="The dataset was not tokenised, or the Trainer removed columns that forward() lacks.",
        cures=(do("TrainingArguments(remove_unused_columns=False)", "keeps the columns"),),
    ),
    row(
        "cuda-graph-capture",
        r"operation not permitted when stream is capturing",
        summary="An operation is not allowed while a CUDA graph is recorded.",
        cause="Synchronising, item(), or copies from pageable memory cannot be recorded.",
    ),
)
