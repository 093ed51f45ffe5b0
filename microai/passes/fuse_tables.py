# SPDX-License-Identifier: Apache-2.0
"""Functions of int8 in a row are one function of int8: a table of its values."""

from dataclasses import replace

import numpy as np

from microai.graph import Graph, Node, replace_node
from microai.ops import Activation, Lookup, Quantize, Relu
from microai.types import QTensor

FUNCTIONS = Activation | Lookup | Quantize | Relu


def fuse_tables(graph: Graph) -> Graph:
    """Two or more int8 functions, each read by the next alone, become one Lookup."""
    gone: set[str] = set()
    for node in reversed(graph.nodes):
        row = [] if node.name in gone else _row(graph, graph[node.name])
        if len(row) > 1:
            gone.update(one.name for one in row[:-1])
            fused = replace(node, op=_lookup(graph, row), inputs=row[0].inputs)
            graph = replace_node(graph, fused)
    return graph


def _row(graph: Graph, last: Node) -> list[Node]:
    """The functions that end in a node, the first in front."""
    row: list[Node] = []
    node = last
    while _is_function(graph, node) and (node is last or graph.only_user(node.name)):
        row.insert(0, node)
        node = graph[node.inputs[0]]
    return row


def _is_function(graph: Graph, node: Node) -> bool:
    """Whether each of its int8 outputs depends on one int8 input."""
    types = (*graph.types(node), node.type)
    return isinstance(node.op, FUNCTIONS) and {kind.dtype for kind in types} == {"int8"}


def _lookup(graph: Graph, row: list[Node]) -> Lookup:
    """Their values, one after the other, for all that int8 holds."""
    first, out = graph[row[0].inputs[0]].type.stored, row[-1].type.stored
    ints, quant = np.arange(first.low, first.high + 1), first
    for node in row:
        ints = np.asarray(node.op.run_int(QTensor(ints, quant), node.type.stored))
        quant = node.type.stored
    return Lookup(tuple(ints.tolist()), first, out)
