# SPDX-License-Identifier: Apache-2.0
"""The commands that say what a network takes on a board that is not there."""

from collections.abc import Callable

from microai import pipeline
from microai.job import Job
from microai.options import (
    BackendNames,
    BoardName,
    Calibration,
    Clock,
    CmsisNn,
    Data,
    Json,
    LayerSchemes,
    MaybeModel,
    Name,
    Normalize,
    PerChannel,
    PowerMw,
    Qemu,
    RangeMethod,
    RoundingMode,
    Scheme,
    Seed,
    Shape,
)
from microai.show import show_profile, tell
from microai.source import open_source, own_name, with_samples
from microai.wanted import How, check_names, kernels_of, question_of, recipe_of, target_of


def profile(
    model: MaybeModel = None,
    board: BoardName = "stm32l4",
    clock: Clock = None,
    power_mw: PowerMw = None,
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
    target = target_of(board, qemu, emulate=True, clock=clock)
    chosen = kernels_of(backend, cmsis_nn, qemu, tell)
    recipe = recipe_of(scheme, layer, How(rounding, per_channel, ranges), chosen)
    question = question_of(model, input_shape, data, calibration, normalize, seed)
    check_names(name)
    source = with_samples(open_source(question, tell), seed, tell)
    compiled = pipeline.compile_source(source, recipe, name or own_name(model), tell)
    job = Job(target, qemu, power_mw=power_mw)
    show_profile(pipeline.profile_source(source, compiled, job, tell), as_json=as_json)


COMMANDS: tuple[Callable[..., None], ...] = (profile,)
