# SPDX-License-Identifier: Apache-2.0
"""Every op, one file each."""

from microai.op import Const, Input, Op
from microai.ops.activation import Activation
from microai.ops.add import Add
from microai.ops.arg_max import ArgMax
from microai.ops.avg_pool import AvgPool
from microai.ops.concat import Concat
from microai.ops.conv import Conv
from microai.ops.conv_transpose import ConvTranspose
from microai.ops.dense import Dense
from microai.ops.depthwise_conv import DepthwiseConv
from microai.ops.dequantize import Dequantize
from microai.ops.lookup import Lookup
from microai.ops.max_pool import MaxPool
from microai.ops.mul import Mul
from microai.ops.pad import Pad
from microai.ops.quantize import Quantize
from microai.ops.relu import Relu
from microai.ops.reshape import Reshape
from microai.ops.resize import Resize
from microai.ops.slice import Slice
from microai.ops.softmax import Softmax
from microai.ops.sub import Sub
from microai.ops.transpose import Transpose

OPS: tuple[type[Op], ...] = (
    Activation,
    Add,
    ArgMax,
    AvgPool,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dequantize,
    Lookup,
    MaxPool,
    Mul,
    Pad,
    Quantize,
    Relu,
    Reshape,
    Resize,
    Slice,
    Softmax,
    Sub,
    Transpose,
)
CLAMPING = Add | Conv | ConvTranspose | Dense | DepthwiseConv | Mul | Sub
"""Ops that can limit their own output."""
LINEAR = Conv | ConvTranspose | Dense | DepthwiseConv
"""Ops with weights and a bias for each output channel."""
SOURCES: tuple[type[Op], ...] = (Input, Const)
