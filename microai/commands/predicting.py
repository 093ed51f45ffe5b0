# SPDX-License-Identifier: Apache-2.0
"""The commands that say what a network takes on a board that is not there."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from microai import pipeline
from microai.benchmarks import page
from microai.benchmarks import run as run_benchmarks
from microai.choices import choices_json
from microai.choosing import Tuning, budget_of, check_timed, choose
from microai.files import write_file
from microai.job import Job
from microai.options import (
    BackendNames,
    BoardName,
    Calibration,
    ChoicesFile,
    Clock,
    CmsisNn,
    Data,
    DataDir,
    FlashBudget,
    Goals,
    Json,
    LayerSchemes,
    MaybeModel,
    Name,
    Normalize,
    PerChannel,
    PowerMw,
    Qemu,
    RamBudget,
    RangeMethod,
    RoundingMode,
    Scheme,
    Seed,
    Shape,
)
from microai.pipeline import Recipe
from microai.render import Compiled
from microai.show import show_choices, show_profile, stdout, tell
from microai.source import Question, Source, open_source, own_name, with_samples
from microai.versions import versions
from microai.wanted import (
    How,
    check_names,
    choices_of,
    goal_of,
    kernels_of,
    power_of,
    question_of,
    recipe_of,
    target_of,
)


def _opened(question: Question, recipe: Recipe, name: str | None) -> tuple[Source, Compiled]:
    """The user's model with samples, and as C."""
    source = with_samples(open_source(question, tell), question.seed, tell)
    prefix = name or own_name(question.model)
    return source, pipeline.compile_source(source, recipe, prefix, tell)


def profile(
    model: MaybeModel = None,
    board: BoardName = "stm32l4",
    clock: Clock = None,
    power_mw: PowerMw = None,
    choices: ChoicesFile = None,
    scheme: Scheme = None,
    rounding: RoundingMode = "nearest",
    per_channel: PerChannel = False,
    ranges: RangeMethod = "minmax",
    layer: LayerSchemes = None,
    backend: BackendNames = None,
    cmsis_nn: CmsisNn = None,
    name: Name = None,
    data: Data = None,
    calibration: Calibration = None,
    normalize: Normalize = "none",
    input_shape: Shape = None,
    seed: Seed = 0,
    qemu: Qemu = "qemu-system-arm",
    as_json: Json = False,
) -> None:
    """Predict cycles, latency and energy of every layer and function; no board needed."""
    power = power_of(power_mw)
    target = target_of(board, qemu, emulate=True, clock=clock)
    chosen = kernels_of(backend, cmsis_nn, qemu, tell)
    taken = choices_of(choices, target, tell)
    recipe = recipe_of(scheme, layer, How(rounding, per_channel, ranges), chosen, taken)
    question = question_of(model, input_shape, data, calibration, normalize, seed)
    check_names(name)
    source, compiled = _opened(question, recipe, name)
    job = Job(target, qemu, power_mw=power)
    show_profile(pipeline.profile_source(source, compiled, job, tell), as_json=as_json)


def tune(
    model: MaybeModel = None,
    board: BoardName = "stm32l4",
    clock: Clock = None,
    goal: Goals = "latency",
    flash: FlashBudget = None,
    ram: RamBudget = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="The file.")] = Path("choices.json"),
    scheme: Scheme = None,
    rounding: RoundingMode = "nearest",
    per_channel: PerChannel = False,
    ranges: RangeMethod = "minmax",
    layer: LayerSchemes = None,
    backend: BackendNames = None,
    cmsis_nn: CmsisNn = None,
    name: Name = None,
    data: Data = None,
    calibration: Calibration = None,
    normalize: Normalize = "none",
    input_shape: Shape = None,
    seed: Seed = 0,
    qemu: Qemu = "qemu-system-arm",
    as_json: Json = False,
) -> None:
    """Time every kernel of every layer and choose the best for a board, as choices.json."""
    aim = goal_of(goal)
    target = target_of(board, qemu, emulate=True, clock=clock)
    check_timed(target)
    chosen = kernels_of(backend, cmsis_nn, qemu, tell)
    recipe = recipe_of(scheme, layer, How(rounding, per_channel, ranges), chosen)
    question = question_of(model, input_shape, data, calibration, normalize, seed)
    check_names(name, out)
    source, compiled = _opened(question, recipe, name)
    tuning = Tuning(chosen, aim, budget_of(target, flash, ram))
    sample = pipeline.first_sample(source, compiled)
    found = choose(compiled, sample, tuning, Job(target, qemu), tell)
    write_file(out, lambda file: file.write(choices_json(found)))
    show_choices(found, out, as_json=as_json)


def bench(
    out: Annotated[Path, typer.Option("-o", "--out", help="The page.")] = Path("BENCHMARKS.md"),
    board: Annotated[
        list[str] | None, typer.Option("--board", help="May be repeated; default l4r5, stm32l4.")
    ] = None,
    backend: BackendNames = None,
    cmsis_nn: CmsisNn = None,
    data_dir: DataDir = Path(),
    qemu: Qemu = "qemu-system-arm",
) -> None:
    """Predict the networks that engines are compared on, and write them as one page."""
    jobs = [Job(target_of(name, qemu, emulate=True), qemu) for name in board or BOARDS]
    for job in jobs:
        check_timed(job.board)
    check_names(None, out)
    names = backend or ("cmsis_nn,simd,portable" if cmsis_nn else None)
    kernels = kernels_of(names, cmsis_nn, qemu, tell)
    results = list(run_benchmarks(jobs, kernels, data_dir, tell))
    tools = ", ".join(
        f"{name} {text}" for name, text in versions("arm-none-eabi-gcc", qemu).items()
    )
    libraries = {kernel.library.description for kernel in kernels if kernel.library}
    tools = ", ".join([tools, *libraries])
    write_file(out, lambda file: file.write(page(results, tools).encode()))
    stdout.print(f"{out}", highlight=False, markup=False, soft_wrap=True)


BOARDS = ("l4r5", "stm32l4")
COMMANDS: tuple[Callable[..., None], ...] = (profile, tune, bench)
