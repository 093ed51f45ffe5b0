# SPDX-License-Identifier: Apache-2.0
"""Damaged and absurd model files: each is imported or refused in a sentence, in 5 s and 1 GiB.

    python -m tests.fuzz onnx --count 20000 --seed 1 --seeds FOLDER [--keep FOLDER]

Seeds are the models of the folder (MICROAI_DATA/models); a case that breaks a reader is kept.
"""

import argparse
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from microai.errors import MicroaiError, UnsupportedError
from microai.frontends import load_model
from microai.pipeline import Recipe, check_source
from microai.source import Source

SECONDS = 5
BYTES = 1 << 30
LARGEST_SEED = 60_000  # bytes: a case takes milliseconds
HEADER = ("damaged", "not a .tflite file", "larger than", "its opset is")
"""Refusals of what is not even read as a model."""
EDGES = (0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 65535, 65536, 1 << 20, (1 << 31) - 1, 1 << 31,
         (1 << 32) - 1, (1 << 32) - 2)  # fmt: skip
Random = np.random.Generator


def bytes_changed(content: bytes, random: Random) -> bytes:
    """Some bytes flipped, a piece cut, doubled, or zeroed."""
    raw = bytearray(content)
    for _ in range(random.integers(1, 5)):
        at, size = int(random.integers(len(raw))), int(random.integers(1, 64))
        match random.integers(5):
            case 0:
                raw[at] ^= 1 << int(random.integers(8))
            case 1:
                raw[at] = int(random.integers(256))
            case 2:
                del raw[at : at + size]
            case 3:
                raw[at:at] = raw[at : at + size]
            case _:
                raw[at : at + size] = bytes(len(raw[at : at + size]))
        if len(raw) < 9:
            return bytes(raw)
    return bytes(raw)


def onnx_changed(content: bytes, random: Random) -> bytes:
    """A model that parses, with absurd fields."""
    import onnx

    model = onnx.ModelProto()
    model.ParseFromString(content)
    for _ in range(random.integers(1, 4)):
        change = ONNX_CHANGES[random.integers(len(ONNX_CHANGES))]
        change(model, random)
    return model.SerializeToString()


def _edge(random: Random) -> int:
    value = EDGES[random.integers(len(EDGES))]
    return int(value) * int(random.choice([1, 1, 1, -1]))


def _any(items, random: Random):
    return items[int(random.integers(len(items)))] if len(items) else None


def _op(model, random: Random) -> None:
    from microai.frontends.onnx_ops import IMPORTERS

    node = _any(model.graph.node, random)
    name = _any(sorted(IMPORTERS), random)
    node.op_type, node.domain = name.rpartition(".")[2], name.rpartition(".")[0]


def _attribute(model, random: Random) -> None:
    node = _any(model.graph.node, random)
    attribute = _any(node.attribute, random)
    if attribute is None:
        keys = [
            "axis",
            "axes",
            "perm",
            "pads",
            "strides",
            "kernel_shape",
            "group",
            "keepdims",
            "to",
        ]
        attribute = node.attribute.add()
        attribute.name, attribute.type = _any(keys, random), int(random.choice([1, 2, 6, 7]))
    attribute.i = _edge(random)
    attribute.f = float(random.choice([0, -1, np.nan, np.inf, 1e30, 1e-30]))
    for values in (attribute.ints, attribute.floats):
        if len(values) and random.integers(2):
            values[int(random.integers(len(values)))] = _edge(random)
        elif random.integers(2):
            values.append(_edge(random))
        elif len(values):
            values.pop()


def _wiring(model, random: Random) -> None:
    node, other = (_any(model.graph.node, random) for _ in range(2))
    names = [*other.output, *other.input, "", "nowhere"]
    if node.input and random.integers(3):
        node.input[int(random.integers(len(node.input)))] = _any(names, random)
    elif random.integers(2):
        node.input.append(_any(names, random))
    elif node.output:
        node.output[0] = _any(names, random)


def _shape(model, random: Random) -> None:
    value = _any(model.graph.input, random)
    dim = _any(value.type.tensor_type.shape.dim, random)
    if dim is not None:
        dim.dim_value = _edge(random)


def _tensor(model, random: Random) -> None:
    tensor = _any(model.graph.initializer, random)
    if tensor is None:
        return
    match random.integers(5):
        case 0:
            tensor.data_type = int(random.integers(0, 24))
        case 1:
            tensor.dims.append(_edge(random))
        case 2 if len(tensor.dims):
            tensor.dims[int(random.integers(len(tensor.dims)))] = _edge(random)
        case 3:
            raw = bytearray(tensor.raw_data)
            raw[: len(raw) // 2] = random.bytes(len(raw) // 2)
            tensor.raw_data = bytes(raw)
        case _:
            tensor.data_location = 1
            entry = tensor.external_data.add()
            places = ["../secret", "/etc/passwd", "", ".", "x" * 300]
            entry.key, entry.value = "location", _any(places, random)


def _order(model, random: Random) -> None:
    nodes = list(model.graph.node)
    random.shuffle(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes[: int(random.integers(1, len(nodes) + 1))])


def _version(model, random: Random) -> None:
    model.opset_import[0].version = int(random.integers(5, 24))


ONNX_CHANGES: list[Callable] = [
    _op, _attribute, _attribute, _wiring, _shape, _tensor, _tensor, _order, _version,
]  # fmt: skip


def tflite_changed(content: bytes, random: Random) -> bytes:
    """Words of the tables, not of the weights, become absurd numbers."""
    import tflite

    raw, tables = bytearray(content), np.ones(len(content), bool)
    model = tflite.Model.GetRootAs(content, 0)
    base = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    for i in range(model.BuffersLength()):
        data = model.Buffers(i).DataAsNumpy()
        if not isinstance(data, int):
            at = data.__array_interface__["data"][0] - base
            tables[at + 64 : at + len(data)] = False  # short ones are shapes
    places = np.flatnonzero(tables)
    places = places[places > 8]
    for _ in range(random.integers(1, 6)):
        at = int(_any(places, random))
        width = int(random.choice([1, 1, 2, 4, 4]))
        at -= at % width
        if random.integers(2):
            value = _edge(random)
        else:
            value = int.from_bytes(raw[at : at + width], "little") + int(random.integers(-8, 9))
        raw[at : at + width] = (value % (1 << (8 * width))).to_bytes(width, "little")
    return bytes(raw)


CHANGES = {".onnx": (bytes_changed, onnx_changed, onnx_changed, onnx_changed),
           ".tflite": (bytes_changed, tflite_changed, tflite_changed)}  # fmt: skip


def outcome(path: Path) -> str:
    """What became of a file: deployable, refused, or refused before anything was read."""
    try:
        graph = load_model(str(path))
        check_source(Source(graph, None, None), Recipe(), "model", lambda _: None)
    except UnsupportedError as error:
        return "not read" if any(word in str(error) for word in HEADER) else "refused"
    except MicroaiError as error:
        return "refused" if error.exit_code in (2, 3, 4) else f"exit {error.exit_code}"
    return "taken"


def _late(*_: object) -> None:
    raise TimeoutError(f"over {SECONDS} s")


def fuzz(ending: str, count: int, seed: int, seeds: list[Path], keep: Path) -> Counter[str]:
    """Outcomes of `count` changed files; whatever else happens is kept and counted by its name."""
    random = np.random.default_rng(seed)
    contents = [path.read_bytes() for path in seeds]
    found: Counter[str] = Counter()
    signal.signal(signal.SIGALRM, _late)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"case{ending}"
        for number in range(count):
            changes = CHANGES[ending]
            content = changes[random.integers(len(changes))](_any(contents, random), random)
            path.write_bytes(content)
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            try:
                kind = outcome(path)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                signal.setitimer(signal.ITIMER_REAL, 0)
                kind = f"{type(error).__name__}: {error}"[:100]
                (keep / f"{seed}-{number}{ending}").write_bytes(content)
                print(f"{number}: {kind}", flush=True)
            signal.setitimer(signal.ITIMER_REAL, 0)
            found[kind] += 1
    return found


def main() -> None:
    """Print the outcomes; exit 1 where anything but taking and refusing happened."""
    parser = argparse.ArgumentParser()
    parser.add_argument("format", choices=["onnx", "tflite"])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=Path, required=True)
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"))
    given = parser.parse_args()
    given.keep.mkdir(parents=True, exist_ok=True)
    files = [
        p for p in sorted(given.seeds.glob(f"*.{given.format}")) if p.stat().st_size < LARGEST_SEED
    ]
    warnings.simplefilter("error")
    for path in files:
        outcome(path)  # everything is imported before memory is limited
    used = (
        int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        * resource.getpagesize()
    )
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, used + BYTES))
    start = time.monotonic()
    found = fuzz(f".{given.format}", given.count, given.seed, files, given.keep)
    print(f"{given.count} files, {time.monotonic() - start:.0f} s: {dict(found.most_common())}")
    sys.exit(bool(set(found) - {"taken", "refused", "not read"}))


if __name__ == "__main__":
    main()
