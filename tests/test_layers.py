# SPDX-License-Identifier: Apache-2.0
"""Imports point down the layer list, and torch stays where it belongs."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "microai"
LAYERS = [  # top to bottom; a module may import what stands below its own line
    {"__main__"},
    {"cli"},
    {"commands"},
    {"show"},
    {"tables", "wanted", "curves", "results"},
    {"options"},
    {"over_seeds", "diagnose"},
    {"study", "exchange", "executions"},
    {"making", "tuning"},
    {"benchmarks"},
    {"mixture", "choosing"},
    {"trials"},
    {"mixing"},
    {"pipeline", "doctor", "sensitivity", "differences"},
    {"search", "timings"},
    {"profiling"},
    {"verdict", "agreement", "fit", "facts", "support"},
    {"choices"},
    {"candidates"},
    {"source", "job"},
    {"report"},
    {"predict"},
    {"device", "oracle", "examples", "train"},
    {"settings", "labelled", "augment"},
    {"formats"},
    {"render", "export"},
    {"board"},
    {"torch_module"},
    {"quantize", "backends"},
    {"interpret", "plan", "passes", "backend", "frontends"},
    {"bounds"},
    {"save", "samples"},
    {"ops", "graph"},
    {"op"},
    {"fixedpoint"},
    {"versions", "records"},
    {"files", "kernels", "checked", "figures", "datasets"},
    {"types"},
    {"names", "extras"},
    {"errors", "paths"},
]
TORCH = {  # imported inside the functions that need them
    "frontends/torch.py", "examples/digits.py", "examples/resnet.py", "examples/strided.py",
    "quantize/steps.py",
    "quantize/straight_through.py", "torch_module.py", "train.py", "augment.py",
}  # fmt: skip


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text(encoding="utf-8"))


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom) and node.module == "microai":
        return [f"microai.{alias.name}" for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def layer(name: str) -> int:
    found = [i for i, names in enumerate(LAYERS) if name in names]
    assert found, f"{name} has no place in the layer list"
    return found[0]


def test_imports_point_down() -> None:
    """Within a folder imports are free."""
    for file, tree in modules():
        own = file.removesuffix(".py").split("/")[0]
        if own == "__init__":
            continue
        for name in (n for node in ast.walk(tree) for n in imported(node)):
            parts = name.split(".")
            if parts[0] == "microai" and parts[1:] and parts[1] not in (own, "__version__"):
                assert layer(own) < layer(parts[1]), f"{file} imports {name}"


def test_torch_is_imported_late() -> None:
    """At module level only where nothing else can be meant."""
    for file, tree in modules():
        names = [n.split(".")[0] for node in tree.body for n in imported(node)]
        if file not in TORCH:
            assert "torch" not in names, file
        if file != "device/serial.py":
            assert "serial" not in names, file


def test_formats_are_imported_late() -> None:
    """Their libraries only by files that are themselves imported when such a file is at hand."""
    libraries = {"onnx", "onnxruntime", "tflite", "flatbuffers", "ai_edge_litert", "tflite_runtime"}
    for file, tree in modules():
        names = {n.split(".")[0] for node in tree.body for n in imported(node)}
        if names & libraries:
            assert file.startswith(("export/tflite", "export/onnx", "frontends/")), file


def test_files_are_small() -> None:
    """Under 300 lines each."""
    root = PACKAGE.parent
    files = [p for d in ("microai", "firmware", "tests") for p in (root / d).rglob("*.[pch]*")]
    long = [str(p) for p in files if p.suffix in (".py", ".c", ".h")
            and len(p.read_text(encoding="utf-8").splitlines()) > 300]  # fmt: skip
    assert not long
