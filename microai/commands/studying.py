# SPDX-License-Identifier: Apache-2.0
"""The commands around training and data."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from microai.experiment import run_experiment
from microai.files import check_writable
from microai.options import (
    BackendNames,
    BoardName,
    CmsisNn,
    DataDir,
    Emulate,
    Filters,
    Json,
    OwnOut,
    OwnSeed,
    Qemu,
    kernels_of,
    target_of,
)
from microai.pipeline import Job
from microai.settings import changed, load_experiment
from microai.show import (
    show_experiment,
    tell,
)


def experiment(
    file: Annotated[str, typer.Argument(help="uci_har, or a TOML file of your own.")],
    data_dir: DataDir = Path(),
    board: BoardName = "stm32l4",
    emulate: Emulate = False,
    backend: BackendNames = None,
    cmsis_nn: CmsisNn = None,
    filters: Filters = None,
    seed: OwnSeed = None,
    out: OwnOut = None,
    qemu: Qemu = "qemu-system-arm",
    as_json: Json = False,
) -> None:
    """Train a network and deploy it in every storage scheme of an experiment file."""
    target = target_of(board, qemu, emulate=emulate)
    what = changed(load_experiment(file), filters, seed)
    own = f"{Path(file).stem}-{what.network.filters}-{what.training.seed}"
    folder = out or Path("build") / own
    check_writable(folder / "experiment.json")
    job = Job(target, qemu, folder)
    chosen = kernels_of(backend, cmsis_nn, qemu, tell)
    show_experiment(run_experiment(what, data_dir, job, chosen, tell), as_json=as_json)


COMMANDS: tuple[Callable[..., None], ...] = (experiment,)
