"""PyTorch -> fp32 ONNX -> int8 ONNX, checked against the original before it is in place."""
