"""Messages about data types, devices and what is not implemented for them."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, row, rows

ROWS = rows(
    "tensors",
    row(
        "dtype-mm",
        r"mat1 and mat2 must have the same dtype, but got (?P<a>\w+) and (?P<b>\w+)",
        r"expected m1 and m2 to have the same dtype, but got: (?P<a>\w+) != (?P<b>\w+)",
        r"expected scalar type (?P<a>Float|Double|Half|BFloat16) but found "
        r"(?P<b>Float|Double|Half|BFloat16|Int)",
        summary="The operands have different data types: {a} and {b}.",
        cause="Layers and inputs must share one dtype; NumPy arrays are float64 by default, and a "
        "model in half precision needs half inputs or autocast.",
        cures=(
            do("x = x.to(next(model.parameters()).dtype)", "gives the input the model's dtype"),
            do("with torch.autocast(device_type): ...", "mixes precisions on purpose"),
        ),
    ),
    row(
        "dtype-conv",
        r"Input type \((?P<a>[^)]+)\) and (?:bias|weight) type \((?P<b>[^)]+)\) should be the same",
        summary="The input is {a}, the layer's parameters are {b}.",
        cause="Images are loaded as bytes and NumPy makes float64; `torch.FloatTensor` against "
        "`torch.cuda.FloatTensor` means that one of them is still on the CPU.",
        cures=(
            do("x = x.float() / 255", "turns image bytes into floats"),
            do("x = x.to(next(model.parameters()))", "takes the model's dtype and device"),
        ),
    ),
    row(
        "ce-dtype",
        r"expected target dtype to be Long or Byte, but got (?P<got>\w+)",
        r"expected scalar type Long but found (?P<got>\w+)",
        r"\"(?:nll_loss_\w+_no_reduce|nll_loss_\w+)\" not implemented for '(?P<got>Int|Float)'",
        summary="The labels are {got}, but class labels must be integers of type long.",
        cause="Cross entropy takes class indices as int64; floats are taken as probabilities, and "
        "then need the shape of the logits.",
        cures=(do("labels = labels.long()", "converts them"),),
        explains=("not-implemented-dtype",),
    ),
    row(
        "emb-dtype",
        r"Expected tensor for argument #1 'indices' to have one of the following scalar types: "
        r"Long, Int; but got torch\.(?:cuda\.)?(?P<got>\w+)Tensor",
        summary="Indices are {got}, but must be integers.",
        cause="An embedding looks rows up by number.",
        cures=(do("ids = ids.long()", "converts them"),),
    ),
    row(
        "mean-integer",
        r"mean\(\): (?:could not infer output dtype\. )?[Ii]nput dtype (?:must|should) be either "
        r"(?:a )?floating point or complex dtypes?[^\n]{0,20}Got:? (?P<got>\w+)",
        summary="mean() of {got} values needs a floating-point type.",
        cause="The mean of integers is no integer.",
        cures=(do("x.float().mean()", "converts first"),),
    ),
    row(
        "cast-result",
        r"result type (?P<a>\w+) can't be cast to the desired output type (?P<b>\w+)",
        summary="A {a} result cannot be stored into a {b} tensor.",
        cause="In-place operations keep the type of their target.",
        cures=(do("x = x + y instead of x += y, or x = x.float()", "makes room for the result"),),
    ),
    row(
        "object-array",
        r"can't convert np\.ndarray of type numpy\.(?P<type>object_|str_|\w*datetime\w*)",
        summary="A NumPy array of type {type} cannot become a tensor.",
        cause="It holds strings, None or rows of different length; in pandas, a column of type "
        "object.",
        cures=(do("array.astype('float32')", "converts it, or names the value that does not fit"),),
    ),
    row(
        "negative-stride",
        r"tensors with negative strides are not currently supported",
        r"some of the strides of a given numpy array are negative",
        summary="The NumPy array is a reversed view.",
        cause="array[::-1] and np.flip make negative strides, which torch does not have.",
        cures=(do("torch.from_numpy(array.copy())", "makes a plain array"),),
    ),
    row(
        "not-implemented-dtype",
        r"\"(?P<op>[\w<>:]+)\" not implemented for '(?P<type>\w+)'",
        r"(?<![\w.])(?P<op>[\w.]{1,80}): Low precision dtypes not supported\. Got (?P<type>\w+)",
        summary="The operation {op} does not exist for {type} on this device.",
        cause="Many operations have no half-precision version on the CPU, and few work on integers.",
        cures=(
            do("x.float(), or model.float() on the CPU", "uses a type that is implemented"),
            do("torch.bfloat16 instead of float16 on the CPU", "is implemented far more widely"),
        ),
    ),
    row(
        "not-a-tensor",
        r"\b(?P<op>\w{1,80})\(\): argument '(?P<arg>\w+)' \(position \d+\) must be Tensor, not "
        r"(?P<got>[\w.]+)",
        r"(?P<op>conv\d?d?\w*|max_pool\dd|embedding|dropout|batch_norm)\(\) received an invalid "
        r"combination of arguments - got \((?P<got>[\w.]+),",
        summary="{op} got a {got} instead of a tensor.",
        cause="A PIL image or NumPy array was not converted, or a module that returns a tuple "
        "(an LSTM, "
        "a Hugging Face model) feeds the next one.",
        cures=(do("transforms.ToTensor(), torch.from_numpy, or out[0]", "hands over a tensor"),),
    ),
    row(
        "not-one-device",
        r"Expected all tensors to be on the same device, but (?:found at least two devices, "
        r"(?P<a>[\w:]+) and (?P<b>[\w:]+)|got (?P<c>\w+) is on (?P<d>[\w:]+))",
        r"Tensor on device (?P<a>[\w:]+) is not on the expected device (?P<b>[\w:]+)",
        r"Input and (?:parameter|hidden) tensors are not at the same device",
        r"Expected object of device type (?P<a>\w+) but got device type (?P<b>\w+)",
        summary="Tensors lie on different devices ({a} and {b}).",
        cause="The model or part of the input was not moved; tensors kept in plain lists or made "
        "inside "
        "forward() do not move with the model.",
        cures=(
            do("model.to(device); batch = batch.to(device)", "moves both"),
            do(
                "self.register_buffer(...), torch.arange(n, device=x.device)",
                "keeps new ones there",
            ),
        ),
    ),
    row(
        "numpy-on-gpu",
        r"can't convert (?P<device>[\w:]+) device type tensor to numpy",
        summary="A tensor on {device} cannot become a NumPy array.",
        cause="NumPy lives on the CPU.",
        cures=(do("x.detach().cpu().numpy()", "copies it first"),),
    ),
    row(
        "numpy-bfloat16",
        r"Got unsupported ScalarType (?P<type>BFloat16|Float8\w*)",
        summary="NumPy has no {type}.",
        cause="The type exists in torch only.",
        cures=(do("x.float().numpy()", "converts first"),),
    ),
    row(
        "meta",
        r"Cannot copy out of meta tensor; no data!",
        r"Tensor\.item\(\) cannot be called on meta tensors",
        summary="A tensor without data (on the meta device) was used.",
        cause="The model was made with device='meta' or low_cpu_mem_usage, and some weights "
        "were never "
        "loaded.",
        cures=(do("model.to_empty(device=...), then load_state_dict", "makes room and fills it"),),
    ),
    row(
        "backend-missing-op",
        r"Could not run '(?P<op>[\w:.]+)' with arguments from the '(?P<backend>\w+)' backend",
        summary="{op} does not exist for {backend}.",
        cause="The device or layout (sparse, quantized, MPS) lacks it, or, for torchvision::nms, a "
        "CPU-only torchvision sits beside a CUDA torch.",
        cures=(
            do("x.to_dense(), or move this step to the CPU", "uses what is implemented"),
            pip("install --force-reinstall torch torchvision", "when it is torchvision::nms"),
        ),
    ),
    row(
        "mps-missing-op",
        r"The operator '(?P<op>[\w:.]+)' is not currently implemented for the MPS device",
        r"Cannot convert a MPS Tensor to float64 dtype",
        summary="The Mac's GPU backend cannot do this ({op}).",
        cause="MPS lacks some operators and float64.",
        cures=(do("export PYTORCH_ENABLE_MPS_FALLBACK=1", "does these steps on the CPU"),),
    ),
)
