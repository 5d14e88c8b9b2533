"""Files that people take for ONNX files, told by their first bytes, and what to do with each."""

import re

_TO_ONNX = "convert it to ONNX, with {}"
_AT_THE_START = {
    b"version https://git-lfs.github.com/spec/": "a Git LFS pointer, not the file itself: fetch it "
    "with 'git lfs pull'",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, as Keras writes: "
    + _TO_ONNX.format("Keras' model.export(…, format='onnx') or tf2onnx"),
    b"GGUF": "a GGUF file, of language models",
    b"7767517\n": "a graph of ncnn: give the ONNX file that it was made from",
    b"\x1f\x8b": "compressed by gzip: unpack it",
    b"BZh": "compressed by bzip2: unpack it",
    b"\xfd7zXZ\x00": "compressed by xz: unpack it",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive: unpack it",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture: 'mnist-edge predict' reads it",
    b"\xff\xd8\xff": "a picture: 'mnist-edge predict' reads it",
    b"\x7fELF": "a program",
    b"MZ": "a program",
}
_FROM_BYTE_4 = {
    b"TFL3": "a TensorFlow Lite model: " + _TO_ONNX.format("tf2onnx --tflite"),
    b"ORTM": "in ONNX Runtime's own format (.ort): give the ONNX file that it was made from",
}
_IN_ARCHIVES = {
    b"data.pkl": "a file of PyTorch (weights or TorchScript): "
    + _TO_ONNX.format("torch.onnx.export, from the model's own code"),
    b"model.weights.h5": "a Keras model: "
    + _TO_ONNX.format("Keras' model.export(…, format='onnx')"),
    b".npy": "NumPy arrays, without a graph",
}
_LOOKED_AT = 4096  # of an archive: its first entries' names stand there


def identify(content: bytes) -> str | None:
    """What a file is that is no ONNX file, as the end of a sentence; None for what is not known.

    To be asked only of what was refused: an ONNX file may begin with any of these bytes.
    """
    for start, told in _AT_THE_START.items():
        if content.startswith(start):
            return told
    if (told_by_4 := _FROM_BYTE_4.get(content[4:8])) is not None:
        return told_by_4
    if content.startswith(b"PK\x03\x04"):
        return _archive(content[:_LOOKED_AT])
    if content[:1] == b"\x80" and content[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a pickle of Python, as old files of PyTorch are: " + _TO_ONNX.format(
            "torch.onnx.export, from the model's own code"
        )
    if content[8:9] == b"{" and int.from_bytes(content[:8], "little") < len(content):
        return "a safetensors file: weights without a graph"
    return _text(content[:_LOOKED_AT])


def _archive(start: bytes) -> str:
    for name, told in _IN_ARCHIVES.items():
        if name in start:
            return told
    return "a ZIP archive: unpack it"


def _text(start: bytes) -> str | None:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if re.match(rb"<(!doctype )?html", text):
        return "a web page, not the file itself: download it anew, on GitHub by 'Download raw file'"
    if text.startswith((b"<?xml", b"<net")):
        return "XML, as OpenVINO's graphs are: give the ONNX file that it was made from"
    return "JSON" if re.match(rb'[{\[]\s*["{\[\]}]', text) else None
