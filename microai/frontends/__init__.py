# SPDX-License-Identifier: Apache-2.0
"""Foreign model formats to a Graph; `load_model` picks one by the file's ending."""

import re
from collections.abc import Callable
from pathlib import Path

from microai.errors import UnsupportedError, UsageError
from microai.extras import needed
from microai.graph import Graph
from microai.save import load as load_mai

Shape = tuple[int, ...]


def load_model(model: str, input_shape: Shape | None = None) -> Graph:
    """The graph of `file.py:factory`, or of a file with one of the endings in READERS."""
    path = Path(model.rpartition(":")[0] if re.search(r"\.py:\w+$", model) else model)
    ending = path.suffix.lower()
    if ending in INSTEAD and path.is_file():
        raise UnsupportedError(f"{path}: {INSTEAD[ending]}")
    if ending not in READERS:
        raise UsageError(f"{model!r}: expected one of file.py:factory, {', '.join(ENDINGS)}")
    if not path.is_file():
        raise UsageError(f"{path}: {'it is a folder' if path.is_dir() else 'no such file'}")
    return READERS[ending](model, input_shape)


def _read_python(model: str, input_shape: Shape | None) -> Graph:
    path, _, factory = model.rpartition(":")
    if not path:
        raise UsageError(f"{model!r}: name the factory too: {model}:factory")
    with needed("torch"):
        from microai.frontends.torch import import_factory
    return import_factory(Path(path), factory, input_shape)


def _read_pt2(model: str, _: Shape | None) -> Graph:
    with needed("torch"):
        from microai.frontends.torch import import_pt2
    return import_pt2(Path(model))


def _read_mai(model: str, _: Shape | None) -> Graph:
    return load_mai(Path(model))


def _read_onnx(model: str, input_shape: Shape | None) -> Graph:
    with needed("onnx"):
        from microai.frontends.onnx import import_onnx
    return import_onnx(Path(model), input_shape)


def _read_tflite(model: str, _: Shape | None) -> Graph:
    with needed("tflite"):
        from microai.frontends.tflite import import_tflite
    return import_tflite(Path(model))


def imported() -> dict[str, list[str]]:
    """Each format's operators that have an importer; DeviceError where its package is missing."""
    from microai.frontends.aten import IMPORTERS as ATEN

    with needed("onnx"):
        from microai.frontends.onnx_ops import IMPORTERS as ONNX
    with needed("tflite"):
        from microai.frontends.tflite_ops import IMPORTERS as TFLITE
    return {"PyTorch": sorted(ATEN), "ONNX": sorted(ONNX), "TFLite": sorted(TFLITE)}


READERS: dict[str, Callable[[str, Shape | None], Graph]] = {
    ".py": _read_python,
    ".pt2": _read_pt2,
    ".onnx": _read_onnx,
    ".tflite": _read_tflite,
    ".mai": _read_mai,
}
ENDINGS = [f"file{ending}" for ending in READERS if ending != ".py"]
INSTEAD = dict.fromkeys((".h5", ".keras"), "Keras files are not read; export it to ONNX or TFLite")
"""What to do with other tools' files."""
