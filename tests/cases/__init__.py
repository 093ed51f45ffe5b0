# SPDX-License-Identifier: Apache-2.0
"""Cases as data, one file an op: name -> (op, shapes of its inputs).

Every case is run with zero points that are not zero and inputs that saturate at both ends.
"""

from importlib import import_module

from microai.backend import op_slug
from microai.op import Op
from microai.ops import OPS

Case = tuple[Op, list[tuple[int, ...]]]

CASES: dict[str, Case] = {
    f"{op_slug(op)}-{name}": case
    for op in OPS
    for name, case in import_module(f"tests.cases.{op_slug(op)}").CASES.items()
}
