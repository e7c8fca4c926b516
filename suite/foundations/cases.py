"""The known-answer cases, one row each: what holds when it passes, and where it cannot hold. Imports no torch."""

from __future__ import annotations

from typing import Final

from suite.axes import CUDA
from suite.foundations.case import Case
from suite.spec import Gap


def case_of(name: str) -> Case:
    """Return the case of that name; raises ValueError with the nearest one."""
    from diagnostics.did_you_mean import did_you_mean

    if name not in CASES:
        raise ValueError(f"case {name!r} is unknown{did_you_mean(name, list(CASES))}")
    return CASES[name]


PRELOAD: Final = ("torch", "torch._dynamo", "numpy.random", "suite.foundations.run")
"""What the launcher imports for the cases. The first optimizer of a process imports torch._dynamo: 3 to 4 s, which
otherwise every case with one would spend.
"""

_GRADCHECK: Final = (
    "https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html"
)


def _differences(dtype: str, error: str) -> Gap:
    return Gap(
        dtype=dtype,
        reason=f"central differences in {dtype} are off by {error} and more (eps^(2/3)), too much to tell a slope;"
        " its gradients are held against differences in float64 by the case `gradients`",
        url=_GRADCHECK,
    )


CASES: Final = {
    case.name: case
    for case in (
        Case(
            name="creation",
            runner="suite.foundations.tensors:creation",
            meaning="constructors give the numbers, shape, dtype and device that were asked for",
        ),
        Case(
            name="casting",
            runner="suite.foundations.tensors:casting",
            meaning="conversion rounds to the nearest number, ties to even, and dtypes promote by the rules",
        ),
        Case(
            name="shapes",
            runner="suite.foundations.tensors:shapes",
            meaning="views share memory, copies do not, and joining and splitting keep the order",
        ),
        Case(
            name="broadcasting",
            runner="suite.foundations.tensors:broadcasting",
            meaning="axes of extent 1 are stretched without copies, and other extents are refused",
        ),
        Case(
            name="indexing",
            runner="suite.foundations.indexing:reading",
            meaning="slices, masks, index tensors and gather pick what their definition says",
        ),
        Case(
            name="writing",
            runner="suite.foundations.indexing:writing",
            meaning="assignment and scatter change what they name and nothing else, and sums keep duplicates",
        ),
        Case(
            name="seeds",
            runner="suite.foundations.randomness:seeds",
            meaning="the same seed gives the same random numbers, another seed others",
        ),
        Case(
            name="distributions",
            runner="suite.foundations.randomness:distributions",
            meaning="random numbers have the range, mean and spread that they claim",
        ),
        Case(
            name="determinism",
            runner="suite.foundations.randomness:determinism",
            meaning="two trainings from one seed end in the same weights, bit for bit",
        ),
        Case(
            name="reductions",
            runner="suite.foundations.reductions:exact_values",
            meaning="sums, moments, extremes, sorts and running sums of small whole numbers are exact",
        ),
        Case(
            name="reduction_accuracy",
            runner="suite.foundations.reductions:accuracy",
            meaning="reductions of random numbers stay within the rounding of a good algorithm",
        ),
        Case(
            name="reduction_stability",
            runner="suite.foundations.reductions:stability",
            meaning="long sums, far-off means and huge exponents keep their digits",
        ),
        Case(
            name="products",
            runner="suite.foundations.products:exact_products",
            meaning="matmul, bmm, einsum and linear of small whole numbers are exact",
        ),
        Case(
            name="product_accuracy",
            runner="suite.foundations.products:float64_agreement",
            meaning="matrix products agree with float64 within the rounding of their sums",
        ),
        Case(
            name="activations",
            runner="suite.foundations.activations:pointwise",
            meaning="every activation is its formula",
        ),
        Case(
            name="softmax",
            runner="suite.foundations.activations:softmax",
            meaning="softmax is its formula, adds up to one, and survives huge and infinite logits",
        ),
        Case(
            name="convolution",
            runner="suite.foundations.convolution:convolution",
            meaning="convolutions are the sums of their taps, with stride, padding, dilation and groups",
        ),
        Case(
            name="pooling",
            runner="suite.foundations.convolution:pooling",
            meaning="pooling takes the greatest or the mean of each window",
        ),
        Case(
            name="attention",
            runner="suite.foundations.attention:attention",
            meaning="scaled dot-product attention is its formula, with masks, bias and grouped heads",
        ),
        Case(
            name="multihead_attention",
            runner="suite.foundations.attention:multihead",
            meaning="nn.MultiheadAttention is its formula, with and without its fast path",
        ),
        Case(
            name="batch_norm",
            runner="suite.foundations.normalization:batch_norm",
            meaning="batch norm uses the batch in training and what it kept in evaluation",
        ),
        Case(
            name="normalization",
            runner="suite.foundations.normalization:other_norms",
            meaning="layer, group, instance and RMS norm are their formulas",
        ),
        Case(
            name="dropout",
            runner="suite.foundations.dropout:dropout",
            meaning="dropout drops its share, scales the rest, and is the identity in evaluation",
        ),
        Case(
            name="autograd",
            runner="suite.foundations.autograd:known_gradients",
            meaning="gradients that are whole numbers come out exactly, second ones too",
        ),
        Case(
            name="tape",
            runner="suite.foundations.autograd:tape",
            meaning="gradients add up, stop where they are cut, and a used or changed graph is refused",
        ),
        Case(
            name="gradients",
            runner="suite.foundations.gradients:gradients",
            meaning="gradients in this dtype are the central differences in float64, but for rounding",
        ),
        Case(
            name="finite_differences",
            runner="suite.foundations.gradients:finite_differences",
            meaning="gradients are the central differences of the same dtype, and of float64 to nine digits",
            gaps=(_differences("bfloat16", "4%"), _differences("float16", "1%")),
        ),
        Case(
            name="mse",
            runner="suite.foundations.losses:mean_squared_error",
            meaning="MSE, L1 and Huber loss and their gradients are exact on figures worked out by hand",
        ),
        Case(
            name="cross_entropy",
            runner="suite.foundations.losses:cross_entropy",
            meaning="cross entropy is its sum, with smoothing, ignored labels and class weights",
        ),
        Case(
            name="binary_cross_entropy",
            runner="suite.foundations.losses:binary_cross_entropy",
            meaning="binary cross entropy and Kullback-Leibler divergence are their sums",
        ),
        Case(
            name="penalties",
            runner="suite.foundations.penalties:penalties",
            meaning="L1 and L2 penalties, their gradients and weight decay are exact",
        ),
        Case(
            name="sgd",
            runner="suite.foundations.optimizers:plain_sgd",
            meaning="three steps of SGD follow its formula",
        ),
        Case(
            name="momentum",
            runner="suite.foundations.optimizers:momentum",
            meaning="three steps of SGD with momentum, plain and Nesterov, follow the formula",
        ),
        Case(
            name="adam",
            runner="suite.foundations.optimizers:adam_steps",
            meaning="three steps of Adam follow the formula, with bias correction",
        ),
        Case(
            name="adamw",
            runner="suite.foundations.optimizers:adamw_steps",
            meaning="three steps of AdamW follow the formula, with decoupled decay",
        ),
        Case(
            name="rmsprop",
            runner="suite.foundations.optimizers:rmsprop_steps",
            meaning="three steps of RMSprop follow the formula",
        ),
        Case(
            name="adagrad",
            runner="suite.foundations.optimizers:adagrad_steps",
            meaning="three steps of Adagrad follow the formula",
        ),
        Case(
            name="clipping",
            runner="suite.foundations.clipping:clipping",
            meaning="gradients are clipped by their common norm, and small ones are left alone",
        ),
        Case(
            name="accumulation",
            runner="suite.foundations.accumulation:accumulation",
            meaning="accumulated gradients and the step with them are those of the large batch",
        ),
        Case(
            name="schedules",
            runner="suite.foundations.schedules:falling",
            meaning="falling learning rates are their closed forms at every step",
            dtypes=("float32",),
        ),
        Case(
            name="warm_up",
            runner="suite.foundations.schedules:warming",
            meaning="warm-up, warm-up then cosine, and one cycle start, turn and end where they should",
            dtypes=("float32",),
        ),
        Case(
            name="plateau",
            runner="suite.foundations.schedules:plateau",
            meaning="a waiting rate falls after its patience, and a schedule that is loaded goes on",
            dtypes=("float32",),
        ),
        Case(
            name="autocast",
            runner="suite.foundations.autocast:autocast",
            meaning="products run in the lower dtype, losses and weights stay in float32",
        ),
        Case(
            name="loss_scaling",
            runner="suite.foundations.autocast:loss_scaling",
            meaning="GradScaler scales, unscales, skips a step that overflows, halves and grows",
            gaps=(
                Gap(
                    dtype="float16",
                    reason="GradScaler refuses gradients in float16: it is made for float32 weights under autocast",
                    url="https://github.com/pytorch/pytorch/issues/74739",
                ),
                Gap(
                    device=CUDA,
                    dtype="bfloat16",
                    reason="GradScaler on CUDA has no kernel for gradients in bfloat16, which need no scaling",
                    url="https://github.com/pytorch/pytorch/issues/127176",
                ),
            ),
        ),
    )
}
"""Name -> case, from the most basic upwards."""
