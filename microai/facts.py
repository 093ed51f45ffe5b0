# SPDX-License-Identifier: Apache-2.0
"""What a compiled network is and costs, as reports and `check` say it."""

from collections.abc import Sequence

from microai.graph import Graph
from microai.predict.cost import Cost
from microai.render import Compiled, macs
from microai.report import Layer, ModelFacts


def model_facts(compiled: Compiled) -> ModelFacts:
    """The network's size."""
    graph = compiled.graph
    parameters = sum(const.type.size for const in graph.consts)
    return ModelFacts(compiled.name, total_macs(graph), parameters)


def total_macs(graph: Graph) -> int:
    """Of one inference."""
    return sum(macs(graph, node) for node in graph.steps)


def layer_facts(compiled: Compiled, costs: Sequence[Cost]) -> tuple[Layer, ...]:
    """Each layer with what it took."""
    return tuple(
        Layer(
            node.name, str(node.op), kernel_name(compiled, node.name),
            macs(compiled.graph, node), cost.instructions, cost.cycles, cost.stall_cycles,
        )
        for node, cost in zip(compiled.graph.steps, costs, strict=True)
    )  # fmt: skip


def kernel_name(compiled: Compiled, node: str) -> str:
    """The kernel a node uses."""
    return compiled.choices[node].kernel.name


def check_layers(compiled: Compiled) -> list[dict[str, str | int | tuple[int, ...]]]:
    """Each layer's shape, storage, work and kernel, and why no kernel before that one."""
    return [
        {
            "name": node.name, "op": str(node.op), "output": node.type.shape,
            "dtype": node.type.dtype, "macs": macs(compiled.graph, node),
            "kernel": kernel_name(compiled, node.name),
            "refused": compiled.choices[node.name].refused,
        }
        for node in compiled.graph.steps
    ]  # fmt: skip


def check_facts(
    compiled: Compiled, board: str | None, fit: bool | None
) -> dict[str, str | int | bool | None]:
    """What `check` says besides its layers; `fit` is None where it was not tried."""
    facts = model_facts(compiled)
    return {
        "schema": "microai.check/1",
        "model": facts.name,
        "macs": facts.macs,
        "parameters": facts.parameters,
        "weights_bytes": compiled.weights_bytes,
        "arena_bytes": compiled.plan.arena_bytes,
        "arena_lower_bound_bytes": compiled.plan.lower_bound_bytes,
        "board": board,
        "fits": fit,
    }
