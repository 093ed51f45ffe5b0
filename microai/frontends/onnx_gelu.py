# SPDX-License-Identifier: Apache-2.0
"""GELU as exporters write it before opset 20: x / 2 * (1 + erf(x / sqrt(2))), in any order."""

import math
from collections.abc import Mapping
from dataclasses import replace

from microai.frontends.onnx_file import OnnxNode
from microai.types import Array

GROUP = ("Add", "Div", "Erf", "Mul")
NEAR = 1e-3  # exporters print their constants


def with_gelus(
    nodes: tuple[OnnxNode, ...], constants: Mapping[str, Array], outputs: tuple[str, ...]
) -> tuple[OnnxNode, ...]:
    """The nodes, with a Gelu where the last of such a group stands."""
    known = {**constants, **{n.outputs[0]: n.attributes["value"] for n in nodes if _is_value(n)}}
    makers = {name: node for node in nodes for name in node.outputs}
    found = {id(node): x for node in nodes if (x := _gelu_of(node, makers, known))}
    rewritten = tuple(
        replace(n, op="Gelu", inputs=(found[id(n)],), attributes={}) if id(n) in found else n
        for n in nodes
    )
    return _alive(rewritten, outputs) if found else nodes


def _is_value(node: OnnxNode) -> bool:
    return node.op == "Constant" and "value" in node.attributes and len(node.outputs) == 1


def _gelu_of(
    last: OnnxNode, makers: Mapping[str, OnnxNode], known: Mapping[str, object]
) -> str | None:
    """What a product is the GELU of: its factors are x, 1/2 and 1 + erf(x / sqrt(2))."""
    factors = _factors(last, makers, 3)
    halves = [name for name in factors if _number(known.get(name)) == 0.5]
    if len(factors) != 3 or len(halves) != 1:
        return None
    one, other = (name for name in factors if name != halves[0])
    pairs = ((one, other), (other, one))
    return next((x for x, y in pairs if _erf_of(y, makers, known) == x), None)


def _factors(node: OnnxNode, makers: Mapping[str, OnnxNode], most: int) -> list[str]:
    """What a product of products multiplies, as many as `most`."""
    if node.op != "Mul" or len(node.inputs) != 2:
        return []
    factors = list(node.inputs)
    for name in node.inputs:
        inner = makers.get(name)
        if inner and inner.op == "Mul" and len(inner.inputs) == 2 and len(factors) < most:
            factors.remove(name)
            factors += inner.inputs
    return factors


def _erf_of(name: str, makers: Mapping[str, OnnxNode], known: Mapping[str, object]) -> str | None:
    """x, where a tensor is 1 + erf(x / sqrt(2))."""
    total = makers.get(name)
    if not total or total.op != "Add" or len(total.inputs) != 2:
        return None
    ones = [i for i in (0, 1) if _number(known.get(total.inputs[i])) == 1]
    erf = makers.get(total.inputs[1 - ones[0]]) if ones else None
    scaled = makers.get(erf.inputs[0]) if erf and erf.op == "Erf" and erf.inputs else None
    if not scaled or len(scaled.inputs) != 2:
        return None
    x, constant = scaled.inputs
    wanted = {"Div": math.sqrt(2), "Mul": math.sqrt(0.5)}.get(scaled.op, math.inf)
    return x if abs(_number(known.get(constant)) - wanted) < NEAR else None


def _number(constant: object) -> float:
    """A constant of one element; infinity for anything else."""
    size = getattr(constant, "size", 0)
    return float(constant.item()) if size == 1 and hasattr(constant, "item") else math.inf


def _alive(nodes: tuple[OnnxNode, ...], outputs: tuple[str, ...]) -> tuple[OnnxNode, ...]:
    """Without what only the groups read."""
    before = len(nodes) + 1
    while len(nodes) < before:
        before = len(nodes)
        read = {*outputs, *(name for node in nodes for name in node.inputs)}
        nodes = tuple(n for n in nodes if n.op not in GROUP or read & set(n.outputs))
    return nodes
