# SPDX-License-Identifier: Apache-2.0
"""What ONNX models mean: opset, input, nodes in ONNX's own text, weights."""

import numpy as np

RANDOM = np.random.default_rng(5)
IMAGE = "float[1,3,8,6] x"
SIGNAL = "float[1,4,10] x"
VECTOR = "float[1,12] x"


def w(*shape: int) -> np.ndarray:
    return RANDOM.normal(0, 0.5, shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.asarray(values, np.int64)


MEANT = {  # name: opset, input, nodes, weights
    "conv": (7, IMAGE, "y = Conv<pads=[1,0,1,2],strides=[2,1]>(x, w, b)", {"w": w(5, 3, 3, 2), "b": w(5)}),
    "conv same": (9, IMAGE, 'y = Conv<auto_pad="SAME_UPPER",strides=[2,2]>(x, w)', {"w": w(5, 3, 3, 2)}),
    "conv lower": (9, IMAGE, 'y = Conv<auto_pad="SAME_LOWER",strides=[3,2]>(x, w)', {"w": w(5, 3, 2, 3)}),
    "conv valid": (9, IMAGE, 'y = Conv<auto_pad="VALID",dilations=[2,1]>(x, w)', {"w": w(5, 3, 2, 3)}),
    "groups": (13, IMAGE, "y = Conv<group=3>(x, w)", {"w": w(6, 1, 3, 3)}),
    "depthwise": (13, IMAGE, "y = Conv<group=3>(x, w, b)", {"w": w(3, 1, 3, 3), "b": w(3)}),
    "conv1d": (11, SIGNAL, "y = Conv<pads=[2,1]>(x, w)", {"w": w(5, 4, 3)}),
    "transposed": (11, IMAGE, "y = ConvTranspose<strides=[2,2],pads=[1,0,0,1],output_padding=[1,0]>(x, w)", {"w": w(3, 4, 3, 2)}),
    "gemm": (9, VECTOR, "y = Gemm<alpha=0.5,beta=2.0>(x, w, b)", {"w": w(12, 5), "b": w(1, 5)}),
    "gemm turned": (13, VECTOR, "y = Gemm<transB=1>(x, w)", {"w": w(5, 12)}),
    "matmul": (13, VECTOR, "h = MatMul(x, w)\n y = Add(b, h)", {"w": w(12, 5), "b": w(5)}),
    "matmul rows": (13, "float[1,7,4] x", "y0 = MatMul(x, w)\n y = Relu(y0)", {"w": w(4, 6)}),
    "bias of channels": (8, IMAGE, "y = Add(x, b)", {"b": w(3, 1, 1)}),
    "reversed": (13, IMAGE, "h = Sub(c, x)\n y = Div(h, d)", {"c": w(1, 3, 1, 1), "d": w(1) + 3}),
    "whole constant": (13, IMAGE, "h = Mul(x, c)\n y = Sub(d, h)", {"c": w(1, 3, 8, 6), "d": w(8, 6)}),
    "two tensors": (13, IMAGE, "r = Relu(x)\n h = Add(x, r)\n g = Mul(h, r)\n y = Sub(g, x)", {}),
    "gate": (13, IMAGE, "m = GlobalAveragePool(x)\n s = Sigmoid(m)\n y = Mul(s, x)", {}),
    "batch norm": (9, IMAGE, "y = BatchNormalization<epsilon=0.01>(x, g, b, m, v)", {"g": w(3), "b": w(3), "m": w(3), "v": w(3) ** 2}),
    "max pool": (12, IMAGE, "y = MaxPool<kernel_shape=[3,2],strides=[2,2],pads=[1,0,1,0]>(x)", {}),
    "average pool": (11, IMAGE, "y = AveragePool<kernel_shape=[3,3],pads=[1,1,1,1]>(x)", {}),
    "counted": (11, IMAGE, "y = AveragePool<kernel_shape=[3,3],pads=[1,1,1,1],count_include_pad=1>(x)", {}),
    "global max": (11, IMAGE, "m = GlobalMaxPool(x)\n y = Flatten(m)", {}),
    "mean": (13, IMAGE, "y = ReduceMean<axes=[2,3],keepdims=0>(x)", {}),
    "mean 18": (18, IMAGE, "y = ReduceMean(x, a)", {"a": ints(-1)}),
    "max": (18, IMAGE, "y = ReduceMax<keepdims=0>(x, a)", {"a": ints(2, 3)}),
    "clip 6": (7, IMAGE, "y = Clip<min=-0.5,max=0.5>(x)", {}),
    "clip": (13, IMAGE, "y = Clip(x, , h)", {"h": np.float32(0.3)}),
    "limits": (13, IMAGE, "m = Min(x, h)\n y = Max(l, m)", {"h": np.float32(0.3), "l": np.float32(-0.2)}),
    "functions": (14, IMAGE, "a = LeakyRelu<alpha=0.2>(x)\n b = Tanh(a)\n c = Elu(b)\n d = HardSwish(c)\n e = HardSigmoid(d)\n y = Neg(e)", {}),
    "gelu": (20, IMAGE, 'a = Gelu(x)\n y = Gelu<approximate="tanh">(a)', {}),
    "gelu 13": (13, IMAGE, "a = Div(x, r)\n b = Erf(a)\n c = Add(b, o)\n d = Mul(x, c)\n y = Mul(d, h)", {"r": np.float32(2**0.5), "o": np.float32(1), "h": np.float32(0.5)}),
    "gelu turned": (13, IMAGE, "k = Relu(x)\n a = Mul(r, k)\n b = Mul(k, r)\n e = Erf(b)\n c = Add(o, e)\n d = Mul(h, k)\n y = Mul(c, d)", {"r": np.float32(0.5**0.5), "o": np.float32(1), "h": np.float32(0.5)}),
    "silu": (13, VECTOR, "s = Sigmoid(x)\n y = Mul(x, s)", {}),
    "softmax": (13, VECTOR, "y = Softmax(x)", {}),
    "softmax of channels": (13, IMAGE, "y = Softmax<axis=1>(x)", {}),
    "softmax 11": (11, VECTOR, "y = Softmax(x)", {}),
    "flatten": (11, IMAGE, "f = Flatten(x)\n y = Gemm(f, w)", {"w": w(144, 4)}),
    "flat output": (11, IMAGE, "y = Flatten(x)", {}),
    "reshape": (13, IMAGE, "f = Reshape(x, s)\n y = MatMul(f, w)", {"s": ints(0, -1), "w": w(144, 4)}),
    "shape": (13, IMAGE, "s = Shape(x)\n i = Constant<value = int64[1] {0}>()\n n = Gather(s, i)\n m = Constant<value = int64[1] {-1}>()\n c = Concat<axis=0>(n, m)\n f = Reshape(x, c)\n y = MatMul(f, w)", {"w": w(144, 4)}),
    "squeeze": (13, SIGNAL, "u = Unsqueeze(x, a)\n r = Relu(u)\n y = Squeeze(r, a)", {"a": ints(2)}),
    "nhwc": (9, "float[1,8,6,3] x", "t = Transpose<perm=[0,3,1,2]>(x)\n c = Conv(t, w)\n u = Transpose<perm=[0,2,3,1]>(c)\n f = Flatten(u)\n y = Gemm(f, v, b)", {"w": w(4, 3, 3, 3), "v": w(96, 5), "b": w(5)}),
    "turned": (13, IMAGE, "t = Transpose<perm=[0,2,1,3]>(x)\n r = Relu(t)\n y = Conv(r, w)", {"w": w(2, 8, 1, 1)}),
    "shuffled": (13, "float[1,6,4,4] x", "a = Reshape(x, s)\n t = Transpose<perm=[0,2,1,3,4]>(a)\n r = Reshape(t, u)\n y = Relu(r)", {"s": ints(1, 2, 3, 4, 4), "u": ints(1, 6, 4, 4)}),
    "concat": (13, IMAGE, "r = Relu(x)\n y = Concat<axis=1>(x, r, x)", {}),
    "concat rows": (13, IMAGE, "r = Relu(x)\n y = Concat<axis=-1>(x, r)", {}),
    "split": (11, IMAGE, "a, b = Split<axis=1,split=[1,2]>(x)\n y = Concat<axis=1>(b, a)", {}),
    "split 18": (18, IMAGE, "a, b = Split<axis=2,num_outputs=2>(x)\n y = Add(a, b)", {}),
    "slice 9": (9, IMAGE, "y = Slice<axes=[2],starts=[1],ends=[9223372036854775807]>(x)", {}),
    "slice": (13, IMAGE, "y = Slice(x, s, e, a, t)", {"s": ints(0, 1), "e": ints(3, 9999), "a": ints(1, 3), "t": ints(2, 1)}),
    "pad 9": (9, IMAGE, "y = Pad<pads=[0,0,1,2,0,0,0,1],value=0.5>(x)", {}),
    "pad": (13, IMAGE, "y = Pad(x, p)", {"p": ints(0, 1, 0, 2, 0, 0, 3, 1)}),
    "resize": (13, IMAGE, 'y = Resize<mode="nearest",coordinate_transformation_mode="asymmetric",nearest_mode="floor">(x, , s)', {"s": np.asarray([1, 1, 2, 3], np.float32)}),
    "upsample": (9, IMAGE, "y = Upsample(x, s)", {"s": np.asarray([1, 1, 2, 2], np.float32)}),
    "last, concat": (13, IMAGE, "t = Transpose<perm=[0,2,3,1]>(x)\n r = Relu(t)\n y = Concat<axis=3>(t, r)", {}),
    "last, slice": (13, IMAGE, "t = Transpose<perm=[0,2,3,1]>(x)\n y = Slice(t, s, e, a)", {"s": ints(1, 0), "e": ints(3, 2), "a": ints(3, 1)}),
    "last, pad": (13, IMAGE, "t = Transpose<perm=[0,2,3,1]>(x)\n y = Pad(t, p)", {"p": ints(0, 1, 2, 0, 0, 0, 1, 0)}),
    "last, constants": (13, IMAGE, "t = Transpose<perm=[0,2,3,1]>(x)\n m = Mul(t, c)\n y = Add(m, b)", {"c": w(3), "b": w(1, 1, 1, 3)}),
    "last, softmax": (13, IMAGE, "t = Transpose<perm=[0,2,3,1]>(x)\n y = Softmax<axis=-1>(t)", {}),
    "last, mean": (13, IMAGE, "t = Transpose<perm=[0,2,3,1]>(x)\n y = ReduceMean<axes=[1,2],keepdims=0>(t)", {}),
    "last, max": (13, IMAGE, "t = Transpose<perm=[0,2,3,1]>(x)\n y = ReduceMax<axes=[1]>(t)", {}),
    "last, rows": (13, IMAGE, "t = Transpose<perm=[0,2,3,1]>(x)\n m = MatMul(t, w)\n y = Relu(m)", {"w": w(3, 5)}),
    "last, resize": (13, IMAGE, 't = Transpose<perm=[0,2,3,1]>(x)\n y = Resize<mode="nearest",nearest_mode="floor",coordinate_transformation_mode="asymmetric">(t, , s)', {"s": np.asarray([1, 2, 3, 1], np.float32)}),
    "attention": (13, "float[1,7,4] x", "m = MatMul(x, w)\n y = Softmax(m)", {"w": w(4, 6)}),
    "half pixels": (13, IMAGE, 'y = Resize<mode="nearest">(x, , s)', {"s": np.asarray([1, 1, 2, 4], np.float32)}),
    "smaller": (13, IMAGE, 'y = Resize<mode="nearest",nearest_mode="floor",coordinate_transformation_mode="asymmetric">(x, , s)', {"s": np.asarray([1, 1, 0.5, 0.5], np.float32)}),
    "sum": (13, IMAGE, "r = Relu(x)\n i = Identity(r)\n d = Dropout(i)\n y = Sum(x, d, r)", {}),
    "folded": (13, VECTOR, "t = Transpose(w)\n h = Sqrt(t)\n q = Mul(h, c)\n y = MatMul(x, q)", {"w": w(5, 12) ** 2, "c": w(5)}),
}  # fmt: skip
