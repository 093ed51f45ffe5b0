# SPDX-License-Identifier: Apache-2.0
"""Cycles of Thumb instructions on a Cortex-M4F, without its memory's wait states.

Sources: "TRM" is Arm's Cortex-M4 Technical Reference Manual (DDI 0439B): table 3-1 of its
instruction set summary, section 3.3.2 on load and store timings, table 7-1 of its floating-point
unit. What it gives as a range is a constant here, and says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from capstone import CS_ARCH_ARM, CS_MODE_MCLASS, CS_MODE_THUMB, Cs, CsInsn
from capstone.arm import ARM_OP_MEM, ARM_REG_D0, ARM_REG_D31, ARM_REG_PC, ARM_REG_SP

JUMP_CYCLES = 2  # TRM table 3-1: P, refilling the pipeline, takes 1 to 3
DIVIDE_CYCLES = 7  # TRM table 3-1: 2 to 12, by how many bits the quotient has
WORD = 4


@dataclass(frozen=True)
class Instruction:
    """One instruction, alone: what it costs and what its neighbours may change.

    `address` are the registers its address is made from, `reads` and `writes` all others too.
    """

    size: int
    cycles: int
    address: frozenset[int] = frozenset()
    reads: frozenset[int] = frozenset()
    writes: frozenset[int] = frozenset()
    loads: bool = False  # one value, so that what follows may overlap with it
    overlaps: bool = False  # may overlap with a load before it
    accesses: bool = False
    floats: bool = False  # arithmetic of the floating-point unit


@dataclass(frozen=True)
class Rule:
    """What instructions of some names take; those without a rule take one cycle."""

    names: tuple[str, ...]
    cycles: Callable[[CsInsn], int]
    source: str


def _named(names: str, cycles: Callable[[CsInsn], int] | int, source: str) -> Rule:
    count = (lambda _: cycles) if isinstance(cycles, int) else cycles
    return Rule(tuple(names.split()), count, source)


def _listed(insn: CsInsn) -> int:
    """Registers of a list, the base left out."""
    base = 0 if insn.insn_name() in STACK.split() else 1
    return sum(_words(operand.reg) for operand in insn.operands[base:])


def _words(register: int) -> int:
    return 2 if ARM_REG_D0 <= register <= ARM_REG_D31 else 1


def _stored(insn: CsInsn) -> int:
    """A register offset is added in a cycle of its own."""
    return 2 if _indexed(insn) else 1


def _indexed(insn: CsInsn) -> bool:
    return any(operand.type == ARM_OP_MEM and operand.mem.index for operand in insn.operands)


def _moved(insn: CsInsn) -> int:
    """VMOV: two core registers take two cycles."""
    return 2 if len(insn.operands) > 2 else 1


LOADS = "ldr ldrb ldrh ldrsb ldrsh ldrt ldrbt ldrht ldrsbt ldrsht ldrex ldrexb ldrexh"
STORES = "str strb strh strt strbt strht strex strexb strexh"
DOUBLES = "ldrd strd"
LISTS = "ldm ldmdb stm stmdb push pop"
STACK = "push pop vpush vpop"
FLOAT_LISTS = "vldmia vldmdb vstmia vstmdb vpush vpop"
FUSED = "vmla vmls vnmla vnmls vfma vfms vfnma vfnms"
ARITHMETIC = f"vadd vsub vmul vnmul vdiv vsqrt {FUSED}"

RULES = (
    _named(LOADS, 2, "TRM table 3-1: LDR"),
    _named(STORES, _stored, "TRM 3.3.2: STR with an immediate is always one cycle; table 3-1: STR"),
    _named(DOUBLES, 3, "TRM table 3-1: LDRD, STRD 1 + N"),
    _named(LISTS, lambda insn: 1 + _listed(insn), "TRM table 3-1: LDM, STM, PUSH, POP 1 + N"),
    _named("tbb tbh", 2, "TRM table 3-1: TBB, TBH 2 + P"),
    _named("sdiv udiv", DIVIDE_CYCLES, "TRM table 3-1: 2 to 12"),
    _named("vldr vstr", lambda insn: 1 + _words(insn.operands[0].reg),
           "TRM table 7-1: VLDR, VSTR 2 of a word, 3 of two"),
    _named(FLOAT_LISTS, lambda insn: 1 + _listed(insn), "TRM table 7-1: VLDM, VSTM 1 + N"),
    _named(FUSED, 3, "TRM table 7-1: multiply with accumulation"),
    _named("vdiv vsqrt", 14, "TRM table 7-1"),
    _named("vmov", _moved, "TRM table 7-1: VMOV 1, of two core registers 2"),
)  # fmt: skip
ACCESSES = (LOADS, STORES, DOUBLES, LISTS, FLOAT_LISTS, "vldr vstr tbb tbh")
BY_NAME = {name: rule for rule in RULES for name in rule.names}


class Decoder:
    """Instructions of an image, each decoded once. `code` gives bytes at an address."""

    def __init__(self, code: Callable[[int, int], bytes]) -> None:
        self._code = code
        self._capstone = Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS)
        self._capstone.detail = True
        self._known: dict[int, Instruction] = {}

    def block(self, start: int, count: int) -> list[Instruction]:
        """`count` instructions that follow each other."""
        found: list[Instruction] = []
        for _ in range(count):
            found.append(self._at(start))
            start += found[-1].size
        return found

    def _at(self, address: int) -> Instruction:
        if address not in self._known:
            self._known[address] = self._decoded(address)
        return self._known[address]

    def _decoded(self, address: int) -> Instruction:
        code = self._code(address, WORD)
        insn = next(self._capstone.disasm(code, address, 1), None)
        if insn is None:  # an encoding that capstone does not know
            return Instruction(4 if int.from_bytes(code[:2], "little") >= 0xE800 else 2, 1)
        return timed(insn)


def timed(insn: CsInsn) -> Instruction:
    """An instruction by the rules."""
    name = insn.insn_name()
    rule = BY_NAME.get(name)
    reads, writes = (frozenset(registers) for registers in insn.regs_access())
    loads = name in LOADS.split() and ARM_REG_PC not in writes
    return Instruction(
        insn.size, rule.cycles(insn) if rule else 1, _address(insn, name), reads, writes,
        loads=loads, overlaps=loads or (name in STORES.split() and _indexed(insn)),
        accesses=any(name in names.split() for names in ACCESSES),
        floats=name in ARITHMETIC.split(),
    )  # fmt: skip


def _address(insn: CsInsn, name: str) -> frozenset[int]:
    """Registers that an address is made from; the program counter is always there."""
    if name in STACK.split():
        return frozenset([ARM_REG_SP])
    if name in (*LISTS.split(), *FLOAT_LISTS.split()):
        return frozenset([insn.operands[0].reg])
    memory = [operand.mem for operand in insn.operands if operand.type == ARM_OP_MEM]
    registers = {register for mem in memory for register in (mem.base, mem.index)}
    return frozenset(registers - {0, ARM_REG_PC})


def block_cycles(instructions: Sequence[Instruction]) -> int:
    """Of instructions that run one after the other; jumps as if they were not taken."""
    alone = sum(insn.cycles for insn in instructions)
    return alone + sum(between(first, then) for first, then in pairwise(instructions))


def between(first: Instruction, then: Instruction) -> int:
    """Cycles that `then` takes more, or less, since it follows `first`."""
    shared = first.writes & then.address
    if first.loads:  # TRM 3.3.2: one cycle less unless the address is what was loaded
        return -1 if then.overlaps and not shared else 0
    if then.accesses and shared and not first.accesses:  # TRM 3.3.2: there is no forwarding path
        return 1
    if first.floats and first.writes & then.reads:  # TRM 7.2.3: a result that is needed at once
        return 1
    return 0
