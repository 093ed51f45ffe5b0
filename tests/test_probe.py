# SPDX-License-Identifier: Apache-2.0
"""What an installed CMSIS-NN may be instead of the one needed: each a sentence, exit 5.

The archives are the tests' own, built for the target to be refused.
"""

import subprocess
from pathlib import Path

import pytest

from microai.device.cmsis_nn import ARCHIVE, HEADER, installed
from tests.library import for_target
from tests.networks import __file__ as networks
from tests.test_cli import Result

TINY = f"{networks}:tiny"
FPU = ("-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")


def refused(prefix: Path | None) -> str:
    """What `check` says, before it opens the model."""
    place = ["--cmsis-nn", str(prefix)] if prefix else []
    result = Result("check", "no-such-model.py:x", "--backend", "cmsis_nn,simd", *place)
    assert result.code == 5
    return result.message


def test_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder, no headers, no archive, something else by the archive's name."""
    monkeypatch.delenv("CMSIS_NN_PATH", raising=False)
    assert "pass --cmsis-nn FOLDER or set CMSIS_NN_PATH" in refused(None)
    assert refused(tmp_path / "no").startswith(f"{tmp_path / 'no'} is no folder; ")
    assert f"{tmp_path} holds no {HEADER}; looked for Include/{HEADER}, " in refused(tmp_path)
    (tmp_path / "Include").mkdir()
    (tmp_path / "Include" / HEADER).touch()
    assert f"{tmp_path} holds no {ARCHIVE}; looked for lib/{ARCHIVE}, " in refused(tmp_path)
    (tmp_path / ARCHIVE).write_text("no archive")
    assert f"{tmp_path / ARCHIVE} is no archive of objects; build it with " in refused(tmp_path)


def test_doctor_fails_on_what_is_named(tmp_path: Path, monkeypatch) -> None:
    """A library that nobody named may be absent."""
    monkeypatch.delenv("CMSIS_NN_PATH", raising=False)
    assert Result("doctor").code == 0
    named = Result("doctor", "--cmsis-nn", str(tmp_path))
    assert named.code == 5
    assert f"holds no {HEADER}" in " ".join(named.stdout.split())


def test_another_core(tmp_path: Path) -> None:
    """Of another architecture, or without the FPU's registers for arguments."""
    m0 = for_target(tmp_path / "m0", core=("-mcpu=cortex-m0plus", "-mthumb"))
    assert "elements.o has Tag_CPU_arch v6S-M, expected v7E-M; build it with -mcpu" in refused(m0)
    soft = for_target(tmp_path / "soft", core=("-mcpu=cortex-m4", "-mthumb"))
    assert "has Tag_FP_arch none, expected VFPv4-D16" in refused(soft)
    mixed = for_target(tmp_path / "mixed")
    archive = mixed / "lib" / ARCHIVE
    add(archive, m0 / "sizes.o")
    assert "sizes.o has Tag_CPU_arch v6S-M" in refused(mixed)
    subprocess.run(["gcc", "-c", "-x", "c", "/dev/null", "-o", str(tmp_path / "x86.o")], check=True)
    archive.unlink()
    add(archive, tmp_path / "x86.o")
    assert "is not for a Cortex-M4F: x86.o has Tag_CPU_arch none" in refused(mixed)


def add(archive: Path, member: Path) -> None:
    """To an archive, in place of its member of that name."""
    subprocess.run(["arm-none-eabi-ar", "rcs", str(archive), str(member)], check=True)


def test_an_old_version(tmp_path: Path) -> None:
    """A function that the headers do not declare, or that the archive does not hold."""
    prefix = for_target(tmp_path / "old")
    header = prefix / "include" / HEADER
    text = header.read_text(encoding="utf-8")
    header.write_text(text.replace("arm_fully_connected_wrapper_s8", "arm_fully_connected_s8"))
    lacking = "lack arm_fully_connected_wrapper_s8: CMSIS-NN 7.0.0 or newer is needed"
    assert lacking in refused(prefix)
    header.write_text(text.replace("const cmsis_nn_bias_data *bias", "const int64_t *bias"))
    assert "does not fit this microai: " in refused(prefix)
    header.write_text(text)
    subprocess.run(["arm-none-eabi-ar", "d", prefix / "lib" / ARCHIVE, "sums.o"], check=True)
    subprocess.run(["arm-none-eabi-ar", "d", prefix / "lib" / ARCHIVE, "elements.o"], check=True)
    said = refused(prefix)
    for name in ("arm_convolve_wrapper_s16", "arm_max_pool_s8", "arm_elementwise_mul_s16"):
        assert f" {name}" in said
    assert said.endswith("7.0.0 or newer is needed")


@pytest.mark.qemu
def test_the_command_line_takes_it(tmp_path: Path, samples: Path) -> None:
    """Probed, asked for scratch, written as calls; a name twice is once."""
    prefix = for_target(tmp_path / "library")
    order = "cmsis_nn,simd,portable,simd"
    result = Result("generate", TINY, "--calibration", str(samples), "-o", str(tmp_path / "c"),
                    "--backend", order, "--cmsis-nn", str(prefix))  # fmt: skip
    assert result.code == 0
    text = (tmp_path / "c" / "model.c").read_text()
    assert "#include <arm_nnfunctions.h>" in text
    assert "arm_convolve_wrapper_s8(" in text
    assert "mai_conv" not in text


@pytest.mark.qemu
@pytest.mark.slow
def test_two_roundings(tmp_path: Path, qemu: str) -> None:
    """The library's default; with the option it is the contract's."""
    prefix = for_target(tmp_path / "double", "-DDOUBLE_ROUNDING")
    said = refused(prefix)
    assert "1 * 1073741824 / 2**32 to 1 in conv_s4, expected 0: build it with " in said
    assert said.endswith("-DCMSIS_NN_USE_SINGLE_ROUNDING")
    partly = for_target(tmp_path / "partly")
    add(partly / "lib" / ARCHIVE, prefix / "elements.o")
    assert "to 1 in mul_s8, expected 0" in refused(partly)
    heard: list[str] = []
    library = installed(for_target(tmp_path / "single", "-O0"), qemu, heard.append)
    sizes = library.scratch([("conv_s8", (1, 1, 1, 1, 1, 1, 8, 8, 3, 3, 3, 3, 8, 8, 16))] * 2)
    assert list(sizes) == [112, 112]
    assert library.description.startswith("CMSIS-NN, arm_nnfunctions.h unnumbered, archive ")
    assert "was it built without optimization?" in heard[0]
