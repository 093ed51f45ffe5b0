# SPDX-License-Identifier: Apache-2.0
"""Rewrites of a graph, one file each, in the order they run."""

from microai.graph import Pass
from microai.passes.drop_dead_channels import drop_dead_channels
from microai.passes.drop_idle_relu import drop_idle_relu
from microai.passes.fold_batchnorm import fold_batchnorm
from microai.passes.fold_constant_channels import fold_constant_channels
from microai.passes.fuse_relu import fuse_relu
from microai.passes.merge_reshapes import merge_reshapes
from microai.passes.rectify_before_pool import rectify_before_pool

FLOAT_PASSES: tuple[Pass, ...] = (
    fold_batchnorm,  # it stands between a layer and its ReLU
    merge_reshapes,  # so do the reshapes that BatchNorm1d leaves behind
    rectify_before_pool,  # so that the next one finds the rectifier behind the layer
    fuse_relu,
)
INT_PASSES: tuple[Pass, ...] = (
    drop_idle_relu,
    fold_constant_channels,  # last but one: clamps in their final place make the most constants
    drop_dead_channels,  # what nothing reads any more
)
