# SPDX-License-Identifier: Apache-2.0
"""Candidates timed as they would run on a board, many in one image, each timing kept for ever.

A timing is found again by the C it is of, what it was fed with, the board's flash, the compiler,
the harness around it and the rules of timing.
"""

import hashlib
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import TypeGuard

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from microai.board import Board, load_board
from microai.candidates import Candidate
from microai.device import session, trace
from microai.device.build import ARM, ARM_LINK, RELEASE, build, compiled_object, find_tool, told
from microai.device.plugin import trace_plugin
from microai.device.trace import Window, less, total
from microai.device.tracing import traced
from microai.errors import MismatchError, Tell
from microai.graph import Graph
from microai.job import Job
from microai.paths import data_dir
from microai.predict import cost
from microai.predict.cost import Meter, calls
from microai.predict.image import read_image
from microai.profiling import TICKS
from microai.records import keep, recall
from microai.render import STACK_BYTES, Compiled, render_harness
from microai.types import Array, Arrays
from microai.verdict import unequal

MOST_IN_IMAGE, MOST_BYTES = 24, 1 << 20
API = ("init", "step", "run")
"""Functions of every model, which a step of a larger one does not have."""


@dataclass(frozen=True)
class Timing:
    """Cycles of a step, the bytes of its code and constants, and those of them that lie in RAM."""

    cycles: int
    flash_bytes: int
    weights_ram_bytes: int


FIELDS = tuple(field.name for field in fields(Timing))


def timings(
    found: Sequence[Candidate], values: Mapping[str, Array], job: Job, tell: Tell
) -> list[Timing]:
    """Of each candidate; `values` are all tensors (1, ...) of one inference, by the rules."""
    own = context(job)
    settings = [{**own, "c": one.version, "data": data_digest(one.alone, values)} for one in found]
    places = [job.cache / "timings" / f"{digest_of(each)}.json" for each in settings]
    known = [recall(*pair) for pair in zip(places, settings, strict=True)]
    timed = {i: Timing(**record) for i, record in enumerate(known) if counts(record, FIELDS)}
    left = [i for i in range(len(found)) if i not in timed]
    start, batches = time.monotonic(), _batches(found, left)
    done = 0
    for batch in batches:
        if done:
            rest = (time.monotonic() - start) / done * (len(left) - done)
            tell(f"timed {done} of {len(left)} kernels, {rest:.0f} s left")
        for i, one in zip(batch, time_batch([found[i] for i in batch], values, job), strict=True):
            keep(places[i], settings[i], asdict(one))
            timed[i] = one
        done += len(batch)
    tell(f"timed {len(left)} kernels, {len(found) - len(left)} were known")
    return [timed[i] for i in range(len(found))]


def digest_of(settings: Mapping[str, object]) -> str:
    """A name for what was found with these settings."""
    return hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()


def counts(record: Mapping[str, object] | None, names: Iterable[str]) -> TypeGuard[dict[str, int]]:
    """Whether a record holds what it should: another program may have written it."""
    return record is not None and {*record} == {*names} and all(
        isinstance(value, int) and value >= 0 for value in record.values()
    )  # fmt: skip


def data_digest(graph: Graph, values: Mapping[str, Array]) -> str:
    """Of what a network is fed with: cycles depend on it where a kernel branches on values, most
    where 16-bit sums that leave 32 bits are made again.
    """
    fed = b"".join(values[node.name].tobytes() for node in graph.inputs)
    return hashlib.sha256(fed).hexdigest()


def context(job: Job) -> dict[str, str]:
    """All that a timing depends on besides the C and the data."""
    clock, cache = job.board.clocks[0], job.board.cache
    compiler = told([find_tool("arm-none-eabi-gcc"), "--version"]).stdout.partition("\n")[0]
    return {
        "flash": f"{clock.wait_states} {cache and cache.model_dump(exclude={'source'})}",
        "compiler": " ".join([compiler, *ARM, *RELEASE, *ARM_LINK]),
        "capstone": version("capstone"),
        "surroundings": _surroundings(),
    }


def _surroundings() -> str:
    """A digest of the rules of timing, the plugin, the harness and the linker script."""
    digest = hashlib.sha256(str(STACK_BYTES).encode())
    firmware = data_dir("firmware")
    files = [path for path in firmware.rglob("*.[ch]") if path.parent.name != "kernels"]
    files += [data_dir("codegen_templates") / name for name in ("link.ld.j2", "models.c.j2")]
    files += [*Path(cost.__file__).parent.glob("*.py"), Path(trace.__file__)]
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _batches(found: Sequence[Candidate], left: Sequence[int]) -> list[list[int]]:
    """Neighbours that go into one image."""
    batches: list[list[int]] = []
    size = 0
    for i in left:
        weights = found[i].compiled.weights_bytes
        if not batches or len(batches[-1]) == MOST_IN_IMAGE or size + weights > MOST_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(i)
        size += weights
    return batches


def time_batch(batch: Sequence[Candidate], values: Mapping[str, Array], job: Job) -> list[Timing]:
    """Built, run and compared with the rules."""
    compiled = [candidate.named(f"c{i}") for i, candidate in enumerate(batch)]
    board = roomy(job.board)
    sources = {name: text for one in compiled for name, text in one.sources.items()}
    libraries = list(dict.fromkeys(lib for one in compiled for lib in one.libraries))
    with tempfile.TemporaryDirectory(prefix="microai-") as work:
        folder = Path(work)
        elf = build({**sources, **render_harness(compiled)}, board, folder, libraries).elf
        image = read_image(elf)
        ticks = image.start_of(TICKS)
        assert ticks is not None
        plugin = trace_plugin(job.cache)
        with traced(elf, board, job.emulator, plugin, [ticks]) as running:
            running.link.hello()
            running.link.nothing()
            for i, one in enumerate(compiled):
                session.select(running.link, one, i)
                found, _ = session.infer(running.link, one, values)
                _check(batch[i], found, values)
            nothing, *ran = calls(running.windows(), ticks)
        meter = Meter(image, board)
        sizes = [_sizes(compiled_object(folder, one.name), one) for one in compiled]
        return [Timing(_cycles(meter, call, nothing), *size)
                for call, size in zip(ran, sizes, strict=True)]  # fmt: skip


def roomy(board: Board) -> Board:
    """The board with all memory that its emulator has: no board holds every candidate."""
    if not board.emulator:
        return board
    return board.model_copy(update={"memory": load_board(board.emulator).memory})


def _check(candidate: Candidate, found: Arrays, values: Mapping[str, Array]) -> None:
    """A kernel that is off by one is wrong."""
    if wrong := unequal(found[candidate.step], values[candidate.step]):
        raise MismatchError(
            f"{candidate.step}: {wrong} values of {candidate.kernel.name} differ from the rules"
        )


def _cycles(meter: Meter, call: Sequence[Window], nothing: Sequence[Window]) -> int:
    ran, idle = (total(window.ran for window in each) for each in (call, nothing))
    cycles = meter.cost(less(ran, idle)).cycles
    assert cycles is not None, "boards without timing are refused before"
    return cycles


def _sizes(made: Path, one: Compiled) -> tuple[int, int]:
    """Bytes that an object file adds to an image, and those that are copied to RAM."""
    own = tuple(f".{one.name}_{function}" for function in API)
    with made.open("rb") as file:
        loaded = [
            section
            for section in ELFFile(file).iter_sections()
            if section["sh_flags"] & SH_FLAGS.SHF_ALLOC and section["sh_type"] == "SHT_PROGBITS"
        ]
        flash = sum(s["sh_size"] for s in loaded if not s.name.endswith(own))
        return flash, sum(s["sh_size"] for s in loaded if s["sh_flags"] & SH_FLAGS.SHF_WRITE)
