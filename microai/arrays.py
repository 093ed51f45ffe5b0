# SPDX-License-Identifier: Apache-2.0
"""Arrays from files and to files, and samples as a graph takes them.

Samples may come in the model's own layout or as deployed (channels last); where both have the same
shape it is the model's own.
"""

import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from microai.errors import UsageError
from microai.fixedpoint import quantize
from microai.graph import Graph, Node, replace_node
from microai.op import Input
from microai.types import Array

Arrays = dict[str, Array]


def load_arrays(path: Path) -> Arrays:
    """All arrays of an .npz, or the one of an .npy as X; no pickles, no NaN."""
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = {"X": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"{path}: not readable without pickles as .npy or .npz: {reason}"
        ) from None
    for name, array in arrays.items():
        _check_numbers(path, name, array)
    return arrays


def _check_numbers(path: Path, name: str, array: Array) -> None:
    if array.dtype.kind not in "fiub":
        return  # class names and the like; whoever needs numbers from it says so
    if bad := array.size - int(np.isfinite(array).sum()):
        raise UsageError(f"{path}: {name} has {bad} NaN or infinite values; clean the data first")


def samples_of(graph: Graph, arrays: Mapping[str, Array], path: Path) -> Arrays:
    """The graph's inputs (N, ...), channels last: X for a single one, else by input name."""
    names = {"X": graph.inputs[0]} if len(graph.inputs) == 1 else {n.name: n for n in graph.inputs}
    if missing := [name for name in names if name not in arrays]:
        raise UsageError(f"{path}: no array {missing[0]!r}; it has {', '.join(arrays) or 'none'}")
    samples = {node.name: _arranged(node, arrays[name], path) for name, node in names.items()}
    counts = {len(array) for array in samples.values()}
    if len(counts) > 1 or 0 in counts:
        raise UsageError(f"{path}: inputs have {sorted(counts)} samples, expected as many of each")
    return samples


def _arranged(node: Node, array: Array, path: Path) -> Array:
    if array.dtype.kind not in "fiub":
        raise UsageError(f"{path}: {node.name} is {array.dtype}, expected numbers")
    own = own_shape(node)
    if array.shape[1:] == own[1:]:
        axes = node.op.axes if isinstance(node.op, Input) else ()
        return np.ascontiguousarray(array.transpose(axes) if axes else array)
    if array.shape[1:] == node.type.shape[1:]:
        return array
    expected = ", ".join(["N", *map(str, own[1:])])
    raise UsageError(f"{path}: {node.name} has shape {array.shape}, expected ({expected})")


def own_shape(node: Node) -> tuple[int, ...]:
    """An input's shape in the model's own layout."""
    axes = node.op.axes if isinstance(node.op, Input) else ()
    own = list(node.type.shape)
    for deployed, axis in enumerate(axes):
        own[axis] = node.type.shape[deployed]
    return tuple(own)


def labels_of(arrays: Mapping[str, Array], count: int, path: Path) -> Array | None:
    """The array y as class numbers, if there is one."""
    labels = arrays.get("y")
    if labels is None:
        return None
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise UsageError(
            f"{path}: y is {labels.dtype} {labels.shape}, expected ({count},) integers"
        )
    return labels


def with_statistics(graph: Graph, samples: Mapping[str, Array]) -> Graph:
    """The graph whose inputs say what z-score the caller applies, one for each last index."""
    for node in graph.inputs:
        array = samples[node.name].astype(np.float64).reshape(-1, node.type.shape[-1])
        std = array.std(axis=0)
        std[std == 0] = 1
        assert isinstance(node.op, Input)
        op = replace(node.op, mean=_singles(array.mean(axis=0)), std=_singles(std))
        graph = replace_node(graph, replace(node, op=op))
    return graph


def _singles(values: Array) -> tuple[float, ...]:
    return tuple(values.astype(np.float32).tolist())


def normalized(graph: Graph, samples: Mapping[str, Array]) -> Arrays:
    """Samples as float32 after each input's own z-score."""
    return {node.name: _normalize(node, samples[node.name]) for node in graph.inputs}


def _normalize(node: Node, array: Array) -> Array:
    assert isinstance(node.op, Input)
    mean, std = (np.asarray(v, np.float32) for v in (node.op.mean, node.op.std))
    return ((array.astype(np.float32) - mean) / std).astype(np.float32)


def stored(graph: Graph, reals: Mapping[str, Array]) -> Arrays:
    """Real inputs as the graph stores them."""
    return {
        n.name: quantize(reals[n.name], n.type.quant).astype(n.type.dtype)
        if n.type.quant
        else reals[n.name]
        for n in graph.inputs
    }


def raw(graph: Graph, samples: Mapping[str, Array]) -> Arrays:
    """Samples that already are in the graph's storage, checked."""
    for node in graph.inputs:
        array, quant = samples[node.name], node.type.quant
        if quant and array.dtype.kind not in "iu":
            raise UsageError(
                f"input {node.name} is {array.dtype}, this network takes {quant.dtype}: "
                f"q = round(x / {quant.scale[0]:.9g}) + {quant.zero}"
            )
        if quant and not (quant.low <= array.min() and array.max() <= quant.high):
            raise UsageError(f"input {node.name} leaves {quant.low}..{quant.high}")
    return {n.name: samples[n.name].astype(n.type.dtype) for n in graph.inputs}


def write_file(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file whole or not at all; UsageError where that is not allowed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    except OSError as error:
        raise UsageError(f"{path}: cannot write: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot write: {error.strerror}") from None
    finally:
        Path(temporary).unlink(missing_ok=True)


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write several files into a folder, each whole or not at all."""
    for name, content in files.items():
        write_file(folder / name, partial(_put, content))


def write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    """An .npz whose names may be any text (np.savez takes them as keyword arguments)."""

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w") as entry:
                    np.lib.format.write_array(entry, np.ascontiguousarray(array))

    write_file(path, write)


def _put(content: bytes, file: IO[bytes]) -> None:
    file.write(content)
