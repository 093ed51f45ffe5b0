# SPDX-License-Identifier: Apache-2.0
"""A linked image: its code, and which function an address is in."""

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from microai.errors import DeviceError

THUMB = 1  # the lowest bit of a function's address


@dataclass(frozen=True)
class Function:
    """A symbol of code."""

    name: str
    start: int


@dataclass(frozen=True)
class Image:
    """Functions by address, and what the sections with code hold."""

    functions: tuple[Function, ...]
    sections: tuple[tuple[int, bytes], ...]

    def code(self, address: int, size: int) -> bytes:
        """At most `size` bytes from an address; none where there is no code."""
        for start, data in self.sections:
            if start <= address < start + len(data):
                return data[address - start : address - start + size]
        return b""

    def function_at(self, address: int) -> str:
        """The name of the last function that begins at or before an address."""
        index = bisect_right(self.functions, address, key=lambda function: function.start)
        return self.functions[index - 1].name if index else "?"

    def start_of(self, name: str) -> int | None:
        """Where a function begins: itself, or what the compiler made of it under a longer name.

        None where it is gone: an empty one, or one equal to another.
        """
        for function in self.functions:
            base, _, suffix = function.name.partition(".")
            if base == name and not suffix.startswith(FRAGMENTS):
                return function.start
        return None


FRAGMENTS = ("part", "cold")
"""What gcc calls pieces of a function."""


def read_image(elf: Path) -> Image:
    """The image in a file; DeviceError where it has no symbols."""
    with elf.open("rb") as file:
        parsed = ELFFile(file)
        symbols = parsed.get_section_by_name(".symtab")
        if not isinstance(symbols, SymbolTableSection):
            raise DeviceError(f"{elf.name} has no symbols: it was stripped")
        found = {
            Function(symbol.name, symbol["st_value"] & ~THUMB)
            for symbol in symbols.iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC"
        }
        sections = tuple(
            (section["sh_addr"], section.data())
            for section in parsed.iter_sections()
            if section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR and section["sh_size"]
        )
    return Image(tuple(sorted(found, key=lambda f: (f.start, f.name))), sections)
