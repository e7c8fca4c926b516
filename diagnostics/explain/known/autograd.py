"""Messages of automatic differentiation."""

from __future__ import annotations

from diagnostics.explain.row import do, row, rows
from diagnostics.finding import Level

ROWS = rows(
    "autograd",
    row(
        "grad",
        r"element (?P<i>\d+) of tensors does not require grad and does not have a grad_fn",
        summary="The loss does not depend on anything that is trained.",
        cause="Every parameter is frozen, the forward pass ran under no_grad, or item(), detach(), "
        "argmax or a new tensor cut the graph.",
        cures=(
            do("print(sum(p.requires_grad for p in model.parameters()))", "shows what is trained"),
            do("head.requires_grad_(True) after freezing the body", "trains the new head"),
        ),
    ),
    row(
        "grad-checkpoint-inputs",
        r"None of the inputs have requires_grad=True\. Gradients will be None",
        summary="Gradient checkpointing got inputs without gradients.",
        cause="With frozen embeddings the re-entrant variant sees nothing to differentiate.",
        cures=(
            do("model.enable_input_require_grads()", "lets gradients pass through frozen inputs"),
            do("checkpoint(..., use_reentrant=False)", "does not need them"),
        ),
        level=Level.WARN,
    ),
    row(
        "grad-twice",
        r"Trying to backward through the graph a second time",
        summary="backward() was called twice on the same graph.",
        cause="Something computed once is used in every step: a hidden state that was not "
        "detached, a "
        "loss summed over steps, features computed outside the loop.",
        cures=(
            do("hidden = hidden.detach()", "cuts the graph between steps"),
            do("loss.backward(retain_graph=True)", "only where two losses share one graph"),
        ),
    ),
    row(
        "grad-leaf-inplace",
        r"a (?:view of a )?leaf Variable that requires grad is being used in an in-place operation",
        summary="A parameter was changed in place while gradients are recorded.",
        cause="Autograd cannot keep the old value of a leaf.",
        cures=(do("with torch.no_grad(): p.add_(...)", "changes it outside the graph"),),
    ),
    row(
        "grad-inplace",
        r"has been modified by an inplace operation: \[(?P<what>[^\]]+\]?)\]?, which is output "
        r"\d+ of (?P<op>\w+)",
        r"needed for gradient computation has been modified by an inplace operation",
        summary="A value that the backward pass needs was changed in place ({op}).",
        cause="+=, ReLU(inplace=True), indexing assignment, or an optimizer step between two "
        "backward "
        "passes overwrote it.",
        cures=(
            do("torch.autograd.set_detect_anomaly(True)", "shows the forward line"),
            do("x = x + y instead of x += y; .clone() before changing", "keeps the old value"),
        ),
    ),
    row(
        "grad-view-inplace",
        r"Output (?P<i>\d+) of (?P<op>\w+) is a view and is being modified inplace",
        summary="One of several views from {op} was changed in place.",
        cause="Autograd cannot follow writes into split, chunk or unbind results.",
        cures=(do(".clone() it first, or write out of place", "leaves the view alone"),),
    ),
    row(
        "grad-scalar",
        r"grad can be implicitly created only for scalar outputs",
        summary="backward() was called on several values.",
        cause="The loss was not reduced (reduction='none', or nn.DataParallel's list of losses).",
        cures=(do("loss.mean().backward()", "reduces it"),),
    ),
    row(
        "grad-unused",
        r"appears? to not have been used in the graph",
        summary="A gradient was asked for something the result does not depend on.",
        cause="The input was copied, detached or simply not used.",
        cures=(do("torch.autograd.grad(..., allow_unused=True)", "when that is meant"),),
    ),
    row(
        "grad-inference",
        r"Inference tensors cannot be saved for backward",
        r"Inplace update to inference tensor outside InferenceMode",
        summary="A tensor made in inference_mode is used in training.",
        cause="Such tensors can never take part in autograd.",
        cures=(do("torch.no_grad() instead, or x.clone()", "makes an ordinary tensor"),),
    ),
    row(
        "grad-integer",
        r"[Oo]nly Tensors of floating point (?:and complex )?dtype can require gradients",
        summary="An integer tensor cannot require gradients.",
        cause="Gradients need real numbers.",
        cures=(do("torch.tensor([1.0], requires_grad=True)", "uses a float"),),
    ),
    row(
        "grad-deepcopy",
        r"Only Tensors created explicitly by the user \(graph leaves\) support the deepcopy",
        summary="A computed tensor cannot be deep-copied.",
        cause="A module keeps a result with its graph, e.g. the last loss or weight_norm's weight.",
        cures=(do("store x.detach(), or torch.nn.utils.parametrizations.weight_norm", "drops it"),),
    ),
    row(
        "grad-function-count",
        r"function (?P<name>\w+) returned an incorrect number of gradients \(expected "
        r"(?P<want>\d+), "
        r"got (?P<got>\d+)\)",
        summary="{name} must return {want} gradients, but returned {got}.",
        cause="backward() returns one value per argument of forward(), None where there is none.",
    ),
    row(
        "grad-size",
        r"Function (?P<op>\w+) returned an invalid gradient at index (?P<i>\d+) - (?P<what>got "
        r"[^\n]{0,80})",
        summary="The backward pass of {op} made a gradient of the wrong kind ({what}).",
        cause="A custom function returns another shape or device than its input has, or parts of the "
        "model lie on different devices.",
    ),
    row(
        "numpy-grad",
        r"Can't call numpy\(\) on (?:Tensor|Variable) that requires grad",
        summary="numpy() on a tensor that is part of a graph.",
        cause="NumPy cannot record gradients.",
        cures=(do("x.detach().cpu().numpy()", "takes the value only"),),
    ),
    row(
        "anomaly-nan",
        r"Function '(?P<op>\w+)' returned nan values in its (?P<i>\d+)th output",
        summary="The gradient of {op} is NaN.",
        cause="sqrt or norm at 0, log of 0, 0/0, or an overflow in half precision.",
        cures=(
            do("torch.sqrt(x + 1e-12), x.clamp_min(1e-7).log()", "keeps away from the edge"),
            do("a smaller learning rate; clip_grad_norm_", "when values grow step by step"),
        ),
        explains=("nan-loss",),
    ),
)
