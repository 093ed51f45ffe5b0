# SPDX-License-Identifier: Apache-2.0
"""Rewrites of a graph, one file each, in the order they run."""

from microai.graph import Pass
from microai.passes.drop_idle_relu import drop_idle_relu
from microai.passes.fold_batchnorm import fold_batchnorm
from microai.passes.fuse_relu import fuse_relu
from microai.passes.merge_reshapes import merge_reshapes

FLOAT_PASSES: tuple[Pass, ...] = (
    fold_batchnorm,  # before fuse_relu: it stands between a convolution and its ReLU
    fuse_relu,
    merge_reshapes,
)
INT_PASSES: tuple[Pass, ...] = (drop_idle_relu,)
