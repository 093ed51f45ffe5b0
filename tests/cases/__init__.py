# SPDX-License-Identifier: Apache-2.0
"""Cases as data, one file an op: name -> (op, shapes of its inputs).

Every case is run with zero points that are not zero and inputs that saturate at both ends.
"""

from importlib import import_module

from microai.op import Op, snake
from microai.ops import OPS

Case = tuple[Op, list[tuple[int, ...]]]

CASES: dict[str, Case] = {
    f"{snake(op.__name__)}-{name}": case
    for op in OPS
    for name, case in import_module(f"tests.cases.{snake(op.__name__)}").CASES.items()
}
