"""Worker side. Execution backends: eager, compiled, onnxruntime."""
