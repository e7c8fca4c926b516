"""A models file as a user writes it: small nets that export well, badly, or not at all."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from suite.spec import Export, ModelSpec, Size

BATCH = {"x": {0: "batch"}}


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(28 * 28, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.flatten(1))


class TwoOutputs(Linear):
    def forward(self, x: Tensor) -> Any:
        logits = super().forward(x)
        return {"logits": logits, "more": [logits.sigmoid(), (logits.exp(),)]}


class Constant(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x * 0)


class Saturated(Linear):
    """A classifier that is sure of itself: dark pictures, of which the first two are, get one answer."""

    def forward(self, x: Tensor) -> Tensor:
        is_bright = (x.mean(dim=(1, 2, 3)) > -0.49).to(x.dtype)
        return self.layer.bias + is_bright[:, None]


class Remembers(Linear):
    """Answers otherwise when traced: stands for an exporter's bug."""

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        is_traced = torch.compiler.is_exporting() or torch.jit.is_tracing()
        return logits * 2 if is_traced else logits


class RemembersDynamo(Linear):
    """Answers otherwise under torch.export alone: the legacy exporter makes a good graph of it."""

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return logits * 2 if torch.compiler.is_exporting() else logits


class Unrolled(nn.Module):
    """Its loop is unrolled by the trace: the graph holds for one number of rows whatever it claims."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(28, 5)

    def forward(self, x: Tensor) -> Tensor:
        rows = int(x.flatten(1, 2).shape[1])
        total = self.layer(x.flatten(1, 2)[:, 0])
        for row in range(1, rows):
            total = total + self.layer(x.flatten(1, 2)[:, row])
        return total


class Unexportable(Linear):
    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_exporting() or torch.jit.is_tracing():
            raise RuntimeError("this net refuses to be traced")
        return super().forward(x)


class OnlyLegacy(Linear):
    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_exporting():
            raise RuntimeError("this net refuses torch.export")
        return super().forward(x)


class BranchesOnValue(Linear):
    """The other branch is off by thirty."""

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        if logits.mean() > 100:
            return logits + 30
        return logits


class ReadsNumber(Linear):
    """A number in Python that depends on the input."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * float(x.flatten(1).std())


class ChecksValue(OnlyLegacy):
    """Its branch on a value only refuses inputs."""

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        if logits.mean() > 100:
            raise ValueError("too large")
        return logits


class BranchesOnExtent(Linear):
    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return logits * 2 if x.shape[0] > 3 else logits


class BranchesOnManyRows(Linear):
    """The other branch lies beyond every extent that is tried by default."""

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return logits * 2 if x.shape[0] > 20 else logits


class BranchesOnParity(Linear):
    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return logits * 2 if x.shape[0] % 2 else logits


class NamedOtherwise(Linear):
    """Returns its outputs by name, in another order than the record."""

    def forward(self, x: Tensor) -> Any:
        logits = super().forward(x)
        return {"score": logits.sum(1), "logits": logits}


class CountsCalls(Linear):
    """Answers every call otherwise, by two buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pace", torch.zeros(()))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        self.count.add_(1)
        self.pace.lerp_(x.mean() + 1.0, 0.5)
        return super().forward(x - self.pace)


class KeepsACount(Linear):
    """Changes a buffer that no answer depends on: nothing is wrong with it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        self.count.add_(1)
        return super().forward(x)


class StepsAnAttribute(Linear):
    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        return super().forward(x) * self.steps


class DrawsNoise(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(super().forward(x), training=True)


class TakesADict(Linear):
    def forward(self, batch: Any) -> Tensor:
        return super().forward(batch["pixels"])


class AnnotatedDict(Linear):
    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        (x,) = batch.values()
        return super().forward(x)


class Spectrum(Linear):
    """Multiplies by a complex parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.filter = nn.Parameter(torch.randn(1, 28, 15, dtype=torch.complex64))

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(x, norm="ortho") * self.filter
        return super().forward(torch.fft.irfft2(spectrum, s=x.shape[-2:], norm="ortho"))


class ComplexSolve(Spectrum):
    """Complex numbers in an operator that no exporter has."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y + torch.linalg.eigvals(self.filter[0, :15, :15]).real.sum()


@torch.library.custom_op("vitals_test::squash", mutates_args=())
def squash(x: torch.Tensor) -> torch.Tensor:
    return x / (1 + x.abs())


@squash.register_fake
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


def squash_in_onnx(x: Any) -> Any:
    from onnxscript import opset20 as op

    return op.Div(x, op.Add(op.Constant(value_float=1.0), op.Abs(x)))


class OwnOperator(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return squash(super().forward(x))


class SelectsByValue(Linear):
    """The number of rows that it answers depends on the values."""

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return logits[: int((logits > 0).sum())] * 1.0


def record(name: str, net: type[nn.Module], **fields: Any) -> ModelSpec:
    settings: dict[str, Any] = {
        "outputs": ("logits",),
        "export": Export(dynamic={"x": {0: "batch"}}),
        **fields,
    }
    return ModelSpec(
        name=name,
        family="own",
        task="image_classification",
        build=net,
        sizes={"tiny": Size(inputs={"channels": 1, "side": 28, "classes": 10})},
        **settings,
    )


MODELS = (
    record("linear", Linear),
    record("two_outputs", TwoOutputs, outputs=("logits", "probability", "odds")),
    record("constant", Constant),
    record("saturated", Saturated),
    record("remembers", Remembers),
    record("remembers_dynamo", RemembersDynamo),
    record("misnamed", TwoOutputs),
    record("unexportable", Unexportable),
    record("only_legacy", OnlyLegacy),
    record(
        "unrolled",
        Unrolled,
        export=Export(recipe="legacy", dynamic={"x": {0: "batch", 2: "rows"}}),
    ),
    record("branches_on_value", BranchesOnValue),
    record("reads_number", ReadsNumber, export=Export(recipe="legacy", dynamic=BATCH)),
    record("checks_value", ChecksValue, export=Export(recipe="legacy", dynamic=BATCH)),
    record("branches_on_extent", BranchesOnExtent),
    record("branches_on_many_rows", BranchesOnManyRows),
    record("branches_on_parity", BranchesOnParity),
    record("named_otherwise", NamedOtherwise, outputs=("logits", "score")),
    record("half_named", NamedOtherwise, outputs=("logits", "sum")),
    record("counts_calls", CountsCalls),
    record("keeps_a_count", KeepsACount),
    record("steps_an_attribute", StepsAnAttribute),
    record("draws_noise", DrawsNoise),
    record("takes_a_dict", TakesADict, arguments={"x": "batch"}, export=Export()),
    record("annotated_dict", AnnotatedDict, arguments={"x": "batch"}, export=Export()),
    record("spectrum", Spectrum),
    record("complex_solve", ComplexSolve),
    record("own_operator", OwnOperator),
    record(
        "own_operator_translated",
        OwnOperator,
        export=Export(dynamic=BATCH, translations={"vitals_test::squash": squash_in_onnx}),
    ),
    record(
        "unknown_translation",
        OwnOperator,
        export=Export(dynamic=BATCH, translations={"nowhere::squash": squash_in_onnx}),
    ),
    record("selects_by_value", SelectsByValue),
    record("unknown_recipe", Linear, export=Export(recipe="magic")),
    record("unknown_input", Linear, export=Export(dynamic={"images": {0: "batch"}})),
)
