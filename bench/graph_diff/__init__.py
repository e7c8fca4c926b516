"""Two ONNX graphs compared: nodes matched, weights compared in the float domain, shown as text, JSON or a page."""
