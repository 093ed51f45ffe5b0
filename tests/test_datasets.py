# SPDX-License-Identifier: Apache-2.0
"""Published data sets: small archives in their structure become the right arrays."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from microai.datasets import DATASETS, fsdd, gtsrb, published
from microai.datasets.dataset import GROUPS, Parts, convert
from microai.datasets.mfcc import DCT, FILTERS, mfcc
from microai.errors import UsageError
from microai.files import load_arrays, write_npz
from microai.labelled import read_set
from tests import archives
from tests.archives import FILES, SMALL, tarred, unpacked, zip_bytes, zipped
from tests.test_cli import Result

PACKED = {
    "a.zip": zipped, "a.tar": tarred, "a.tar.gz": tarred, "a.tgz": tarred, "a.tar.xz": tarred,
    "a.tar.bz2": tarred, "folder": unpacked,
}  # fmt: skip


def converted(kind: str, *paths: Path, partial: bool = False) -> tuple[Parts, list[str]]:
    """What a small archive gives, and what was told."""
    told: list[str] = []
    return convert(SMALL[kind], paths, told.append, partial=partial), told


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("kind", FILES)
def test_the_same_of_every_packing(kind: str, packed: str, tmp_path: Path) -> None:
    """Zip, tar and folder give the same arrays, in order, whatever the order of the files."""
    files = FILES[kind]()
    parts, told = converted(kind, PACKED[packed](files, tmp_path / packed))
    other, _ = converted(kind, zipped(dict(reversed(files.items())), tmp_path / "reversed.zip"))
    assert not told
    assert list(parts) == ["train", "test"]
    for part, arrays in parts.items():
        assert {"X", "y", "classes"} <= arrays.keys()
        assert len(arrays["X"]) == len(arrays["y"]) > 0
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, other[part][name], name)


def test_uci_har(tmp_path: Path) -> None:
    """float32 windows, channels last, in the order of the signals; subjects are the groups."""
    parts, _ = converted("uci_har", zipped(archives.uci_har(), tmp_path / "a.zip"))
    train, test = parts["train"], parts["test"]
    assert train["X"].dtype == np.float32
    samples = np.arange(6 * 128).reshape(6, 128, 1)
    np.testing.assert_allclose(train["X"], (samples + 1000 * np.arange(9)) / 1024, rtol=1e-7)
    assert train["channels"].tolist() == archives.SIGNALS
    assert (train["y"].tolist(), test["y"].tolist()) == ([0, 1, 2, 3, 4, 5], [0, 1, 3, 4, 5, 5])
    assert (train["subject"].tolist(), set(test["subject"])) == ([1, 1, 1, 1, 3, 3], {2})
    assert train["classes"][[0, 5]].tolist() == ["WALKING", "LAYING"]


def test_uci_har_as_its_repository_packs_it(tmp_path: Path) -> None:
    """A zip in a zip, with what a Mac adds."""
    inner = zip_bytes({
        **archives.uci_har(),
        "__MACOSX/UCI HAR Dataset/train/._y_train.txt": b"Mac OS X",
        "UCI HAR Dataset/train/y_test.txt": b"not a file of the set",
        "copy.zip": zip_bytes(archives.uci_har()),  # a zip in a zip in a zip is left alone
    })  # fmt: skip
    outer = {"UCI HAR Dataset.zip": inner, "UCI HAR Dataset.names": b"names"}
    parts, _ = converted("uci_har", zipped(outer, tmp_path / "human+activity.zip"))
    assert [len(arrays["X"]) for arrays in parts.values()] == [6, 6]


def test_fsdd(tmp_path: Path) -> None:
    """By digit and speaker; speakers are the groups, recordings below 5 the test part."""
    parts, _ = converted("fsdd", zipped(archives.fsdd(), tmp_path / "a.zip"))
    for part, recording in (("train", 5), ("test", 0)):
        arrays = parts[part]
        assert arrays["X"].shape == (20, 39, 13)
        assert arrays["X"].dtype == np.float32
        assert arrays["y"].tolist() == [digit for digit in range(10) for _ in range(2)]
        assert arrays["speakers"][arrays["speaker"]].tolist() == ["george", "theo"] * 10
        for row, digit, speaker in zip(arrays["X"], arrays["y"], arrays["speaker"], strict=True):
            name = archives.SPEAKERS[speaker]
            np.testing.assert_array_equal(row, mfcc(archives.noise(digit, name, recording)))


def test_gtsrb(tmp_path: Path) -> None:
    """RGB pictures, the whole frame resized; a track of each class is a group of its own."""
    parts, _ = converted("gtsrb", zipped(archives.gtsrb(), tmp_path / "a.zip"))
    train, test = parts["train"], parts["test"]
    assert train["X"].shape == (46, 32, 32, 3)
    assert train["X"].dtype == np.uint8
    assert train["y"].tolist() == [0, 1, 1, 1, 1, *range(2, 43)]
    assert train["track"].tolist() == [0, 1, 1, 2, 2, *range(3, 44)]
    assert train["X"][2, 0, [0, 13, 18, 31]].tolist() == [
        [2, 1, 1], [2, 1, 1], [102, 101, 101], [102, 101, 101],
    ]  # fmt: skip
    assert test["y"].tolist() == [7, 42, 0]
    assert test["X"][:, 31, 0].tolist() == [[1, 0, 0], [2, 1, 1], [3, 2, 2]]
    assert "track" not in test


def test_gtsrb_of_several_archives(tmp_path: Path) -> None:
    """Training, test and ground truth come apart; the competition's training part is another."""
    files = archives.gtsrb("Training")
    kinds = ("Training", "Final_Test/Images", "GT-final_test.csv")
    paths = [
        zipped({n: f for n, f in files.items() if kind in n}, tmp_path / f"{i}.zip")
        for i, kind in enumerate(kinds)
    ]
    parts, _ = converted("gtsrb", *paths)
    assert [len(arrays["X"]) for arrays in parts.values()] == [46, 3]
    expected = replace(SMALL["gtsrb"].expected, train=gtsrb.TRAIN, other_train=46)
    other = replace(SMALL["gtsrb"], expected=expected)
    assert len(convert(other, paths, print)["train"]["X"]) == 46
    expected = replace(SMALL["gtsrb"].expected, test=gtsrb.TEST, other_train=3)
    with pytest.raises(UsageError, match="GTSRB, test: 3 of 12630 samples"):
        convert(replace(SMALL["gtsrb"], expected=expected), paths, print)


def test_cifar10(tmp_path: Path) -> None:
    """Planes become pixels; batches keep their order."""
    parts, _ = converted("cifar10", tarred(archives.cifar10(), tmp_path / "a.tar.gz"))
    train, test = parts["train"], parts["test"]
    assert train["X"].shape == (10, 32, 32, 3)
    assert (train["y"].tolist(), test["y"].tolist()) == (list(range(10)), [0, 1])
    assert train["X"][:, 0, 0, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert (train["X"][:, 0, 1, 1] == 50).all()
    assert (train["X"][:, 1, 0, 2] == 60).all()
    assert train["X"][..., 1].sum() == 500
    assert test["classes"][[0, 9]].tolist() == ["airplane", "truck"]


def test_published_counts_add_up() -> None:
    """As the sets' own pages say."""
    totals = {k: (sum(d.expected.train), sum(d.expected.test)) for k, d in DATASETS.items()}
    assert totals == {
        "uci_har": (7352, 2947), "fsdd": (2700, 300), "gtsrb": (39209, 12630),
        "cifar10": (50000, 10000),
    }  # fmt: skip
    assert len(DATASETS["uci_har"].expected.checksums) == 18
    assert len(gtsrb.CLASSES) == len(gtsrb.TRAIN) == len(gtsrb.TEST) == 43


def test_checksums(tmp_path: Path) -> None:
    """Of files in an archive, and of archives by their published names."""
    files = archives.uci_har()
    name = "UCI HAR Dataset/train/Inertial Signals/body_acc_x_train.txt"
    good = hashlib.sha256(files[name]).hexdigest()
    sums = {"body_acc_x_train.txt": f"sha256:{good}"}
    strict = replace(SMALL["uci_har"], expected=replace(SMALL["uci_har"].expected, checksums=sums))
    path = zipped(files, tmp_path / "a.zip")
    assert convert(strict, [path], print)
    files[name] = files[name].replace(b"1.9", b"1.8")
    bad = hashlib.sha256(files[name]).hexdigest()
    with pytest.raises(UsageError) as raised:
        convert(strict, [zipped(files, path)], print)
    assert str(raised.value) == (
        f"{path}: {name}: differs from the published file: its sha256 is {bad}, "
        f"expected {good}; download it again"
    )
    path = zipped(archives.fsdd(), tmp_path / "official.zip")
    own = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    for known, fine in ((own, True), ("0" * 32, False)):
        counts = replace(SMALL["fsdd"].expected, checksums={"official.zip": f"md5:{known}"})
        strict = replace(SMALL["fsdd"], expected=counts)
        if fine:
            assert convert(strict, [path], print)
            continue
        with pytest.raises(UsageError) as raised:
            convert(strict, [path], print)
        assert str(raised.value) == (
            f"{path}: differs from the published file: its md5 is {own}, "
            f"expected {known}; download it again"
        )


def test_mfcc_by_its_recipe() -> None:
    """Silence is the floor's logarithm; a tone is loudest in the triangle around it."""
    silence = mfcc(np.zeros(4000, np.int16))
    assert silence.shape == (39, 13)
    np.testing.assert_allclose(silence[:, 0], np.sqrt(26) * np.log(1e-6), rtol=1e-6)
    np.testing.assert_allclose(silence[:, 1:], 0, atol=1e-5)
    np.testing.assert_allclose(DCT.T @ DCT, np.eye(13), atol=1e-12)
    assert FILTERS.shape == (257, 26)
    peaks = FILTERS.argmax(axis=0) * 8000 / 512
    tone = 9000 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
    loud = (mfcc(tone.astype(np.int16)) @ DCT.T).argmax(axis=1)
    assert {np.abs(peaks - 1000).argmin()} == set(loud.tolist())
    longer = np.concatenate([tone, tone[::-1]]).astype(np.int16)
    np.testing.assert_array_equal(mfcc(longer), mfcc(tone.astype(np.int16)))


def test_fsdd_mfcc_of_real_recordings(capsys: pytest.CaptureFixture[str]) -> None:
    """The same numbers as another implementation of the recipe made of the same recordings."""
    if not os.environ.get("MICROAI_DATA"):
        with capsys.disabled():
            print("\nFSDD: NOT TESTED, give MICROAI_DATA")
        pytest.skip("FSDD: NOT TESTED, give MICROAI_DATA")
    folder = Path(os.environ["MICROAI_DATA"])
    parts = fsdd.read([folder / "fsdd_wav_test_a.tar.xz"], DATASETS["fsdd"].expected)
    own, other = parts["test"], load_arrays(folder / "fsdd_mfcc_test_a.npz")
    order = np.lexsort((other["index"], other["speaker"], other["y"]))
    assert own["speakers"].tolist() == other["speakers"].tolist()
    for name, theirs in (("y", "y"), ("speaker", "speaker"), ("recording", "index")):
        np.testing.assert_array_equal(own[name], other[theirs][order])
    assert np.abs(own["X"] - other["X"][order]).max() <= 1e-5  # values go to 70


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files and what they hold; with fewer samples only when that is asked for."""
    path = tarred(archives.fsdd(), tmp_path / "recordings.tar.gz")
    out = tmp_path / "out"
    result = Result("data", "fsdd", str(path), "-o", str(out))
    assert result.code == 2
    assert result.message == (
        "Free Spoken Digit Dataset, train: 20 of 2700 samples (zero 2 of 270, one 2 of 270, "
        "two 2 of 270 and 7 more classes); pass what is published at "
        "https://github.com/Jakobovski/free-spoken-digit-dataset, or --partial to take what is "
        "there"
    )
    assert not out.exists()
    result = Result("data", "fsdd", str(path), "-o", str(out), "--partial")
    assert result.stdout.splitlines() == [
        f"{out / 'fsdd_mfcc_train.npz'}: X float32 (20, 39, 13), 10 classes, 2 groups",
        f"{out / 'fsdd_mfcc_test.npz'}: X float32 (20, 39, 13), 10 classes, 2 groups",
    ]
    result = Result("data", "fsdd", str(path), "-o", str(out), "--partial", "--json")
    found = json.loads(result.stdout)
    assert found["schema"] == "microai.data/1"
    assert found["files"][1] == {
        "file": str(out / "fsdd_mfcc_test.npz"), "dtype": "float32", "shape": [20, 39, 13],
        "samples_per_class": dict.fromkeys(fsdd.CLASSES, 2), "groups": 2,
    }  # fmt: skip
    arrays = load_arrays(out / "fsdd_mfcc_train.npz")
    assert arrays.keys() == {"X", "y", "classes", "speaker", "recording", "speakers"}
    assert arrays["y"].tolist() == [digit for digit in range(10) for _ in range(2)]


@pytest.mark.parametrize("kind", FILES)
def test_experiments_take_the_files(kind: str, tmp_path: Path) -> None:
    """As they are: samples, labels, as many classes as are published, groups to split by."""
    train = converted(kind, zipped(FILES[kind](), tmp_path / "a.zip"))[0]["train"]
    write_npz(tmp_path / "train.npz", train)
    group = next((name for name in GROUPS if name in train), None)
    labelled = read_set(tmp_path / "train.npz", group)
    np.testing.assert_array_equal(labelled.x, train["X"].astype(np.float32))
    assert labelled.y.tolist() == train["y"].tolist()
    assert labelled.classes == len(DATASETS[kind].expected.train)
    assert (group is None) == (kind == "cifar10")
    if group:
        np.testing.assert_array_equal(labelled.groups, train[group])


def test_published() -> None:
    """A file's name tells the set it belongs to."""
    assert published("gtsrb_test.npz") == (
        "GTSRB is published at https://benchmark.ini.rub.de/gtsrb_dataset.html; `microai data "
        "gtsrb ARCHIVE -o FOLDER` makes gtsrb_train.npz and gtsrb_test.npz of "
        "GTSRB_Final_Training_Images.zip, GTSRB_Final_Test_Images.zip and GTSRB_Final_Test_GT.zip"
    )
    starts = {"uci_har_train.npz": "UCI-HAR", "fsdd_mfcc_test.npz": "Free Spoken Digit Dataset",
              "cifar10_train.npz": "CIFAR-10"}  # fmt: skip
    for name, title in starts.items():
        assert published(name).startswith(f"{title} is published at https://")
    assert published("train.npz") == published("uci_har_train.csv") == published("fsdd_x.npz") == ""
