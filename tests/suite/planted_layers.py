"""Small graphs with a layer that 8 bits hurt: one channel of its input is a thousand times as large as the others."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from quantization_graphs import node, random, save

HUGE = 1000.0


def uneven(width):
    """One huge channel, and the inverse with which weights make up for it."""
    scale = np.ones(width, np.float32)
    scale[0] = HUGE
    return scale, 1 / scale


def chain_of_convolutions(path, *, planted=2, layers=4, width=12):
    """Convolutions `c0`, `c1` ... and a head `fc`; the input of the planted one has one huge channel.

    The channel matters as little to the answer as any other, so float sees nothing of it.
    """
    nodes, weights, before = [], {}, "x"
    for number in range(layers):
        channels = 3 if number == 0 else width
        weight = random(width, channels, 3, 3, seed=number)
        if number == planted:
            scale, inverse = uneven(channels)
            weights["scale"] = scale.reshape(1, -1, 1, 1)
            weight = weight * inverse.reshape(1, -1, 1, 1)
            nodes.append(node("Mul", [before, "scale"], "scaled", "uneven"))
            before = "scaled"
        weights[f"w{number}"] = weight
        out, relu = f"y{number}", f"r{number}"
        scope = f"body/body.{number}/conv2d"
        nodes.append(node("Conv", [before, f"w{number}"], out, f"c{number}", scope, pads=[1] * 4))
        nodes.append(node("Relu", [out], relu, f"relu{number}"))
        before = relu
    weights["wf"] = random(10, width * 64, scale=0.05)
    nodes.append(node("Flatten", [before], "flat", "flatten"))
    nodes.append(node("Gemm", ["flat", "wf"], "p", "fc", "head/linear", transB=1))
    inputs, outputs = (
        {"x": (TensorProto.FLOAT, ["n", 3, 8, 8])},
        {"p": (TensorProto.FLOAT, ["n", 10])},
    )
    return save(path, nodes, weights, inputs, outputs)


def chain_of_products(path, *, planted=2, layers=4, width=64, is_norm=False):
    """Matrix products `m0`, `m1` ...; the input of the planted one has one huge channel, of the weight of a norm if
    `is_norm`: a vector, which can be changed with the weights that read it.
    """
    nodes, weights, before = [], {}, "x"
    for number in range(layers):
        weight = random(width, width, seed=number, scale=0.15)
        if number == planted:
            scale, inverse = uneven(width)
            weights["scale"] = scale if is_norm else scale.reshape(1, -1)
            weight = weight * inverse.reshape(-1, 1)
            nodes.append(node("Mul", [before, "scale"], "scaled", "uneven"))
            before = "scaled"
        weights[f"w{number}"] = weight
        scope = f"blocks/blocks.{number}/linear"
        nodes.append(node("MatMul", [before, f"w{number}"], f"y{number}", f"m{number}", scope))
        nodes.append(node("Tanh", [f"y{number}"], f"t{number}", f"tanh{number}"))
        before = f"t{number}"
    inputs, outputs = (
        {"x": (TensorProto.FLOAT, ["n", width])},
        {before: (TensorProto.FLOAT, ["n", width])},
    )
    return save(path, nodes, weights, inputs, outputs)


def rows(count=4, batch=4, width=64, seed=0):
    dice = np.random.default_rng(seed)
    return [{"x": dice.standard_normal((batch, width)).astype(np.float32)} for _ in range(count)]
