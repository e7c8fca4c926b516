"""Comparison of two ONNX graphs: nodes matched, weights compared in the float domain, shown as text, JSON or HTML."""
