# SPDX-License-Identifier: Apache-2.0
"""`microai quantize`: a user's network in integers, trained on in them or not."""

import json
from pathlib import Path

import numpy as np
import pytest

from microai.interpret import interpret_only
from microai.quantize.scheme import scheme_of
from microai.samples import normalized, samples_of, stored
from microai.save import load
from tests.test_cli import Result, process
from tests.waves import waves

NETWORK = """
import torch
from torch import nn

def factory():
    torch.manual_seed(0)
    x, y = (torch.from_numpy(array) for array in samples())
    network = nn.Sequential(
        nn.Conv1d(2, 6, 3, padding=1), nn.BatchNorm1d(6), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(),
        nn.Linear(48, 3))
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    return network, (x,)

def samples():
    import numpy as np
    arrays = np.load(__file__.replace("net.py", "train.npz"))
    return arrays["X"].transpose(0, 2, 1).astype(np.float32) / 1000, arrays["y"]

def pair():
    class Pair(nn.Module):
        def forward(self, a, b):
            return a + b
    return Pair(), (torch.zeros(1, 4), torch.zeros(1, 4))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A network, labelled samples to train it on and to test it with."""
    for name, count, seed in (("train", 240, 1), ("test", 60, 2)):
        waves(tmp_path / f"{name}.npz", count, seed)
        arrays = np.load(tmp_path / f"{name}.npz")
        real = arrays["X"].transpose(0, 2, 1).astype(np.float32) / 1000
        np.savez(tmp_path / f"{name}_real.npz", X=real, y=arrays["y"])
    (tmp_path / "net.py").write_text(NETWORK)
    return tmp_path


def quantize(place: Path, *options: str, model: str = "net.py:factory") -> Result:
    return Result("quantize", str(place / model), "-o", str(place / "net.mai"), *options)


def accuracy(place: Path) -> float:
    """Of the .mai on the test samples, by its rules."""
    graph, path = load(place / "net.mai"), place / "test_real.npz"
    arrays = dict(np.load(path))
    inputs = stored(graph, normalized(graph, samples_of(graph, arrays, path)))
    scores = interpret_only(graph, inputs, graph.outputs)[graph.outputs[0]]
    return float((scores.argmax(axis=1) == arrays["y"]).mean())


def test_after_training(place: Path) -> None:
    """What deploy would make of it, as a file."""
    result = quantize(place, "--scheme", "qmn8", "--calibration", str(place / "train_real.npz"))
    assert (result.code, result.stdout) == (0, f"{place / 'net.mai'}: qmn8\n"), result.message
    assert scheme_of(load(place / "net.mai")) == "qmn8"
    assert accuracy(place) > 0.9


@pytest.mark.slow
def test_trained_on_in_integers(place: Path) -> None:
    """Two runs of one seed give the same file; the report is of what was held out."""
    options = ("--scheme", "int8x4", "--qat", "--epochs", "4", "--json",
               "--data", str(place / "train_real.npz"))  # fmt: skip
    first = quantize(place, *options)
    content = (place / "net.mai").read_bytes()
    second = quantize(place, *options)
    assert first.code == second.code == 0, first.message
    found = json.loads(first.stdout)
    assert found == json.loads(second.stdout)
    assert (found["schema"], found["scheme"]) == ("microai.quantize/1", "int8x4")
    assert found["held_out"]["samples"] == 24
    assert found["held_out"]["integers"] >= 0.9
    assert accuracy(place) > 0.9
    assert content == (place / "net.mai").read_bytes()
    assert not list(place.glob("*.training"))
    text = quantize(place, *(option for option in options if option != "--json")).stdout
    assert text.startswith("of 24 samples held out: float ")


@pytest.mark.slow
def test_what_cannot_be_trained(place: Path) -> None:
    """Sentences, with the way out."""
    data = ("--data", str(place / "train_real.npz"))
    result = quantize(place, "--qat", "--calibration", str(place / "train_real.npz"))
    assert result.message == "--qat trains on labelled samples: pass --data x.npz with X and y"
    result = quantize(place, "--qat", "--epochs", "0", "--learning-rate", "nan", *data)
    assert result.code == 2
    assert "epochs: Input should be greater than 0; learning_rate: " in result.message
    assert quantize(place, "--learning-rate", "1").message == "--learning-rate needs --qat"
    result = Result("quantize", str(place / "net.py:factory"), "-o", str(place / "net.c"), *data)
    assert result.message == f"--out is {place / 'net.c'}, expected a file that ends in .mai"
    assert quantize(place, *data).code == 0
    result = quantize(place, "--qat", *data, model="net.mai")
    assert (result.code, "is quantized already; training needs" in result.message) == (3, True)
    np.savez(place / "pair.npz", a=np.ones((9, 4)), b=np.ones((9, 4)), y=np.zeros(9, int))
    result = quantize(place, "--qat", "--data", str(place / "pair.npz"), model="net.py:pair")
    assert (result.code, "has several inputs or outputs; train it in" in result.message) == (
        3,
        True,
    )
    arrays = dict(np.load(place / "train_real.npz"))
    np.savez(place / "wrong.npz", X=arrays["X"], y=arrays["y"] + 1)
    result = quantize(place, "--qat", "--data", str(place / "wrong.npz"))
    assert "y holds 1..3, the network has classes 0..2" in result.message
    arrays["X"][3, 1, 5] = np.nan
    np.savez(place / "wrong.npz", **arrays)
    result = quantize(place, "--qat", "--data", str(place / "wrong.npz"))
    assert "X has 1 NaN or infinite values; clean the data first" in result.message


@pytest.mark.qemu
@pytest.mark.slow
def test_deployed(place: Path) -> None:
    """The trained integers run on the target, 0 mismatches."""
    assert quantize(place, "--qat", "--epochs", "2", "--data",
                    str(place / "train_real.npz")).code == 0  # fmt: skip
    done = process("deploy", str(place / "net.mai"), "--emulate", "--json", "--data",
                   str(place / "test_real.npz"), "-o", str(place / "out"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["mismatches"] == 0
    assert report["metric"]["target"] == accuracy(place)
