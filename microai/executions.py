# SPDX-License-Identifier: Apache-2.0
"""The same integers executed elsewhere, every tensor compared with the integer rules."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from microai.device import host, qemu, session
from microai.device.build import build_host
from microai.device.measure import paced
from microai.device.protocol import Link
from microai.differences import Execution
from microai.errors import Tell, UnsupportedError
from microai.fit import check_fit
from microai.graph import Graph, Node
from microai.interpret import batches
from microai.job import Job
from microai.op import Input
from microai.pipeline import Recipe, build_image, scheme_for
from microai.render import Compiled, render_harness
from microai.samples import stored
from microai.source import Source, calibration_reals
from microai.types import Array, Arrays
from microai.verdict import differing


def executions(
    source: Source, recipe: Recipe, compiled: Compiled, reals: Mapping[str, Array],
    job: Job | None, tell: Tell,
) -> tuple[Execution, ...]:  # fmt: skip
    """The torch module, the C on this machine and, with a `job`, on a board; those that cannot be
    had are told about and left out.
    """
    found = [in_torch(source, recipe, compiled.source, reals, tell), on_host(compiled, reals, tell)]
    if job:
        found.append(on_target(compiled, reals, job, tell))
    return tuple(one for one in found if one)


def in_torch(
    source: Source, recipe: Recipe, integers: Graph, reals: Mapping[str, Array], tell: Tell
) -> Execution | None:
    """The module that training uses, with fake-quantized tensors; None where it has no gradient."""
    import torch

    from microai.torch_module import torch_module

    scheme, calibration = scheme_for(source, recipe), calibration_reals(source)
    try:
        module = torch_module(source.graph, scheme, calibration, recipe.layers).eval()
    except UnsupportedError as error:
        tell(f"the torch module is not compared: {error}")
        return None
    total: Counter[str] = Counter()
    for batch in batches(reals):
        own = [torch.from_numpy(_own_layout(n, batch[n.name])) for n in integers.inputs]
        total.update(differing(integers, stored(integers, batch), module.integers(*own)))
    return Execution("torch", _count(reals), total)


def _own_layout(node: Node, array: Array) -> Array:
    """Samples as the model itself takes them."""
    assert isinstance(node.op, Input)
    axes = node.op.axes
    return np.ascontiguousarray(array.transpose(np.argsort(axes))) if axes else array


def on_host(compiled: Compiled, reals: Mapping[str, Array], tell: Tell) -> Execution | None:
    """The generated C on this machine, with sanitizers; None without a compiler for it, or where
    kernels call what is built for the target alone.
    """
    if compiled.libraries:
        tell("C is not run on this machine: its kernels call a library of the target's")
        return None
    if not shutil.which("gcc"):
        tell("C is not run on this machine: gcc not found")
        return None
    tell("building for this machine")
    with _host(compiled) as link:
        return _compared("host", link, compiled, reals, tell)


@contextmanager
def _host(compiled: Compiled) -> Iterator[Link]:
    with tempfile.TemporaryDirectory(prefix="microai-") as work:
        sources = {**compiled.sources, **render_harness([compiled])}
        with host.connect(build_host(sources, Path(work))) as link:
            yield link


def on_target(compiled: Compiled, reals: Mapping[str, Array], job: Job, tell: Tell) -> Execution:
    """The generated C on the job's board."""
    check_fit(compiled, job.board)
    tell(f"building for {job.board.name}")
    with tempfile.TemporaryDirectory(prefix="microai-") as work:
        firmware = build_image(compiled, job.board, Path(work))
        with qemu.connect(firmware.elf, job.board, job.emulator) as link:
            return _compared("target", link, compiled, reals, tell)


def _compared(
    name: str, link: Link, compiled: Compiled, reals: Mapping[str, Array], tell: Tell
) -> Execution:
    """Every sample step by step."""
    inputs = stored(compiled.graph, reals)
    session.select(link, compiled)
    samples = list(session.samples(inputs))
    steps = [session.infer_steps(link, compiled, one).values
             for one in paced(samples, f"samples on the {name}", tell)]  # fmt: skip
    found: Arrays = {node.name: np.concatenate([values[node.name] for values in steps])
                     for node in compiled.graph.steps}  # fmt: skip
    return Execution(name, len(samples), differing(compiled.graph, inputs, found))


def _count(reals: Mapping[str, Array]) -> int:
    return len(next(iter(reals.values())))
