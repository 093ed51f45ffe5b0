# SPDX-License-Identifier: Apache-2.0
"""Cycles as time and energy, with what each figure rests on."""

from dataclasses import dataclass
from typing import Literal

from microai.board import Board
from microai.predict.cost import Cost, untimed

UNCHECKED = "not held against measurements on this board at this clock"
EnergyKind = Literal["predicted", "user"]


@dataclass(frozen=True)
class Prediction:
    """What an inference takes on a board that is not there; None where it cannot be said, and
    then the basis says why. `latency_error` is how far such predictions were off.
    """

    clock_hz: int
    wait_states: int | None
    cycles: int | None
    stall_cycles: int | None
    latency_ms: float | None
    latency_kind: Literal["predicted"] | None
    latency_basis: str
    latency_error: str | None
    energy_uj: float | None
    energy_kind: EnergyKind | None
    energy_basis: str


def predict(cost: Cost, board: Board, power_mw: float | None, lacking: str = "") -> Prediction:
    """For the board's first clock; `lacking` is why there are no cycles, but for the board."""
    clock = board.clocks[0]
    known = cost.cycles is not None
    latency_ms = 1e3 * cost.cycles / clock.hz if cost.cycles is not None else None
    power, kind, energy_basis = _power(board, power_mw)
    energetic = latency_ms is not None and power is not None
    return Prediction(
        clock.hz, clock.wait_states, cost.cycles, cost.stall_cycles, latency_ms,
        "predicted" if known else None,
        basis_of(board) if known else f"not predicted: {lacking or untimed(board)}",
        (board.known_error or UNCHECKED) if known else None,
        latency_ms * power if latency_ms is not None and power is not None else None,
        kind if energetic else None,
        energy_basis if energetic or power is None else "not predicted: no latency",
    )  # fmt: skip


def basis_of(board: Board) -> str:
    """What predictions for a board with known timing rest on."""
    clock = board.clocks[0]
    flash = f"{clock.wait_states} wait states"
    if clock.wait_states:
        flash += " and the flash cache simulated"
    return (
        f"predicted from every instruction run in QEMU: Cortex-M4 manual's cycles, {flash}, "
        f"{clock.hz / 1e6:g} MHz"
    )


def _power(board: Board, power_mw: float | None) -> tuple[float | None, EnergyKind | None, str]:
    """Milliwatts while inferring: the user's, or what was measured on the board at this clock."""
    if power_mw is not None:
        return power_mw, "user", f"{power_mw:g} mW, as given"
    for power in board.power:
        if power.hz == board.clocks[0].hz:
            return (
                power.mw,
                "predicted",
                f"{power.mw:g} mW measured ({power.supply}): {power.source}",
            )
    return None, None, "not predicted: no measured power of this board; give --power-mw"
