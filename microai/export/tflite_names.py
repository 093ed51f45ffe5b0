# SPDX-License-Identifier: Apache-2.0
"""Facts about the operators of .tflite files that this project writes.

Versions: tensorflow/lite/tools/versioning/op_version.cc of TensorFlow 2.18.
"""

from microai.types import TensorType

KINDS = {
    "ADD": "Add",
    "ARG_MAX": "ArgMax",
    "AVERAGE_POOL_2D": "Pool2D",
    "CAST": "Cast",
    "CONCATENATION": "Concatenation",
    "CONV_2D": "Conv2D",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
    "DEQUANTIZE": "Dequantize",
    "FULLY_CONNECTED": "FullyConnected",
    "GATHER": "Gather",
    "GELU": "Gelu",
    "HARD_SWISH": "HardSwish",
    "LEAKY_RELU": "LeakyRelu",
    "MAXIMUM": "MaximumMinimum",
    "MAX_POOL_2D": "Pool2D",
    "MEAN": "Reducer",
    "MINIMUM": "MaximumMinimum",
    "MUL": "Mul",
    "PAD": "Pad",
    "PADV2": "PadV2",
    "QUANTIZE": "Quantize",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighbor",
    "SOFTMAX": "Softmax",
    "STRIDED_SLICE": "StridedSlice",
    "SUB": "Sub",
    "TRANSPOSE": "Transpose",
    "TRANSPOSE_CONV": "TransposeConv",
}
"""The table of an operator's options; those that are missing have none."""

VERSIONS = {
    "ADD": (1, 2, 3),
    "ARG_MAX": (1, 2, 1),
    "AVERAGE_POOL_2D": (1, 2, 3),
    "CAST": (1, 3, 1),
    "CONCATENATION": (1, 2, 3),
    "CONV_2D": (1, 3, 4),
    "DEPTHWISE_CONV_2D": (2, 3, 5),
    "DEQUANTIZE": (1, 2, 3),
    "FULLY_CONNECTED": (1, 4, 7),
    "GATHER": (1, 2, 4),
    "GELU": (1, 2, 2),
    "LEAKY_RELU": (1, 1, 2),
    "LOGISTIC": (1, 2, 3),
    "MAXIMUM": (1, 2, 4),
    "MAX_POOL_2D": (1, 2, 3),
    "MEAN": (1, 2, 3),
    "MINIMUM": (1, 2, 4),
    "MUL": (1, 2, 4),
    "PAD": (1, 2, 3),
    "PADV2": (1, 2, 3),
    "RELU": (1, 2, 3),
    "RELU6": (1, 2, 3),
    "RESIZE_NEAREST_NEIGHBOR": (1, 2, 4),
    "SOFTMAX": (1, 2, 3),
    "STRIDED_SLICE": (1, 2, 1),
    "SUB": (1, 2, 5),
    "TANH": (1, 2, 3),
    "TRANSPOSE": (1, 2, 4),
    "TRANSPOSE_CONV": (3, 3, 3),
}
"""The first version that runs float32, int8, int16; (1, 1, 1) where an operator is missing."""
STORAGES = {"float32": 0, "int8": 1, "int16": 2, "int32": 0}


def version(code: str, x: TensorType, out: TensorType) -> int:
    """The version of an operator that reads `x` and makes `out`."""
    if code == "QUANTIZE":
        return 2 if out.dtype == "int16" else 1
    return VERSIONS.get(code, (1, 1, 1))[STORAGES[x.dtype]]
