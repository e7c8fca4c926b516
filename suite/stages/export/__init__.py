"""Worker side. Export: a model as one ONNX graph, checked, and compared with eager on real
input.
"""
