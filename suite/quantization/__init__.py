"""Worker side. Post-training quantization: graphs by ONNX Runtime, modules by PT2E and torchao, and the proof that
something was quantized.
"""
