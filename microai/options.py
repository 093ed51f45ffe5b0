# SPDX-License-Identifier: Apache-2.0
"""The command line's arguments and options, each described once."""

from pathlib import Path
from typing import Annotated

import typer

from microai.quantize.scheme import SCHEMES

Model = Annotated[str, typer.Argument(help="file.py:factory, file.pt2 or file.mai")]
MaybeModel = Annotated[
    str | None,
    typer.Argument(help="file.py:factory, file.pt2 or file.mai; none is the digits example"),
]
BoardName = Annotated[str, typer.Option("--board", help="A board's name, or a board file.")]
Emulate = Annotated[bool, typer.Option("--emulate", help="Run in QEMU; no board needed.")]
Qemu = Annotated[str, typer.Option("--qemu", envvar="MICROAI_QEMU", help="The emulator's program.")]
Scheme = Annotated[
    str | None, typer.Option("--scheme", help=f"{', '.join(SCHEMES)}; default int8.")
]
Name = Annotated[str | None, typer.Option("--name", help="Prefix of everything in the C files.")]
Shape = Annotated[
    str | None, typer.Option("--input-shape", help="As in 1,1,8,8; for a factory without inputs.")
]
Data = Annotated[Path | None, typer.Option("--data", help=".npz with X, and labels y.")]
Calibration = Annotated[
    Path | None, typer.Option("--calibration", help=".npz with X to measure ranges on.")
]
Normalize = Annotated[str, typer.Option("--normalize", help="zscore or none.")]
Seed = Annotated[int, typer.Option("--seed", help="For training and random samples.")]
Json = Annotated[bool, typer.Option("--json", help="One object on stdout, nothing else.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the files.")]
