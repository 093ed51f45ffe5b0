# SPDX-License-Identifier: Apache-2.0
"""Every op, one file each."""

from microai.op import Const, Input, Op
from microai.ops.add import Add
from microai.ops.avg_pool2d import AvgPool2d
from microai.ops.conv2d import Conv2d
from microai.ops.dense import Dense
from microai.ops.depthwise_conv2d import DepthwiseConv2d
from microai.ops.dequantize import Dequantize
from microai.ops.max_pool2d import MaxPool2d
from microai.ops.quantize import Quantize
from microai.ops.relu import Relu
from microai.ops.reshape import Reshape
from microai.ops.softmax import Softmax

OPS: tuple[type[Op], ...] = (
    Add,
    AvgPool2d,
    Conv2d,
    Dense,
    DepthwiseConv2d,
    Dequantize,
    MaxPool2d,
    Quantize,
    Relu,
    Reshape,
    Softmax,
)
SOURCES: tuple[type[Op], ...] = (Input, Const)
