"""Messages about shapes, indices and data types of tensors."""

from __future__ import annotations

from diagnostics.explain.row import do, row, rows
from diagnostics.finding import Level

ROWS = rows(
    "tensors",
    row(
        "shape-mm",
        r"mat1 and mat2 shapes cannot be multiplied \((?P<n>\d+)x(?P<got>\d+) and "
        r"(?P<want>\d+)x(?P<out>\d+)\)",
        r"size mismatch, m1: \[(?P<n>\d+) x (?P<got>\d+)\], m2: \[(?P<want>\d+) x (?P<out>\d+)\]",
        summary="The layer expects {want} features, but got {got}.",
        cause="The input is {n}x{got}, the weight {want}x{out}: the last dimension of the input must "
        "equal the layer's in_features. After convolutions the image size decides it.",
        cures=(
            do("print(x.shape) just before the layer", "shows what arrives"),
            do("nn.Linear({got}, {out}), or nn.LazyLinear({out})", "fits the layer to the input"),
        ),
    ),
    row(
        "shape-bmm",
        r"Expected size for first two dimensions of batch2 tensor to be: \[(?P<want>[\d, ]+)\] but "
        r"got: \[(?P<got>[\d, ]+)\]",
        summary="A batched product needs [{want}] (batch, inner size) on the right, but got [{got}].",
        cause="The batches or the inner sizes of the two operands differ.",
        cures=(do("transpose(-2, -1) one operand, or check the batch", "makes the sizes meet"),),
    ),
    row(
        "shape-dot",
        r"inconsistent tensor size, expected tensor \[(?P<want>\d+)\] and src \[(?P<got>\d+)\]",
        summary="A dot product got {want} and {got} elements.",
        cause="Both vectors must have the same length.",
    ),
    row(
        "broadcast",
        r"The size of tensor a \((?P<a>\d+)\) must match the size of tensor b \((?P<b>\d+)\) at "
        r"non-singleton dimension (?P<dim>\d+)",
        summary="Sizes {a} and {b} in dimension {dim} do not fit together.",
        cause="Broadcasting needs equal sizes or a 1 in every dimension, counted from the last.",
        cures=(do("print both shapes; unsqueeze, pad or crop one", "makes them fit"),),
    ),
    row(
        "ce-range",
        r"IndexError: Target (?P<got>-?\d+) is out of bounds",
        r"Assertion `(?:t|cur_target) >= 0 && (?:t|cur_target) < n_classes` failed",
        summary="A label is out of range ({got}).",
        cause="Class labels must be 0..C-1 for C outputs: counting from 1, an ignored class, or "
        "too few "
        "outputs break that.",
        cures=(
            do("print(labels.min(), labels.max(), logits.shape)", "shows both sides"),
            do("nn.CrossEntropyLoss(ignore_index=...)", "skips a label such as 255"),
        ),
        explains=("device-assert",),
    ),
    row(
        "ce-shape",
        r"0D or 1D target tensor expected, multi-target not supported",
        r"Expected input batch_size \((?P<a>\d+)\) to match target batch_size \((?P<b>\d+)\)",
        r"multi-target not supported at",
        summary="The labels have the wrong shape for the logits.",
        cause="Logits are (N, C), class labels (N,): no extra dimension, and the same N.",
        cures=(
            do("labels = labels.squeeze(1)", "drops an extra dimension"),
            do("logits.flatten(0, 1), labels.flatten()", "for sequences"),
        ),
    ),
    row(
        "bce-range",
        r"all elements of (?:input|target) should be between 0 and 1",
        r"Assertion `input_val >= zero && input_val <= one` failed",
        summary="Binary cross entropy got values outside 0..1.",
        cause="It takes probabilities, not logits; NaN falls outside too.",
        cures=(do("F.binary_cross_entropy_with_logits(logits, target)", "takes logits"),),
        explains=("device-assert",),
    ),
    row(
        "bce-shape",
        r"Target size \(torch\.Size\((?P<a>\[[^\]]*\])\)\) must be the same as input size "
        r"\(torch\.Size\((?P<b>\[[^\]]*\])\)\)",
        summary="The target has shape {a}, the input {b}.",
        cause="Binary losses compare element by element.",
        cures=(do("target.view_as(logits).float()", "gives the target the shape of the logits"),),
    ),
    row(
        "loss-broadcast",
        r"Using a target size \(torch\.Size\((?P<a>\[[^\]]*\])\)\) that is different to the input "
        r"size \(torch\.Size\((?P<b>\[[^\]]*\])\)\)",
        summary="The loss broadcasts a target of {a} against an input of {b}: the result is wrong.",
        cause="(N,) against (N, 1) becomes N x N comparisons.",
        cures=(do("target = target.view_as(output)", "compares one with one"),),
        level=Level.WARN,
    ),
    row(
        "emb-range",
        r"IndexError: index out of range in self",
        r"(?:indexSelect|vectorized_gather_kernel)\w*[\s\S]{0,200}?Assertion "
        r"`[^`]*(?:srcIndex|ind) "
        r"?[<>&=]",
        summary="An embedding (or index_select) got an index beyond its table.",
        cause="A token id is not below num_embeddings: another tokenizer, added tokens, or a "
        "position "
        "beyond the longest allowed sequence.",
        cures=(
            do("print(ids.max(), model.get_input_embeddings())", "shows both"),
            do("model.resize_token_embeddings(len(tokenizer))", "after adding tokens"),
        ),
        explains=("device-assert",),
    ),
    row(
        "view",
        r"view size is not compatible with input tensor's size and stride",
        summary="view() cannot be used on this memory layout.",
        cause="The tensor is not contiguous, for instance after transpose or permute.",
        cures=(do("x.reshape(...) instead of x.view(...)", "copies when it must"),),
    ),
    row(
        "reshape",
        r"shape '(?P<shape>\[[^']*\])' is invalid for input of size (?P<size>\d+)",
        summary="{size} elements do not fill the shape {shape}.",
        cause="The number of elements must stay the same; often the image size or batch differs.",
        cures=(do("x.flatten(1), or -1 for one dimension", "lets torch work it out"),),
    ),
    row(
        "stack",
        r"stack expects each tensor to be equal size, but got (?P<a>\[[^\]]*\]) at entry 0 and "
        r"(?P<b>\[[^\]]*\]) at entry (?P<i>\d+)",
        summary="Samples of different sizes cannot be stacked: {a} and {b}.",
        cause="The default collate function stacks the samples of a batch.",
        cures=(
            do("resize or pad the samples in the dataset", "makes them equal"),
            do("DataLoader(..., collate_fn=lambda batch: tuple(zip(*batch)))", "keeps lists"),
        ),
    ),
    row(
        "cat",
        r"Sizes of tensors must match except in dimension (?P<dim>\d+)\. (?:Expected size "
        r"(?P<a>\d+) but got size (?P<b>\d+)|Got (?P<c>\d+) and (?P<d>\d+))",
        summary="Tensors to be joined along dimension {dim} differ in another dimension.",
        cause="In a U-Net this is an image size that is not a multiple of the total stride.",
        cures=(
            do("pad the image to a multiple of 32, or interpolate before cat", "makes them equal"),
        ),
    ),
    row(
        "index-range",
        r"index (?P<i>-?\d+) is out of bounds for dimension (?P<dim>\d+) with size (?P<size>\d+)",
        r"select\(\): index (?P<i>-?\d+) out of range for tensor of size (?P<size>\[[^\]]*\])",
        summary="Index {i} was asked for, but the size is {size}.",
        cause="Indices run from 0 to size-1.",
    ),
    row(
        "dim-range",
        r"Dimension out of range \(expected to be in range of \[(?P<range>[-\d, ]+)\], but got "
        r"(?P<got>-?\d+)\)",
        summary="Dimension {got} does not exist; allowed: {range}.",
        cause="The tensor has fewer dimensions than the code expects, often a missing batch "
        "dimension.",
        cures=(do("x.unsqueeze(0)", "adds a batch dimension"),),
    ),
    row(
        "too-many-indices",
        r"too many indices for tensor of dimension (?P<dim>\d+)",
        summary="A tensor with {dim} dimensions was indexed with more.",
        cause="A dimension was lost before, by squeeze, indexing or item().",
        cures=(do("print(x.shape)", "shows what is there"),),
    ),
    row(
        "mask-shape",
        r"The shape of the mask (?P<a>\[[^\]]*\]) at index \d+ does not match the shape of the "
        r"indexed tensor (?P<b>\[[^\]]*\])",
        summary="The mask has shape {a}, the tensor {b}.",
        cause="A boolean mask must have the shape of what it selects from.",
    ),
    row(
        "expand",
        r"The expanded size of the tensor \((?P<a>\d+)\) must match the existing size "
        r"\((?P<b>\d+)\)",
        summary="A dimension of size {b} cannot be expanded to {a}.",
        cause="Only dimensions of size 1 expand; in language models, the input is often longer "
        "than the "
        "positions that the model knows.",
        cures=(do("tokenizer(..., truncation=True, max_length=...)", "cuts the input"),),
    ),
    row(
        "permute",
        r"number of dim(?:ension)?s (?:in|don't match)[^\n]{0,80}(?:permute|desired ordering)",
        summary="permute() got another number of dimensions than the tensor has.",
        cause="A batch or channel dimension is missing or extra.",
    ),
    row(
        "scalar",
        r"a Tensor with (?P<n>\d+) elements cannot be converted to Scalar",
        r"only one element tensors can be converted to Python scalars",
        summary="item() needs one element.",
        cause="The loss or metric was not reduced.",
        cures=(do("x.mean().item() or x.tolist()", "reduces it, or takes all values"),),
    ),
    row(
        "bool-ambiguous",
        r"Boolean value of Tensor with more than one value is ambiguous",
        summary="A tensor with several values was used as a condition.",
        cause="`if`, `and`, `or`, `in` need one truth value.",
        cures=(do("(a == b).all(), or & and | between masks", "says which is meant"),),
    ),
    row(
        "one-hot",
        r"Class values must be (?:smaller than num_classes|non-negative)",
        summary="one_hot got a class outside 0..num_classes-1.",
        cause="A label is negative or too large.",
        cures=(do("print(labels.min(), labels.max())", "shows the labels"),),
    ),
    row(
        "ragged",
        r"expected sequence of length (?P<a>\d+) at dim (?P<dim>\d+) \(got (?P<b>\d+)\)",
        summary="Lists of different lengths ({a} and {b}) make no tensor.",
        cause="A tensor is rectangular.",
        cures=(do("nn.utils.rnn.pad_sequence, or tokenizer(..., padding=True)", "pads them"),),
    ),
    row(
        "singular",
        r"could not be completed because the input (?:matrix is singular|is not positive-definite)",
        summary="The matrix has no inverse or is not positive definite.",
        cause="Rows depend on each other, or rounding made a variance negative.",
        cures=(do("matrix + 1e-6 * torch.eye(n), or torch.linalg.pinv", "steadies it"),),
    ),
    row(
        "empty-reduction",
        r"Expected reduction dim to be specified for input\.numel\(\) == 0",
        summary="max() or min() of an empty tensor.",
        cause="A filter left nothing, for instance no boxes.",
        cures=(do("if x.numel(): ...", "handles the empty case"),),
    ),
)
