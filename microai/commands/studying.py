# SPDX-License-Identifier: Apache-2.0
"""The commands around training."""

from collections.abc import Callable
from pathlib import Path

from microai.files import check_writable
from microai.options import (
    BackendNames,
    BoardName,
    CmsisNn,
    DataDir,
    Emulate,
    ExperimentFile,
    Filters,
    Json,
    OwnOut,
    Qemu,
    Seeds,
    Validate,
    kernels_of,
    target_of,
)
from microai.pipeline import Job
from microai.settings import changed, load_experiment
from microai.show import show_study, tell
from microai.study import Place, run_study


def train(
    file: ExperimentFile,
    data_dir: DataDir = Path(),
    board: BoardName = "stm32l4",
    emulate: Emulate = False,
    backend: BackendNames = None,
    cmsis_nn: CmsisNn = None,
    filters: Filters = None,
    seeds: Seeds = None,
    validate: Validate = False,
    out: OwnOut = None,
    qemu: Qemu = "qemu-system-arm",
    as_json: Json = False,
) -> None:
    """Train an experiment's networks, store them in every format, judge them. Run it again after
    an interruption: it goes on.
    """
    what = changed(load_experiment(file), tuple(filters or ()), seeds)
    folder = out or Path("build") / (Path(file).stem + ("-validated" if validate else ""))
    check_writable(folder / "results.json")
    job = Job(target_of(board, qemu, emulate=True), qemu) if emulate else None
    place = Place(data_dir, folder, job, kernels_of(backend, cmsis_nn, qemu, tell), validate)
    show_study(run_study(what, place, tell), as_json=as_json)


COMMANDS: tuple[Callable[..., None], ...] = (train,)
