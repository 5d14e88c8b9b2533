"""Everything that wants a GPU, measured in one command, which leaves a record.

On the machine with the GPU:

1. Beside this project, copy the four gzipped IDX files of MNIST into a folder.
2. Needed there: Python 3.11 or newer, torch, torchvision, onnx, onnxscript, onnxruntime, numpy,
   typer, pillow, matplotlib, scikit-learn. The package itself need not be installed.
3. In the project's folder:

       MNIST_EDGE_DATA=FOLDER make gpu

   or, where there is no make, `MNIST_EDGE_DATA=FOLDER python3 -m benchmarks.gpu --out gpu`.

It takes 8 minutes (`--minutes`). Each stage has a process of its own and a share of the time; what
does not fit is skipped, and says so. `gpu/gpu.json` holds each figure from the moment that it is
known, `gpu/gpu.md` what to read, `gpu/runs.tar.NN` the trained weights in pieces of 12 MB
(`python -m benchmarks.gpu.weights gpu runs` makes runs of them again). Then commit
docs/gpu.md, made of gpu.md.

`--device cpu --tiny` rehearses all of it, in 75 s on 2 cores: tests/test_gpu_benchmark.py.
"""
