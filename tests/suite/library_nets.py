"""Nets of torchvision, timm and transformers for `pruned_nets.py`: small sizes, small pictures, short texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """One net."""

    name: str
    library: str
    build: Callable[[], nn.Module]
    inputs: Callable[[], dict[str, Any]]
    methods: tuple[str, ...] = ("channels",)
    """Tried in this order until one is not refused, as its message advises."""
    ratio: float = 0.5


def picture(side: int = 64, *, name: str = "x", channels: int = 3) -> Callable[[], dict[str, Any]]:
    """Two pictures."""
    return lambda: {name: torch.randn(2, channels, side, side)}


def text(length: int = 9) -> Callable[[], dict[str, Any]]:
    """Two texts."""
    return lambda: {"input_ids": torch.randint(3, 90, (2, length))}


def torchvision(name: str, side: int = 64, **options: Any) -> Net:
    """A net of torchvision without its weights."""

    def build() -> nn.Module:
        import torchvision.models as models

        return models.get_model(name, weights=None, **options)

    methods = ("feed_forward",) if name.startswith(("swin", "maxvit", "vit")) else ("channels",)
    return Net(
        name=name,
        library="torchvision",
        build=build,
        inputs=picture(side, name="input" if name.startswith("vit") else "x"),
        methods=("channels", *methods) if methods != ("channels",) else methods,
    )


def video(name: str) -> Net:
    """A net of torchvision for short films."""

    def build() -> nn.Module:
        import torchvision.models as models

        return models.get_model(name, weights=None, num_classes=10)

    shape = (2, 3, 16, 32, 32) if name == "s3d" else (2, 3, 4, 32, 32)
    return Net(
        name=name, library="torchvision", build=build, inputs=lambda: {"x": torch.randn(shape)}
    )


def small_vit() -> nn.Module:
    """torchvision's vision transformer, narrow."""
    from torchvision.models import VisionTransformer

    return VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=10)


def timm(
    name: str, side: int = 64, methods: tuple[str, ...] = ("channels",), **options: Any
) -> Net:
    """A net of timm without its weights."""

    def build() -> nn.Module:
        import timm as library

        return library.create_model(name, pretrained=False, num_classes=10, **options)

    return Net(name=name, library="timm", build=build, inputs=picture(side), methods=methods)


def transformers(
    model: str,
    config: str,
    inputs: Callable[[], dict[str, Any]] | None = None,
    methods: tuple[str, ...] = ("heads", "feed_forward"),
    **options: Any,
) -> Net:
    """A net of transformers in a small configuration."""

    def build() -> nn.Module:
        import transformers as library

        settings = getattr(library, config)(**options)
        settings._attn_implementation = "eager"
        return getattr(library, model)(settings)

    return Net(
        name=model, library="transformers", build=build, inputs=inputs or text(), methods=methods
    )


BERT = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
DECODER = {**BERT, "num_key_value_heads": 4, "use_cache": False, "pad_token_id": 0}
WINDOW = ("channels", "feed_forward")

NETS = (
    torchvision("resnet18"),
    torchvision("resnext50_32x4d"),
    torchvision("densenet121"),
    torchvision("mobilenet_v2"),
    torchvision("mobilenet_v3_small"),
    torchvision("shufflenet_v2_x0_5"),
    torchvision("squeezenet1_1"),
    torchvision("mnasnet0_5"),
    torchvision("efficientnet_b0"),
    torchvision("regnet_x_400mf"),
    torchvision("regnet_y_400mf"),
    torchvision("googlenet", 96, aux_logits=False, init_weights=False),
    torchvision("inception_v3", 96, aux_logits=False, init_weights=False),
    torchvision("convnext_tiny"),
    torchvision("swin_t", 64),
    torchvision("lraspp_mobilenet_v3_large", 64, weights_backbone=None, num_classes=5),
    torchvision("deeplabv3_mobilenet_v3_large", 64, weights_backbone=None, num_classes=5),
    video("r3d_18"),
    video("r2plus1d_18"),
    video("s3d"),
    Net(
        name="VisionTransformer",
        library="torchvision",
        build=small_vit,
        inputs=picture(32),
        methods=WINDOW,
    ),
    timm("resnet10t"),
    timm("mobilenetv4_conv_small"),
    timm("ghostnet_050"),
    timm("repvgg_a0"),
    timm("lcnet_050"),
    timm("ese_vovnet19b_dw"),
    timm("cspresnet50"),
    timm("hrnet_w18_small"),
    timm("rexnet_100"),
    timm("convnextv2_atto"),
    timm("resnest14d"),
    timm("dla34"),
    timm("efficientvit_b0"),
    timm("convmixer_768_32", 56),
    timm("mixer_s32_224", 224, WINDOW),
    timm("poolformer_s12", 64, WINDOW),
    timm("deit_tiny_patch16_224", 224, WINDOW),
    timm("mobilevit_xxs", 64, WINDOW),
    timm("levit_128s", 224, WINDOW),
    timm("edgenext_xx_small", 64, WINDOW),
    timm("dm_nfnet_f0", 64),
    transformers("BertModel", "BertConfig", **BERT),
    transformers("RobertaModel", "RobertaConfig", **BERT),
    transformers("ElectraModel", "ElectraConfig", embedding_size=16, **BERT),
    transformers(
        "DistilBertModel",
        "DistilBertConfig",
        vocab_size=99,
        dim=32,
        n_layers=2,
        n_heads=4,
        hidden_dim=64,
    ),
    transformers("DebertaV2Model", "DebertaV2Config", **BERT),
    transformers(
        "GPT2LMHeadModel",
        "GPT2Config",
        methods=("feed_forward",),
        vocab_size=99,
        n_embd=32,
        n_layer=2,
        n_head=4,
        use_cache=False,
    ),
    transformers(
        "OPTForCausalLM",
        "OPTConfig",
        vocab_size=99,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        ffn_dim=64,
        word_embed_proj_dim=32,
        use_cache=False,
    ),
    transformers("LlamaForCausalLM", "LlamaConfig", **DECODER),
    transformers("LlamaForCausalLM", "LlamaConfig", **{**DECODER, "num_key_value_heads": 2}),
    transformers("Qwen2ForCausalLM", "Qwen2Config", **{**DECODER, "num_key_value_heads": 2}),
    transformers(
        "GemmaForCausalLM", "GemmaConfig", head_dim=8, **{**DECODER, "num_key_value_heads": 1}
    ),
    transformers("PhiForCausalLM", "PhiConfig", **DECODER),
    transformers("GPTNeoXForCausalLM", "GPTNeoXConfig", use_cache=False, **BERT),
    transformers(
        "T5EncoderModel",
        "T5Config",
        vocab_size=99,
        d_model=32,
        d_ff=64,
        d_kv=8,
        num_layers=2,
        num_heads=4,
    ),
    transformers(
        "BartModel",
        "BartConfig",
        vocab_size=99,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        use_cache=False,
    ),
    transformers(
        "ViTModel",
        "ViTConfig",
        picture(32, name="pixel_values"),
        image_size=32,
        patch_size=8,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
    ),
    transformers(
        "Dinov2Model",
        "Dinov2Config",
        picture(32, name="pixel_values"),
        image_size=32,
        patch_size=8,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
    ),
    transformers(
        "SegformerModel",
        "SegformerConfig",
        picture(64, name="pixel_values"),
        methods=WINDOW,
        hidden_sizes=[16, 32, 32, 64],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 2, 2, 4],
    ),
    transformers(
        "ResNetModel",
        "ResNetConfig",
        picture(64, name="pixel_values"),
        methods=("channels",),
        embedding_size=16,
        hidden_sizes=[16, 32],
        depths=[1, 1],
        layer_type="basic",
    ),
    transformers(
        "MobileNetV2Model",
        "MobileNetV2Config",
        picture(64, name="pixel_values"),
        methods=("channels",),
    ),
    transformers(
        "Wav2Vec2Model",
        "Wav2Vec2Config",
        lambda: {"input_values": torch.randn(2, 4000)},
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        **{k: v for k, v in BERT.items() if k != "max_position_embeddings"},
    ),
)
