"""Worker side. How a model is executed: eager, compiled, onnxruntime."""
