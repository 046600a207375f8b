"""Makes quantised.json: one block of each ggml type, and its values as the Python package gguf (0.19.0) dequantises them.

    pip install gguf==0.19.0 && python quantised.py > quantised.json
"""

import json

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

SCALES = {  # where a block keeps its float16 scales
    T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
    T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
}
blocks = {}
for kind, places in SCALES.items():
    size = GGML_QUANT_SIZES[kind][1]
    block = np.array([(i * i * 7 + i * 31 + 11 * kind) % 256 for i in range(size)], dtype=np.uint8)
    for number, place in enumerate(places):
        block[place : place + 2] = np.array([(0.037, -0.52)[number]], dtype=np.float16).view(np.uint8)
    values = dequantize(block, kind).astype(np.float32)
    blocks[kind.name.lower()] = {"bytes": block.tolist(), "values": [float(v) for v in values]}
print(json.dumps(blocks))
