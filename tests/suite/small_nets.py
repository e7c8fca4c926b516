"""Small nets of our own for `pruned_nets.py`: a layer, something that moves its channels, and what reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from library_nets import Net
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

BATCH, CHANNELS, SIDE = 3, 12, 6


class Between(nn.Module):
    """A convolution, `between`, and the layer that reads it."""

    def __init__(
        self, between: Callable[[Tensor], Tensor], first: nn.Module, last: nn.Module
    ) -> None:
        super().__init__()
        self.first, self.last = first, last
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.between(functional.relu(self.first(x))))


def between(
    name: str,
    moves: Callable[[Tensor], Tensor],
    last: Callable[[], nn.Module] = lambda: nn.Conv2d(CHANNELS, 5, 3, padding=1),
    first: Callable[[], nn.Module] = lambda: nn.Conv2d(3, CHANNELS, 3, padding=1),
) -> Net:
    """A net of three parts."""
    return made(
        name, lambda: Between(moves, first(), last()), lambda: torch.randn(BATCH, 3, SIDE, SIDE)
    )


def made(
    name: str,
    build: Callable[[], nn.Module],
    x: Callable[[], Tensor],
    methods: tuple[str, ...] = ("channels",),
) -> Net:
    """A net by its builder."""
    return Net(name=name, library="own", build=build, inputs=lambda: {"x": x()}, methods=methods)


def shuffled(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, 3, c // 3, h, w).transpose(1, 2).reshape(n, c, h, w)


def linear(factor: int = 1) -> Callable[[], nn.Module]:
    return lambda: nn.Linear(CHANNELS * factor, 5)


def reader(channels: int) -> Callable[[], nn.Module]:
    return lambda: nn.Conv2d(channels, 5, 3, padding=1)


class Parts(nn.Module):
    """Named layers and a function of them and the input."""

    def __init__(self, run: Callable[..., Any], **layers: Any) -> None:
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x: Tensor) -> Any:
        return self.run(self, x)


def attention(
    heads: int, keys: int, *, norm: Callable[[int], nn.Module], width: int = 32
) -> nn.Module:
    """Attention with `keys` heads for keys and values, and a gated feed-forward block."""
    dim = width // heads

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.num_heads, self.num_key_value_heads, self.head_dim = heads, keys, dim
            self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, keys * dim)
            self.v_proj, self.o_proj = nn.Linear(width, keys * dim), nn.Linear(width, width)

        def forward(self, x: Tensor) -> Tensor:
            n, t, _ = x.shape
            q = self.q_proj(x).view(n, t, -1, dim).transpose(1, 2)
            k = self.k_proj(x).view(n, t, -1, dim).transpose(1, 2)
            v = self.v_proj(x).view(n, t, -1, dim).transpose(1, 2)
            k, v = (y.repeat_interleave(q.shape[1] // y.shape[1], 1) for y in (k, v))
            a = functional.scaled_dot_product_attention(q, k, v)
            return self.o_proj(a.transpose(1, 2).reshape(n, t, -1))

    def run(m: Any, x: Tensor) -> Tensor:
        h = m.embed(x)
        h = h + m.attention(m.norm1(h))
        y = m.norm2(h)
        h = h + m.down(functional.silu(m.gate(y)) * m.up(y))
        return m.head(h)

    return Parts(
        run,
        embed=nn.Linear(8, width),
        norm1=norm(width),
        norm2=norm(width),
        attention=Attention(),
        gate=nn.Linear(width, 48),
        up=nn.Linear(width, 48),
        down=nn.Linear(48, width),
        head=nn.Linear(width, 6),
    )


def multihead(width: int, heads: int) -> nn.Module:
    """nn.MultiheadAttention in a residual stream."""

    def run(m: Any, x: Tensor) -> Tensor:
        h = m.embed(x)
        h = h + m.attention(h, h, h, need_weights=False)[0]
        return m.head(h + m.down(functional.relu(m.up(h))))

    return Parts(
        run,
        embed=nn.Linear(8, width),
        attention=nn.MultiheadAttention(width, heads, batch_first=True),
        up=nn.Linear(width, 2 * width),
        down=nn.Linear(2 * width, width),
        head=nn.Linear(width, 6),
    )


def tied() -> nn.Module:
    """One weight for the table of an encoder and the head: as language models have."""
    net = Parts(
        lambda m, x: m.head(m.down(functional.relu(m.up(m.table(x))))),
        table=nn.Embedding(30, 16),
        up=nn.Linear(16, 48),
        down=nn.Linear(48, 16),
        head=nn.Linear(16, 30, bias=False),
    )
    net.head.weight = net.table.weight
    return net


class Scaled(nn.Module):
    """A bare parameter whose channels stand on the axis `axis`."""

    def __init__(self, shape: tuple[int, ...], *, adds: bool = False) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, CHANNELS, 3, padding=1), nn.Conv2d(CHANNELS, 5, 3)
        self.scale = nn.Parameter(torch.rand(shape) + 0.5)
        self.adds = adds

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        return self.last(functional.relu(h + self.scale if self.adds else h * self.scale))


def tokens() -> nn.Module:
    """A patch embedding with a class token and a table of positions, on the last axis."""

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch = nn.Conv2d(3, 16, 3, 3)
            self.token, self.places = (
                nn.Parameter(torch.rand(1, 1, 16)),
                nn.Parameter(torch.rand(1, 5, 16)),
            )
            self.norm, self.up = nn.LayerNorm(16), nn.Linear(16, 32)
            self.down, self.head = nn.Linear(32, 16), nn.Linear(16, 5)

        def forward(self, x: Tensor) -> Tensor:
            h = self.patch(x).flatten(2).transpose(1, 2)
            h = torch.cat([self.token.expand(len(h), -1, -1), h], 1) + self.places
            h = h + self.down(functional.gelu(self.up(self.norm(h))))
            return self.head(h[:, 0])

    return Tokens()


def conv(i: int, o: int, k: int = 3, **options: Any) -> nn.Module:
    return nn.Conv2d(i, o, k, padding=k // 2, **options)


def image(channels: int = 3, side: int = SIDE) -> Callable[[], Tensor]:
    return lambda: torch.randn(BATCH, channels, side, side)


SMALL = (
    between("flatten", lambda x: x.flatten(1), linear(SIDE * SIDE)),
    between(
        "flatten, channels last", lambda x: x.permute(0, 2, 3, 1).flatten(1), linear(SIDE * SIDE)
    ),
    between("mean of the picture", lambda x: x.mean((2, 3)), linear()),
    between("flip", lambda x: x.flip(1)),
    between("roll", lambda x: x.roll(5, 1)),
    between("shuffle by views", shuffled),
    between("nn.ChannelShuffle", nn.ChannelShuffle(4)),
    between("pixel shuffle", lambda x: functional.pixel_shuffle(x, 2), reader(CHANNELS // 4)),
    between("pixel unshuffle", lambda x: functional.pixel_unshuffle(x, 2), reader(CHANNELS * 4)),
    between("split and cat, swapped", lambda x: torch.cat(x.split([4, 8], 1)[::-1], 1)),
    between("chunk and cat, swapped", lambda x: torch.cat(x.chunk(3, 1)[::-1], 1)),
    between("chunk, gated", lambda x: x.chunk(2, 1)[0] * x.chunk(2, 1)[1].sigmoid(), reader(6)),
    between("chunk, one half read", lambda x: x.chunk(2, 1)[1], reader(6)),
    between("slice", lambda x: x[:, 2:10], reader(8)),
    between("every second", lambda x: x[:, ::2], reader(6)),
    between("index", lambda x: x[:, [3, 1, 0, 2, 7, 6, 5, 4, 11, 8, 9, 10]]),
    between(
        "unflatten and einsum",
        lambda x: torch.einsum("ngchw->ngchw", x.unflatten(1, (3, 4))).flatten(1, 2),
    ),
    between("repeat", lambda x: x.repeat(1, 2, 1, 1), reader(2 * CHANNELS)),
    between("repeat_interleave", lambda x: x.repeat_interleave(2, 1), reader(2 * CHANNELS)),
    between(
        "stack and flatten",
        lambda x: torch.stack([x, x.flip(3)], 2).flatten(1, 2),
        reader(2 * CHANNELS),
    ),
    between("cat with itself", lambda x: torch.cat([x, x.flip(2)], 1), reader(2 * CHANNELS)),
    between("moved axes", lambda x: x.movedim(1, -1).transpose(1, 2).movedim(-1, 1)),
    between(
        "unfold",
        lambda x: functional.unfold(x, 2, stride=2).mean(2),
        lambda: nn.Linear(CHANNELS * 4, 5),
    ),
    between(
        "adaptive pool and flatten",
        lambda x: functional.adaptive_avg_pool2d(x, 2).flatten(1),
        linear(4),
    ),
    between("sigmoid", torch.sigmoid),
    between("softplus", functional.softplus),
    between("softmax of channels", lambda x: x.softmax(1)),
    between("mean of channels", lambda x: x - x.mean(1, keepdim=True)),
    between("norm of channels", lambda x: functional.normalize(x, dim=1)),
    between("sort of channels", lambda x: x.sort(1).values),
    between("cumulative sum of channels", lambda x: x.cumsum(1)),
    between("max of channels", lambda x: x.max(1, keepdim=True).values, reader(1)),
    between("transposed convolution", lambda x: x, lambda: nn.ConvTranspose2d(CHANNELS, 5, 2, 2)),
    made(
        "two transposed convolutions",
        lambda: nn.Sequential(
            nn.ConvTranspose2d(3, 12, 2, 2),
            nn.BatchNorm2d(12),
            nn.ReLU(),
            nn.ConvTranspose2d(12, 3, 2, 2),
        ),
        image(),
    ),
    made(
        "transposed convolution in groups",
        lambda: nn.Sequential(
            conv(3, 12),
            nn.ReLU(),
            nn.ConvTranspose2d(12, 12, 2, 2, groups=3),
            nn.ReLU(),
            conv(12, 4),
        ),
        image(),
    ),
    made(
        "convolutions in groups",
        lambda: nn.Sequential(
            conv(3, 12), nn.ReLU(), conv(12, 24, groups=4), nn.ReLU(), conv(24, 4)
        ),
        image(),
    ),
    made(
        "depthwise, with a multiplier",
        lambda: nn.Sequential(
            conv(3, 8), nn.ReLU(), conv(8, 16, groups=8), nn.ReLU(), conv(16, 4, 1)
        ),
        image(),
    ),
    made(
        "depthwise separable",
        lambda: nn.Sequential(
            conv(3, 8),
            conv(8, 8, groups=8),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            conv(8, 16, 1),
            nn.Hardswish(),
            conv(16, 4, 1),
        ),
        image(),
    ),
    made(
        "shuffle after groups",
        lambda: nn.Sequential(
            conv(3, 12),
            conv(12, 12, groups=3),
            nn.ChannelShuffle(3),
            conv(12, 12, groups=3),
            nn.ReLU(),
            conv(12, 4),
        ),
        image(),
    ),
    made(
        "group norm",
        lambda: nn.Sequential(conv(3, 16), nn.GroupNorm(4, 16), nn.ReLU(), conv(16, 4)),
        image(),
    ),
    made(
        "instance norm",
        lambda: nn.Sequential(
            conv(3, 16), nn.InstanceNorm2d(16, affine=True), nn.PReLU(16), conv(16, 4)
        ),
        image(),
    ),
    made(
        "layer norm, channels last",
        lambda: Parts(
            lambda m, x: m.last(m.norm(m.first(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)),
            first=conv(3, 16),
            norm=nn.LayerNorm(16),
            last=conv(16, 4),
        ),
        image(),
    ),
    made(
        "layer norm without weights",
        lambda: Parts(
            lambda m, x: m.last(m.norm(functional.relu(m.first(x)))),
            first=nn.Linear(8, 16),
            norm=nn.LayerNorm(16, elementwise_affine=False),
            last=nn.Linear(16, 4),
        ),
        lambda: torch.randn(BATCH, 8),
    ),
    made(
        "RMSNorm",
        lambda: nn.Sequential(nn.Linear(8, 16), nn.RMSNorm(16), nn.SiLU(), nn.Linear(16, 4)),
        lambda: torch.randn(BATCH, 5, 8),
    ),
    made(
        "squeeze and excitation",
        lambda: Parts(
            lambda m, x: m.last(
                (h := functional.relu(m.first(x)))
                * m.up(functional.relu(m.down(h.mean((2, 3), keepdim=True)))).sigmoid()
            ),
            first=conv(3, 16),
            down=conv(16, 4, 1),
            up=conv(4, 16, 1),
            last=conv(16, 4),
        ),
        image(),
    ),
    made(
        "residual",
        lambda: Parts(
            lambda m, x: m.last((h := m.first(x)) + m.c2(functional.relu(m.c1(h)))),
            first=conv(3, 12),
            c1=conv(12, 12),
            c2=conv(12, 12),
            last=conv(12, 4),
        ),
        image(),
    ),
    made(
        "dense block",
        lambda: Parts(
            lambda m, x: m.last(
                torch.cat(
                    [h := m.first(x), g := m.c1(functional.relu(h)), m.c2(torch.cat([h, g], 1))], 1
                )
            ),
            first=conv(3, 8),
            c1=conv(8, 6),
            c2=conv(14, 4),
            last=conv(18, 4),
        ),
        image(),
    ),
    made(
        "U-shaped",
        lambda: Parts(
            lambda m, x: m.last(
                torch.cat([h := functional.relu(m.first(x)), m.up(functional.relu(m.down(h)))], 1)
            ),
            first=conv(3, 8),
            down=nn.Conv2d(8, 16, 2, 2),
            up=nn.ConvTranspose2d(16, 8, 2, 2),
            last=conv(16, 4),
        ),
        image(),
    ),
    made("scale of channels, (1, C, 1, 1)", lambda: Scaled((1, CHANNELS, 1, 1)), image()),
    made("scale of channels, (C, 1, 1)", lambda: Scaled((CHANNELS, 1, 1)), image()),
    made(
        "added table, (1, C, H, W)", lambda: Scaled((1, CHANNELS, SIDE, SIDE), adds=True), image()
    ),
    made("scale as wide as the picture", lambda: Scaled((1, SIDE)), image()),
    made("class token and positions", tokens, image()),
    made(
        "attention",
        lambda: attention(4, 4, norm=nn.LayerNorm),
        lambda: torch.randn(2, 5, 8),
        ("heads", "feed_forward"),
    ),
    made(
        "grouped attention, RMSNorm",
        lambda: attention(4, 2, norm=nn.RMSNorm),
        lambda: torch.randn(2, 5, 8),
        ("heads", "feed_forward"),
    ),
    made(
        "grouped attention by channels",
        lambda: attention(4, 2, norm=nn.RMSNorm),
        lambda: torch.randn(2, 5, 8),
    ),
    made("nn.MultiheadAttention", lambda: multihead(32, 4), lambda: torch.randn(2, 5, 8)),
    made(
        "nn.MultiheadAttention, width 36, 3 heads",
        lambda: multihead(36, 3),
        lambda: torch.randn(2, 5, 8),
    ),
    made(
        "nn.TransformerEncoderLayer",
        lambda: nn.Sequential(
            nn.Linear(8, 32),
            nn.TransformerEncoderLayer(32, 4, 64, batch_first=True),
            nn.Linear(32, 4),
        ),
        lambda: torch.randn(2, 5, 8),
        ("channels", "feed_forward"),
    ),
    made(
        "weight norm",
        lambda: nn.Sequential(parametrizations.weight_norm(conv(3, 12)), nn.ReLU(), conv(12, 4)),
        image(),
    ),
    made(
        "weight norm of the reader",
        lambda: nn.Sequential(
            conv(3, 12),
            nn.ReLU(),
            parametrizations.weight_norm(conv(12, 12)),
            nn.ReLU(),
            conv(12, 4),
        ),
        image(),
    ),
    made(
        "old weight norm",
        lambda: nn.Sequential(
            nn.utils.weight_norm(conv(3, 12)), nn.ReLU(), conv(12, 8), nn.ReLU(), conv(8, 4)
        ),
        image(),
    ),
    made(
        "spectral norm",
        lambda: nn.Sequential(
            conv(3, 12),
            nn.ReLU(),
            parametrizations.spectral_norm(conv(12, 12)),
            nn.ReLU(),
            conv(12, 4),
        ),
        image(),
    ),
    made("tied table and head", tied, lambda: torch.randint(0, 30, (2, 5))),
    made(
        "one layer run twice",
        lambda: Parts(
            lambda m, x: m.last(m.same(functional.relu(m.same(m.first(x))))),
            first=conv(3, 12),
            same=conv(12, 12),
            last=conv(12, 4),
        ),
        image(),
    ),
    made(
        "1D and flatten",
        lambda: Parts(
            lambda m, x: m.last(functional.relu(m.c(x)).flatten(1)),
            c=nn.Conv1d(4, 12, 3, padding=1),
            last=nn.Linear(12 * 7, 4),
        ),
        lambda: torch.randn(BATCH, 4, 7),
    ),
    made(
        "in place at the end",
        lambda: nn.Sequential(
            conv(3, 8), nn.ReLU(True), conv(8, 5, 1), nn.ReLU(True), nn.AdaptiveAvgPool2d(1)
        ),
        image(),
    ),
)
