"""Worker side. Export: a model as one ONNX graph, checked, and compared with the module in float64 on real input."""
