# SPDX-License-Identifier: Apache-2.0
"""The command line's arguments and options, each described once."""

from pathlib import Path
from typing import Annotated

import typer

from microai.backends import EVERY
from microai.export import FORMATS
from microai.quantize.scheme import SCHEMES

LEVELS = "int8x4,int8,int16x8"
FILES = "file.py:factory, .pt2, .onnx, .tflite or .mai"
Model = Annotated[str, typer.Argument(help=FILES)]
MaybeModel = Annotated[
    str | None,
    typer.Argument(help=f"{FILES}; none is the digits example"),
]
LayerSchemes = Annotated[
    list[str] | None, typer.Option("--layer", help="NAME=SCHEME for one layer; may be repeated.")
]
BackendNames = Annotated[
    str | None,
    typer.Option(
        "--backend",
        help=f"Of {', '.join(b.name for b in EVERY)}, in order; default simd,portable.",
    ),
]
CmsisNn = Annotated[
    Path | None,
    typer.Option(
        "--cmsis-nn",
        envvar="CMSIS_NN_PATH",
        readable=False,
        help="Folder of the library for --backend cmsis_nn.",
    ),
]
BoardName = Annotated[str, typer.Option("--board", help="A board's name, or a board file.")]
MaybeBoard = Annotated[
    str | None, typer.Option("--board", help="Run on it too; with --emulate alone stm32l4.")
]
Emulate = Annotated[bool, typer.Option("--emulate", help="Run in QEMU; no board needed.")]
Qemu = Annotated[str, typer.Option("--qemu", envvar="MICROAI_QEMU", help="The emulator's program.")]
MaiFile = Annotated[Path, typer.Option("-o", "--out", help="The .mai file.")]
Qat = Annotated[bool, typer.Option("--qat", help="Train on in integers, on the labelled --data.")]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Of --qat; default 10.")]
LearningRate = Annotated[
    float | None,
    typer.Option("--learning-rate", help="Of --qat, with Adam; it falls to 0. Default 0.0005."),
]
Batch = Annotated[int | None, typer.Option("--batch", help="Of --qat; default 64.")]
Scheme = Annotated[
    str | None, typer.Option("--scheme", help=f"{', '.join(SCHEMES)}; default int8.")
]
RoundingMode = Annotated[
    str, typer.Option("--rounding", help="nearest (half up) or floor, as in the MicroAI paper.")
]
PerChannel = Annotated[
    bool, typer.Option("--per-channel", help="A scale for each output channel in Qm.n as well.")
]
RangeMethod = Annotated[
    str,
    typer.Option("--ranges", help="What storage is made for: minmax, percentile, mse or moving."),
]
Levels = Annotated[
    str | None,
    typer.Option("--levels", help="Schemes a layer may have, as in qmn8,qmn16."),
]
MixedHow = Annotated[
    str | None,
    typer.Option("--mixed", help=f"auto: for each layer one of --levels, if not given {LEVELS}."),
]
MaxDrop = Annotated[
    str | None,
    typer.Option("--max-drop", help="Of accuracy against float, as in 1% or 0.01; default 1%."),
]
Svg = Annotated[Path | None, typer.Option("--svg", help="A file for the curves.")]
Samples = Annotated[
    int, typer.Option("--samples", min=1, help="Of --data, spread evenly; all if it has less.")
]
Scan = Annotated[
    bool, typer.Option("--scan/--no-scan", help="Also one layer in integers at a time.")
]
ExperimentFile = Annotated[
    str, typer.Argument(help="A shipped experiment's name, or a .toml of your own.")
]
Filters = Annotated[
    list[int] | None,
    typer.Option("--filters", help="Only this width of the file's, or another; may be repeated."),
]
Seeds = Annotated[int | None, typer.Option("--seeds", help="How many, in place of the file's.")]
Validate = Annotated[
    bool,
    typer.Option("--validate", help="Judge by a part of the training set; no test set is read."),
]
OwnOut = Annotated[Path | None, typer.Option("-o", "--out", help="build/FILE, if not given.")]
Name = Annotated[str | None, typer.Option("--name", help="Prefix of everything in the C files.")]
Shape = Annotated[
    str | None,
    typer.Option(
        "--input-shape", help="As in 1,1,8,8; for a factory without inputs, or open sizes in ONNX."
    ),
]
Data = Annotated[Path | None, typer.Option("--data", help=".npz with X, and labels y.")]
DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="MICROAI_DATA", help="The folder of the data sets.")
]
Calibration = Annotated[
    Path | None, typer.Option("--calibration", help=".npz with X to measure ranges on.")
]
Normalize = Annotated[str, typer.Option("--normalize", help="zscore or none.")]
Seed = Annotated[int, typer.Option("--seed", help="For training and random samples.")]
Json = Annotated[bool, typer.Option("--json", help="One object on stdout, nothing else.")]
Imports = Annotated[
    bool, typer.Option("--imports", help="Operators of PyTorch, ONNX and TFLite instead.")
]
To = Annotated[str, typer.Option("--to", help=" or ".join(FORMATS))]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the files.")]
Clock = Annotated[
    float | None, typer.Option("--clock", help="MHz, of the board's clocks; default its first.")
]
PowerMw = Annotated[
    float | None,
    typer.Option("--power-mw", help="What the board draws while inferring, for the energy."),
]
Goals = Annotated[str, typer.Option("--goal", help="latency, flash, ram or balanced.")]
FlashBudget = Annotated[
    int | None,
    typer.Option("--flash", min=1, help="Bytes the image may take; default the board's."),
]
RamBudget = Annotated[
    int | None, typer.Option("--ram", min=1, help="Bytes of RAM; default the board's.")
]
ChoicesFile = Annotated[
    Path | None, typer.Option("--choices", help="Kernels as `microai tune` has chosen them.")
]
