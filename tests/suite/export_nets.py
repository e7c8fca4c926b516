"""A models file as a user writes it: small nets that export well, badly, or not at all."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from suite.spec import Export, ModelSpec, Size


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
        import torch

        logits = super().forward(x)
        is_traced = torch.compiler.is_exporting() or torch.jit.is_tracing()
        return logits * 2 if is_traced else logits


class RemembersDynamo(Linear):
    """Answers otherwise under torch.export alone: the legacy exporter makes a good graph of it."""

    def forward(self, x: Tensor) -> Tensor:
        import torch

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
        import torch

        if torch.compiler.is_exporting() or torch.jit.is_tracing():
            raise RuntimeError("this net refuses to be traced")
        return super().forward(x)


class OnlyLegacy(Linear):
    def forward(self, x: Tensor) -> Tensor:
        import torch

        if torch.compiler.is_exporting():
            raise RuntimeError("this net refuses torch.export")
        return super().forward(x)


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
    record("unknown_recipe", Linear, export=Export(recipe="magic")),
    record("unknown_input", Linear, export=Export(dynamic={"images": {0: "batch"}})),
)
