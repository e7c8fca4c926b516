"""ONNX graphs as records: what a file holds, what its nodes cost, and how two files differ."""
