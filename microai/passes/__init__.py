# SPDX-License-Identifier: Apache-2.0
"""Rewrites of a graph, one file each, in the order they run."""

from microai.graph import Pass
from microai.passes.drop_dead_channels import drop_dead_channels
from microai.passes.drop_idle_quantize import drop_idle_quantize
from microai.passes.drop_idle_relu import drop_idle_relu
from microai.passes.fold_batchnorm import fold_batchnorm
from microai.passes.fold_constant_channels import fold_constant_channels
from microai.passes.fuse_relu import fuse_relu
from microai.passes.fuse_tables import fuse_tables
from microai.passes.merge_equals import merge_equals
from microai.passes.merge_pads import merge_pads
from microai.passes.merge_reshapes import merge_reshapes
from microai.passes.pool_before_relu import pool_before_relu
from microai.passes.rectify_before_pool import rectify_before_pool

FLOAT_PASSES: tuple[Pass, ...] = (
    fold_batchnorm,  # it stands between a layer and its ReLU
    merge_reshapes,  # so do the reshapes that BatchNorm1d leaves behind
    rectify_before_pool,  # so that the next one finds the rectifier behind the layer
    fuse_relu,
    pool_before_relu,  # behind that: what no layer took over is cheapest behind the pool
    merge_pads,  # before quantization, which needs no range for what is gone
)
INT_PASSES: tuple[Pass, ...] = (  # a model that came in integers has seen no other pass
    merge_reshapes,  # again what stands between a layer and its ReLU,
    drop_idle_quantize,  # and between a chain's functions
    rectify_before_pool,
    fuse_relu,
    pool_before_relu,  # behind that, for what nobody took over
    drop_idle_relu,  # a clamp that fuse_relu moved may make the next one idle
    fuse_tables,  # of what is left, in the order it has now
    merge_pads,
    fold_constant_channels,  # behind what moves clamps: they make the most constants
    drop_dead_channels,  # what nothing reads any more
    merge_equals,  # last: the others ask for one reader, and change the weights of one layer
)
EXPORT_PASSES: tuple[Pass, ...] = tuple(one for one in INT_PASSES if one is not fuse_tables)
"""What other formats can say as well: they have no tables."""
