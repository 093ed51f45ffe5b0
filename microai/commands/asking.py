# SPDX-License-Identifier: Apache-2.0
"""The commands that only ask: what there is, and what works here."""

import json
from collections.abc import Callable
from dataclasses import asdict

from microai import __version__
from microai.backends import EVERY, kernels
from microai.board import board_names, load_board
from microai.doctor import examine, print_tools
from microai.errors import DeviceError
from microai.frontends import imported
from microai.options import CmsisNn, Imports, Json, Qemu
from microai.show import stdout
from microai.support import support_matrix
from microai.tables import boards_table, support_table


def boards(as_json: Json = False) -> None:
    """The boards, with their memory and clocks."""
    found = [load_board(name) for name in board_names()]
    if as_json:
        stdout.print_json(json.dumps({"boards": [board.model_dump() for board in found]}))
        return
    stdout.print(boards_table(found))


def ops(imports: Imports = False, as_json: Json = False) -> None:
    """What each backend can run, in which storage; or what is imported from other formats."""
    if imports:
        known = imported()
        if as_json:
            stdout.print_json(json.dumps(known))
            return
        for name, operators in known.items():
            stdout.print(f"{name}: {', '.join(operators)}\n", highlight=False, soft_wrap=True)
        return
    matrix = support_matrix(kernels(EVERY))
    if as_json:
        stdout.print_json(json.dumps(matrix))
        return
    stdout.print(support_table(matrix, [backend.name for backend in EVERY]))


def doctor(cmsis_nn: CmsisNn = None, qemu: Qemu = "qemu-system-arm", as_json: Json = False) -> None:
    """Try every tool, and say how to install what is missing."""
    tools = examine(qemu, cmsis_nn)
    if as_json:
        stdout.print_json(json.dumps({"tools": [asdict(tool) for tool in tools]}))
    else:
        print_tools(tools, stdout)
    if not all(tool.ok for tool in tools if tool.required):
        raise DeviceError("something that is needed is missing or unfit; see the table")


def version() -> None:
    """The version."""
    stdout.print(__version__, highlight=False)


COMMANDS: tuple[Callable[..., None], ...] = (boards, ops, doctor, version)
