# SPDX-License-Identifier: Apache-2.0
"""Names from model files never reach C as code."""

import re
from pathlib import Path

import numpy as np
import pytest

from microai.device import session
from microai.errors import UsageError
from microai.interpret import interpret
from microai.names import check_prefix, comment, identifiers
from microai.pipeline import compile_graph
from microai.samples import stored
from tests.graphs import quantized, renamed, samples
from tests.ladder import Trial, on_host

HOSTILE = {
    "conv": "*/ #include <evil.h>", "w": "<script>", "b": "a\nb", "relu": "int", "add": "??/",
    "branch": "\\", "max": "é", "dense": '"', "flat": "run", "x": "/*", "softmax": "",
    "dw": "a_b", "db": "a b",
}  # fmt: skip


def test_hostile_names_compile_and_run(tmp_path: Path) -> None:
    """Comment ends, includes, quotes, newlines, keywords, nothing at all: the same numbers."""
    plain = quantized("residual")
    compiled = compile_graph(renamed(plain, HOSTILE), "model")
    text = compiled.sources["model.c"] + compiled.sources["model.h"]
    assert "evil.h" not in "".join(re.findall(r"#include.*", text))
    assert text.isascii()
    inputs = stored(plain, samples(plain, 2))
    (expected,) = (interpret(plain, inputs)[name] for name in plain.outputs)
    hostile = {HOSTILE.get(name, name): array for name, array in inputs.items()}
    with on_host([Trial(compiled, hostile, {})], tmp_path) as link:
        session.select(link, compiled)
        for number, sample in enumerate(session.samples(hostile)):
            outputs, _ = session.infer(link, compiled, sample)
            np.testing.assert_array_equal(outputs[HOSTILE["softmax"]][0], expected[number])


def test_identifiers_are_distinct() -> None:
    """Whatever collides after cleaning gets a number."""
    made = identifiers(["a.b", "a_b", "a b", "", "*", "a_b_2", "a" * 90, "a" * 91])
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"\w+", name, re.ASCII) for name in made)


def test_comments_cannot_end_early() -> None:
    """No `*/`, no line splice, no newline, no trigraph."""
    cleaned = comment("a */ b /* c \\ d ??/ e \n f \r g")
    assert not re.search(r"\*/|\\|\?|\n|\r|/", cleaned)


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "string", "MATH", "mai_x", "é", "a" * 41])
def test_bad_prefixes_are_refused(name: str) -> None:
    """A prefix names files and begins identifiers."""
    with pytest.raises(UsageError, match="--name"):
        check_prefix(name)
