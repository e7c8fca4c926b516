"""Worker side. Post-training quantization: graphs with ONNX Runtime, modules with PT2E and torchao, and checks that
something was quantized.
"""
