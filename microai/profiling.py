# SPDX-License-Identifier: Apache-2.0
"""What one inference takes on a board that is not there: by layer, by function, in all."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from microai.device import qemu, session
from microai.device.build import Firmware
from microai.device.measure import measure
from microai.device.plugin import trace_plugin
from microai.device.trace import Window
from microai.device.tracing import traced
from microai.errors import DeviceError, Tell
from microai.facts import layer_facts, model_facts
from microai.job import Job
from microai.predict.cost import Cost, Meter, calls, inference
from microai.predict.image import Image, read_image
from microai.predict.prediction import Prediction, predict
from microai.quantize.scheme import scheme_of
from microai.render import Compiled, step_functions
from microai.report import Layer, ModelFacts
from microai.types import Array

TICKS = "port_ticks"
"""The function of firmware/port.h that stands at both ends of a timed call."""


@dataclass(frozen=True)
class Costs:
    """Of one inference: in all, by step, by function; `lacking` is why no cycles were counted."""

    whole: Cost
    steps: tuple[Cost, ...]
    functions: Mapping[str, Cost]
    lacking: str = ""


@dataclass(frozen=True)
class Profile:
    """A network on a board, one inference of it."""

    model: ModelFacts
    board: str
    scheme: str
    instructions: int
    prediction: Prediction
    flash_bytes: int
    ram_bytes: int
    arena_bytes: int
    libraries: tuple[str, ...]
    layers: tuple[Layer, ...]
    functions: Mapping[str, Cost]

    def to_json(self) -> dict[str, Any]:
        """For --json: the prediction's fields stand among the others."""
        own = asdict(self)
        prediction = own.pop("prediction")
        functions = [{"name": name, **asdict(cost)} for name, cost in self.functions.items()]
        return {"schema": "microai.profile/1", **own, **prediction, "functions": functions}


def profile(
    compiled: Compiled, firmware: Firmware, sample: Mapping[str, Array], job: Job, tell: Tell
) -> Profile:
    """The cost of one sample (1, ...), stored as the network takes it."""
    costs = costs_of(compiled, firmware, sample, job, tell)
    return Profile(
        model_facts(compiled), job.board.name, scheme_of(compiled.graph),
        costs.whole.instructions,
        predict(costs.whole, job.board, job.power_mw, costs.lacking),
        firmware.flash_bytes, firmware.ram_bytes, compiled.plan.arena_bytes,
        tuple(library.description for library in compiled.libraries),
        layer_facts(compiled, costs.steps), costs.functions,
    )  # fmt: skip


def costs_of(
    compiled: Compiled, firmware: Firmware, sample: Mapping[str, Array], job: Job, tell: Tell
) -> Costs:
    """By the plugin, or, where it cannot be had, instructions alone by the emulator's timer."""
    try:
        return traced_costs(compiled, firmware, sample, job)
    except DeviceError as error:
        tell(f"instructions only: {error}")
        return _counted(compiled, firmware, sample, job, tell, str(error))


def traced_costs(
    compiled: Compiled, firmware: Firmware, sample: Mapping[str, Array], job: Job
) -> Costs:
    """By the plugin, or DeviceError."""
    plugin = trace_plugin(job.cache)
    image = read_image(firmware.elf)
    return _costs(compiled, image, _traced(compiled, firmware, image, sample, job, plugin), job)


def _traced(
    compiled: Compiled, firmware: Firmware, image: Image, sample: Mapping[str, Array], job: Job,
    plugin: Path,
) -> list[Window]:  # fmt: skip
    """An empty call, then an inference."""
    marks = [image.start_of(name) for name in (TICKS, *step_functions(compiled))]
    known = dict.fromkeys(mark for mark in marks if mark is not None)
    with traced(firmware.elf, job.board, job.emulator, plugin, known) as running:
        session.select(running.link, compiled)
        running.link.nothing()
        session.infer(running.link, compiled, sample)
        return running.windows()


def _costs(compiled: Compiled, image: Image, trace: list[Window], job: Job) -> Costs:
    ticks = image.start_of(TICKS)
    assert ticks is not None
    nothing, call = calls(trace, ticks)
    starts = [image.start_of(name) for name in step_functions(compiled)]
    run = inference(call, nothing, starts)
    meter = Meter(image, job.board)
    steps = tuple(meter.cost(step) for step in run.steps)
    return Costs(meter.cost(run.whole), steps, meter.by_function(run.whole))


def _counted(
    compiled: Compiled, firmware: Firmware, sample: Mapping[str, Array], job: Job, tell: Tell,
    lacking: str,
) -> Costs:  # fmt: skip
    with qemu.connect(firmware.elf, job.board, job.emulator) as link:
        measured = measure(link, compiled, sample, job.board, tell, 1)
    steps = tuple(map(Cost, measured.layer_instructions))
    return Costs(Cost(measured.instructions), steps, {}, lacking)
