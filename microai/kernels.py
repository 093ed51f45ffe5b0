# SPDX-License-Identifier: Apache-2.0
"""The C kernels of firmware/kernels: headers as they are, or one text for all integer storages.

`mai_conv2d_s16_ws8_wide.h` is made from `mai_conv2d_int.h.j2`: input, weights and output have the
types of its name, sums are 64-bit where it ends in `wide`.
"""

import re
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from microai.paths import data_dir

SUMS, WIDE_SUMS = 8, 4  # that registers hold at a time, of 32 bits or of 64
BITS = {"s8": 8, "s16": 16, "s32": 32}
TWO_IN_A_BYTE = "s4"
NAME = re.compile(
    r"(?P<kernel>mai_\w+?)_(?P<storage>(?P<x>f32|s8|s16)(?:_w(?P<w>s4|s8|s16))?"
    r"(?:_y(?P<y>f32|s8|s16|s32))?(?P<wide>_wide)?)"
)


@cache
def kernel_header(name: str) -> str:
    """The text of <name>.h."""
    folder = data_dir("firmware") / "kernels"
    plain = folder / f"{name}.h"
    if plain.exists():
        return plain.read_text(encoding="utf-8")
    found = NAME.fullmatch(name)
    assert found, f"no kernel {name}"
    x, w, y, wide = found["x"], found["w"] or found["x"], found["y"] or found["x"], found["wide"]
    alike = ("f32" if x == "f32" else "int") + (
        "" if (x == "f32") == (y == "f32") else "_yf32" if y == "f32" else "_yint"
    )
    environment = Environment(  # noqa: S701  the output is C, of our own text
        loader=FileSystemLoader(folder), undefined=StrictUndefined, keep_trailing_newline=True,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(f"{found['kernel']}_{alike}.h.j2").render(
        storage=found["storage"], STORAGE=found["storage"].upper(), x=x, w=w, y=y,
        **_type("x", x), **_type("w", w), **_type("y", y),
        wide=bool(wide),
        sums=WIDE_SUMS if wide else SUMS, sum_t="int64_t" if wide else "int32_t",
        requantize="mai_requantize_wide" if wide else "mai_requantize",
        finished="mai_finished_wide" if wide else "mai_finished",
        smlad="mai_smlald" if wide else "mai_smlad",
        smlabb="mai_smlalbb" if wide else "mai_smlabb",
        smlatt="mai_smlaltt" if wide else "mai_smlatt",
        term_t="int32_t" if x == "s8" else "int64_t",
        share_t="uint32_t" if x == "s8" else "uint64_t",
        entry_t="int8_t" if x == "s8" else "int32_t",
    )  # fmt: skip


def _type(name: str, code: str) -> dict[str, str]:
    """C's name of a storage, and its limits."""
    if code == "f32":
        return {f"{name}_t": "float"}
    if code == TWO_IN_A_BYTE:
        return {f"{name}_t": "uint8_t"}
    bits = BITS[code]
    limits = {f"{name}_min": f"INT{bits}_MIN", f"{name}_max": f"INT{bits}_MAX"}
    return {f"{name}_t": f"int{bits}_t", **limits}
