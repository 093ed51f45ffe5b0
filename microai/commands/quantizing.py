# SPDX-License-Identifier: Apache-2.0
"""The commands about what integers do to a network."""

from collections.abc import Callable

from microai import pipeline
from microai.backends import kernels
from microai.curves import check_plotting, curves_svg
from microai.diagnose import check_diagnosable, examine, fewer
from microai.errors import UsageError
from microai.files import check_writable, write_file
from microai.job import Job
from microai.mixture import mixed_recipe
from microai.options import (
    BackendNames,
    Batch,
    Calibration,
    CmsisNn,
    Data,
    Emulate,
    Epochs,
    Json,
    LayerSchemes,
    LearningRate,
    Levels,
    MaiFile,
    MaxDrop,
    MaybeBoard,
    MaybeModel,
    MixedHow,
    Model,
    Normalize,
    PerChannel,
    Qat,
    Qemu,
    RangeMethod,
    RoundingMode,
    Samples,
    Scan,
    Scheme,
    Seed,
    Shape,
    Svg,
)
from microai.pipeline import compile_source
from microai.save import to_bytes
from microai.show import show_diagnosis, show_quantized, tell
from microai.source import open_source, own_name, with_calibration_labels, with_samples
from microai.tuning import tune
from microai.wanted import (
    How,
    check_names,
    kernels_of,
    levels_of,
    question_of,
    recipe_of,
    target_of,
    training_of,
    wish_of,
)


def quantize(
    model: Model,
    out: MaiFile,
    scheme: Scheme = None,
    rounding: RoundingMode = "nearest",
    per_channel: PerChannel = False,
    ranges: RangeMethod = "minmax",
    layer: LayerSchemes = None,
    mixed: MixedHow = None,
    max_drop: MaxDrop = None,
    levels: Levels = None,
    qat: Qat = False,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    batch: Batch = None,
    data: Data = None,
    calibration: Calibration = None,
    normalize: Normalize = "none",
    input_shape: Shape = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Store a float network in integers, as a .mai file for all other commands."""
    how = How(rounding, per_channel, ranges)
    recipe = recipe_of(scheme, layer, how, ())
    wish = wish_of(mixed, max_drop, levels, how, {"--scheme": scheme, "--layer": layer})
    question = question_of(model, input_shape, data, calibration, normalize, seed)
    if out.suffix != ".mai":
        raise UsageError(f"--out is {out}, expected a file that ends in .mai")
    check_writable(out)
    training = training_of(epochs, learning_rate, batch, qat=qat)
    source = open_source(question, tell)
    if wish:
        labelled, record = with_calibration_labels(source, question), out.with_suffix(".mixed.json")
        recipe = mixed_recipe(labelled, wish, kernels(), None, record, tell)
    state = out.with_suffix(".mai.training")
    tuned = tune(source, recipe, training, seed, state, tell) if qat else None
    graph = tuned.graph if tuned else pipeline.stored_graph(source, recipe, tell)
    write_file(out, lambda file: file.write(to_bytes(graph)))
    state.unlink(missing_ok=True)
    show_quantized(graph, out, tuned, as_json=as_json)


def diagnose(
    model: MaybeModel = None,
    data: Data = None,
    scheme: Scheme = None,
    rounding: RoundingMode = "nearest",
    per_channel: PerChannel = False,
    ranges: RangeMethod = "minmax",
    layer: LayerSchemes = None,
    board: MaybeBoard = None,
    emulate: Emulate = False,
    backend: BackendNames = None,
    cmsis_nn: CmsisNn = None,
    calibration: Calibration = None,
    normalize: Normalize = "none",
    input_shape: Shape = None,
    samples: Samples = 50,
    scan: Scan = True,
    levels: Levels = None,
    svg: Svg = None,
    seed: Seed = 0,
    qemu: Qemu = "qemu-system-arm",
    as_json: Json = False,
) -> None:
    """Where accuracy goes: every layer in integers against float, and every execution of it."""
    if svg:
        check_plotting()
    target = target_of(board or "stm32l4", qemu, emulate=emulate) if board or emulate else None
    chosen = kernels_of(backend, cmsis_nn, qemu, tell)
    how = How(rounding, per_channel, ranges)
    recipe = recipe_of(scheme, layer, how, chosen)
    own = scheme if scheme and scheme != "f32" else "int8"
    named = levels_of(levels or own, how)
    question = question_of(model, input_shape, data, calibration, normalize, seed)
    check_names(None, svg)
    if svg and svg.suffix != ".svg":
        raise UsageError(f"--svg is {svg}, expected a file that ends in .svg")
    source = with_samples(open_source(question, tell), seed, tell)
    check_diagnosable(source, recipe)
    source = fewer(source, samples)
    compiled = compile_source(source, recipe, own_name(model), tell)
    job = Job(target, qemu) if target else None
    diagnosis = examine(source, recipe, compiled, job, named if scan else None, tell)
    if svg:
        picture = curves_svg(diagnosis)
        write_file(svg, lambda file: file.write(picture))
    show_diagnosis(diagnosis, as_json=as_json)


COMMANDS: tuple[Callable[..., None], ...] = (quantize, diagnose)
