# SPDX-License-Identifier: Apache-2.0
"""The commands around training and data."""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from microai.datasets import DATASETS
from microai.datasets.dataset import PARTS, convert
from microai.errors import UsageError
from microai.files import check_writable, write_file, write_npz
from microai.job import Job
from microai.options import (
    BackendNames,
    CmsisNn,
    DataDir,
    Emulate,
    ExperimentFile,
    Filters,
    Json,
    MaybeBoard,
    Out,
    OwnOut,
    Qemu,
    Seeds,
    Validate,
)
from microai.results import read_results, results_page
from microai.settings import changed, load_experiment
from microai.show import show_data, show_study, stdout, tell
from microai.study import Place, run_study
from microai.versions import versions
from microai.wanted import (
    kernels_of,
    target_of,
)

STEPPED = 4  # samples layer by layer, of each network


def train(
    file: ExperimentFile,
    data_dir: DataDir = Path(),
    board: MaybeBoard = None,
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
    target = target_of(board or "stm32l4", qemu, emulate=emulate) if board or emulate else None
    job = Job(target, qemu, stepped=STEPPED) if target else None
    options = {"--board": board, "--emulate": emulate, "--backend": backend, "--seeds": seeds,
               "--filters": filters, "--validate": validate}  # fmt: skip
    tools = versions(*(["arm-none-eabi-gcc", qemu] if job else []))
    chosen = kernels_of(backend, cmsis_nn, qemu, tell)
    place = Place(data_dir, folder, job, chosen, _typed(file, options), tools, validate)
    show_study(run_study(what, place, tell), as_json=as_json)


def _typed(file: str, options: Mapping[str, object]) -> str:
    """The command without what differs from machine to machine."""
    words = ["microai", "train", file]
    for name, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            if each not in (None, False):
                words += [name] if each is True else [name, str(each)]
    return shlex.join(words)


def results(
    studies: Annotated[list[Path], typer.Argument(help="The results.json of each.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The Markdown file.")],
) -> None:
    """Write the results of studies as one page."""
    page = results_page([read_results(path) for path in studies])
    write_file(out, lambda file: file.write(page.encode()))
    stdout.print(
        f"{out}: of {', '.join(map(str, studies))}", highlight=False, markup=False, soft_wrap=True
    )


def data(
    kind: Annotated[str, typer.Argument(help=f"Of {', '.join(DATASETS)}.")],
    out: Out,
    archives: Annotated[
        list[Path] | None, typer.Argument(help="As published: .zip, .tar.* or the unpacked folder.")
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Take fewer samples than are published.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make KIND_train.npz and KIND_test.npz of a published data set's archives."""
    if kind not in DATASETS:
        raise UsageError(f"KIND is {kind!r}, expected one of {', '.join(DATASETS)}")
    dataset = DATASETS[kind]
    files = {part: out / f"{dataset.stem}_{part}.npz" for part in PARTS}
    for file in files.values():
        check_writable(file)
    parts = convert(dataset, archives or [], tell, partial=partial)
    for part, file in files.items():
        write_npz(file, parts[part])
    show_data({file: parts[part] for part, file in files.items()}, as_json=as_json)


COMMANDS: tuple[Callable[..., None], ...] = (train, results, data)
