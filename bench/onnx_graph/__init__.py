"""ONNX files as records: nodes, shapes, multiply-accumulates and weights."""
