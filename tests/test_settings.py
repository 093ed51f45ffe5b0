# SPDX-License-Identifier: Apache-2.0
"""Experiment files: all mistakes at once, formats by name, sets of data checked and split."""

import re
from pathlib import Path

import numpy as np
import pytest

from microai.errors import UsageError
from microai.examples.resnet import ResNetv1_6
from microai.formats import Format
from microai.labelled import LabelledSet, read_set, split
from microai.paths import data_dir
from microai.quantize.scheme import named
from microai.samples import spread
from microai.settings import Experiment, changed, load_experiment, resolved
from tests.waves import study_in, tiny, waves


def test_every_mistake_of_a_file_in_one_message(tmp_path: Path) -> None:
    """Unknown keys, wrong values, a format that does not exist, a table that is not there."""
    text = tiny(filters=0, rate=-1).replace('"int8"', '"q15"').replace("title", "titel")
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(UsageError) as raised:
        load_experiment(str(tmp_path / "bad.toml"))
    message = str(raised.value)
    assert message.startswith("bad.toml: ")
    for part in (
        "title: Field required", "titel: Extra", "runs.0.filters: Input should be greater than 0",
        "training.learning_rate: Input should be greater than 0",
        "deploy.formats: no format 'q15'; a scheme of f32, int8",
    ):  # fmt: skip
        assert part in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("tuning = {", "# {"), "qmn8+qat needs [tuning]"),
        (("batch = 16, learning_rate = 0.05", 'batch = 16, optimizer = "adam", learning_rate = 1'),
         "training: adam takes no momentum"),
        (("noise = 0.05", 'schedule = "step"'), 'milestones and schedule = "step" need each other'),
        (('"int8", ', '"int8", "int8", '), "deploy.formats: a format is there twice"),
        (('"int8", ', '"int8+mse+moving", '), "'int8+mse+moving' says a thing twice"),
        (('"int8", ', '"int8/int8", '), "'int8/int8' says a thing twice"),
        (('"int8", ', '"int8/f32", '), "'int8/f32': f32 stands alone"),
        (('"int8", ', '"int8+channel", '),
         "'int8+channel': that has a scale for each channel anyway"),
        (('"int8", ', '"a", "b+c", '), "no format 'b+c'"),
        (('"int8", ', '"f32+floor", '), "'f32+floor': f32 stands alone"),
        (("filters = 4", "filters = 4 }, { filters = 4"), "runs: a width is there twice"),
        (("resnetv1_6", "vgg"), "network.kind: String should match pattern"),
        (("train.npz", "../train.npz"), "data.train: String should match pattern"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    """What fits no key is said with the key."""
    text = tiny()
    assert change[0] in text
    (tmp_path / "bad.toml").write_text(text.replace(*change, 1))
    with pytest.raises(UsageError) as raised:
        load_experiment(str(tmp_path / "bad.toml"))
    assert words in str(raised.value)


def test_formats() -> None:
    """A scheme and how to get there."""
    assert Format.read("qmn8") == Format({"qmn8": named("qmn8")}, qat=False)
    expected = named("qmn8", "floor", "mse", per_channel=True)
    assert Format.read("qmn8+qat+mse+floor+channel") == Format({"qmn8": expected}, qat=True)
    mixed = Format.read("qmn8/qmn16+floor").levels
    assert mixed == {name: named(name, "floor") for name in ("qmn8", "qmn16")}


def test_shipped_experiments_and_options() -> None:
    """By name, with widths and seeds of the command line; all of the paper's widths are there."""
    what = load_experiment("uci_har")
    assert [run.filters for run in what.runs] == [16, 24, 32, 40, 48, 64, 80]
    other = changed(what, (24, 7), 3)
    assert [(run.filters, run.seeds) for run in other.runs] == [(24, 3), (7, 3)]
    assert changed(what, (), None) == what
    for path in data_dir("experiments").glob("*.toml"):
        assert load_experiment(path.stem).title
    with pytest.raises(UsageError, match=r"^options: runs.0.filters: .*greater than 0"):
        changed(what, (0,), None)
    with pytest.raises(UsageError, match=r"unknown experiment 'mnist'; there are gtsrb, spoken"):
        load_experiment("mnist")
    with pytest.raises(UsageError, match=r"nowhere.toml: No such file"):
        load_experiment("nowhere.toml")


def test_the_file_in_the_readme(tmp_path: Path) -> None:
    """Is one."""
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "mine.toml").write_text(text)
    assert load_experiment(str(tmp_path / "mine.toml")).title == "Machines"


def test_a_resolved_file_is_an_experiment(tmp_path: Path) -> None:
    """With every default written out."""
    what = load_experiment("gtsrb")
    (tmp_path / "experiment.json").write_bytes(resolved(what))
    assert load_experiment(str(tmp_path / "experiment.json")) == what
    assert '"mixup"' in resolved(what).decode()
    (tmp_path / "experiment.json").write_bytes(b"{")
    with pytest.raises(UsageError, match=r"experiment.json: not JSON: "):
        load_experiment(str(tmp_path / "experiment.json"))


def test_the_papers_network() -> None:
    """13 F^2 + 39 F + 6 parameters."""
    for filters in (8, 16, 80):
        network = ResNetv1_6((9, 128), 6, filters)
        count = sum(p.numel() for p in network.parameters())
        assert count == 13 * filters**2 + 39 * filters + 6


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"y": np.arange(240) % 3 - 1}, "from -1 to 1, expected classes from 0 up"),
        ({"y": np.full(240, 10**9)}, "from 1000000000 to 1000000000, expected classes"),
        ({"y": np.ones((240, 1), int)}, "y is (240, 1)"),
        ({"y": np.zeros(240)}, "y is float64 from 0.0 to 0.0, expected classes from 0 up"),
        ({"scale": np.ones(5)}, "scale is (5,)"),
        ({"classes": np.asarray(["a", "b"])}, "y goes up to 2, `classes` names 2: 0..1"),
        ({"person": np.zeros(3)}, "person is (3,), expected one for each of y"),
        ({"X": np.full((240, 16, 2), "a")}, "X is <U1 (240, 16, 2)"),
        ({"X": np.full((240, 16, 2), np.nan)}, "X has 7680 NaN or infinite values; clean the data"),
        ({"X": np.zeros((0, 16, 2)), "y": np.zeros(0, int)}, "X is float64 (0, 16, 2)"),
    ],
)  # fmt: skip
def test_wrong_data_are_a_sentence(tmp_path: Path, wrong: dict, words: str) -> None:
    """Before anything is trained."""
    waves(tmp_path / "train.npz", 240, 1)
    np.savez(tmp_path / "bad.npz", **{**np.load(tmp_path / "train.npz"), **wrong})
    with pytest.raises(UsageError) as raised:
        read_set(tmp_path / "bad.npz", "person")
    assert words in str(raised.value)


def test_a_missing_set_says_where_it_is_published(tmp_path: Path) -> None:
    """And one that nobody publishes, which folder is looked into."""
    with pytest.raises(UsageError, match=r"names its folder\. .*archive.ics.uci.edu.*microai data"):
        read_set(tmp_path / "uci_har_train.npz")
    with pytest.raises(UsageError, match=r"mine.npz: no such file; .* names its folder$"):
        read_set(tmp_path / "mine.npz")
    with pytest.raises(UsageError, match=r"train.npz: no array 'subject'; it has X, y, scale"):
        read_set(study_in(tmp_path) / "train.npz", "subject")


def test_nobody_is_in_both_parts(tmp_path: Path) -> None:
    """Whole groups are held out, about as many samples as asked, others for another seed."""
    data = read_set(study_in(tmp_path) / "train.npz", "person")
    seen = set()
    for seed in range(6):
        train, held = split(data, 0.3, seed)
        assert data.groups is not None
        assert not set(train.groups) & set(held.groups)
        assert len(train.y) + len(held.y) == 240
        assert 0.1 < len(held.y) / 240 <= 0.3
        seen.add(tuple(np.unique(held.groups)))
    assert len(seen) > 1


def test_without_groups_classes_are_held_out_alike() -> None:
    """The share of each."""
    y = np.repeat([0, 1, 2], [100, 40, 10])
    data = LabelledSet(np.arange(150.0)[:, None], y, None, 3)
    train, held = split(data, 0.2)
    assert np.bincount(held.y).tolist() == [20, 8, 2]
    assert sorted([*train.x[:, 0], *held.x[:, 0]]) == list(range(150))
    with pytest.raises(UsageError, match="150 samples are too few.* hold out a share of 0.001"):
        split(data, 0.001)
    assert spread(10, 4).tolist() == [0, 3, 6, 9]
    assert spread(3, 9).tolist() == [0, 1, 2]
    assert Experiment.model_fields.keys() >= {"tuning", "runs"}
