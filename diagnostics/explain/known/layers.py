"""Messages of layers and modules."""

from __future__ import annotations

from diagnostics.explain.row import do, row, rows

ROWS = rows(
    "tensors",
    row(
        "channels",
        r"Given groups=(?P<groups>\d+), weight of size \[(?P<weight>[\d, ]+)\], expected "
        r"input\[(?P<input>[\d, ]+)\] to have (?P<want>\d+) channels, but got (?P<got>\d+) "
        r"channels",
        summary="The convolution expects {want} channels, but got {got}.",
        cause="The input is [{input}]: a grayscale image, an alpha channel, or channels last (NHWC) "
        "where (N, C, H, W) is expected.",
        cures=(
            do("x.permute(0, 3, 1, 2)", "puts the channels second"),
            do("image.convert('RGB'), or nn.Conv2d({got}, ...)", "makes the numbers agree"),
        ),
    ),
    row(
        "conv-dims",
        r"Expected (?P<want>\dD \(unbatched\) or \dD \(batched\)) input to (?P<op>\w+), but "
        r"got input "
        r"of size: (?P<got>\[[^\]]*\])",
        r"Expected (?P<want>\d-dimensional) input for \d-dimensional weight [^\n]{0,60}but got "
        r"(?P<got>[^\n]{0,60}) instead",
        summary="The layer wants {want} input, but got {got}.",
        cause="A batch or channel dimension is missing or extra.",
        cures=(do("x.unsqueeze(0) or x[:, None]", "adds the dimension"),),
    ),
    row(
        "kernel-size",
        r"Calculated padded input size per channel: \((?P<input>[^)]+)\)\. Kernel size: "
        r"\((?P<kernel>[^)]+)\)",
        r"Calculated output size: \([^)]*\)\. Output size is too small",
        summary="The image has become smaller than the kernel.",
        cause="Too many poolings or strides for this input size.",
        cures=(do("larger images, padding, or fewer poolings", "leaves something to convolve"),),
    ),
    row(
        "normalized-shape",
        r"Given normalized_shape=(?P<want>\[[^\]]*\]), expected input with shape "
        r"[^\n]{0,60}but got "
        r"input of size(?P<got>\[[^\]]*\])",
        summary="LayerNorm wants the last dimensions to be {want}, but got {got}.",
        cause="It normalises the last dimensions; channels-first features need a permute.",
    ),
    row(
        "group-norm",
        r"num_channels (?:\(\d+\) )?must be divisible by num_groups",
        summary="GroupNorm cannot divide the channels into these groups.",
        cause="The number of channels must be a multiple of the number of groups.",
    ),
    row(
        "batch-norm-channels",
        r"running_mean should contain (?P<got>\d+) elements not (?P<want>\d+)",
        summary="BatchNorm was made for {want} channels, but got {got}.",
        cause="num_features must equal the channels of the input.",
    ),
    row(
        "bn-1",
        r"Expected more than 1 value per channel when training, got input size "
        r"(?:torch\.Size\()?(?P<size>\[[^\]]*\])",
        summary="BatchNorm cannot train on one value per channel (input {size}).",
        cause="The last batch has one sample, or the model was not put into eval mode.",
        cures=(
            do("DataLoader(..., drop_last=True)", "leaves the single sample out"),
            do("model.eval()", "for inference"),
        ),
    ),
    row(
        "rnn-input-size",
        r"input\.size\(-1\) must be equal to input_size\. Expected (?P<want>\d+), got (?P<got>\d+)",
        summary="The recurrent layer expects {want} features, but got {got}.",
        cause="input_size is the last dimension; check batch_first as well.",
    ),
    row(
        "rnn-hidden-size",
        r"Expected hidden(?:\[\d\])? size \((?P<want>[\d, ]+)\), got \[(?P<got>[\d, ]+)\]",
        summary="The hidden state is [{got}], expected ({want}).",
        cause="Its middle dimension is the batch; the last batch is often smaller.",
        cures=(do("pass no hidden state, or make it from x.size(0)", "fits the batch"),),
    ),
    row(
        "lengths-on-cpu",
        r"'lengths' argument should be a 1D CPU int64 tensor",
        summary="pack_padded_sequence wants the lengths on the CPU.",
        cause="They steer the loop, not the arithmetic.",
        cures=(do("lengths.cpu()", "moves them"),),
    ),
    row(
        "heads-divide",
        r"must be divisible by num_heads(?:`? \(got `?embed_dim`?: (?P<size>\d+) and `?num_heads`?: "
        r"(?P<heads>\d+)\))?",
        r"dim should be divisible by num_heads",
        r"hidden size \((?P<size>\d+)\) is not a multiple of the number of attention heads"
        r"(?: \((?P<heads>\d+)\))?",
        summary="The embedding size is not a multiple of the number of heads ({size}, {heads}).",
        cause="Each head gets an equal share.",
        cures=(do("a size such as 64 times the number of heads", "divides evenly"),),
    ),
    row(
        "attention-size",
        r"was expecting embedding dimension of (?P<want>\d+), but got (?P<got>\d+)",
        summary="Attention expects {want} features, but got {got}.",
        cause="embed_dim is the last dimension of query, key and value; check batch_first as well.",
    ),
    row(
        "missing-forward",
        r"Module \[(?P<name>\w+)\] is missing the required \"forward\" function",
        r"_forward_unimplemented\(\) got an unexpected keyword",
        summary="The module has no forward() ({name}).",
        cause="It is misspelt or indented wrongly, or a ModuleList was called: it only holds "
        "modules.",
        cures=(do("def forward(self, x): ... inside the class", "defines it"),),
    ),
    row(
        "missing-super-init",
        r"cannot assign (?:module|parameters?|buffers?) before Module\.__init__\(\) call",
        summary="A module sets attributes before super().__init__().",
        cause="nn.Module must set itself up first.",
        cures=(do("super().__init__() as the first line of __init__", "sets it up"),),
    ),
    row(
        "forward-argument",
        r"forward\(\) (?:missing \d+ required positional arguments?: (?P<arg>'[^\n]{0,60})|got an "
        r"unexpected keyword argument (?P<arg2>'\w+')|takes \d+ positional arguments? but "
        r"\d+ were)",
        summary="forward() was called with the wrong arguments ({arg}{arg2}).",
        cause="The batch holds other keys or a tuple where several arguments are expected.",
        cures=(do("model(**batch) or model(*batch)", "unpacks the batch"),),
    ),
)
