# SPDX-License-Identifier: Apache-2.0
"""Published data sets: from the official archives to .npz, which all else reads."""

from microai.datasets.cifar10 import CIFAR10
from microai.datasets.dataset import DataSet
from microai.datasets.fsdd import FSDD
from microai.datasets.gtsrb import GTSRB
from microai.datasets.uci_har import UCI_HAR

DATASETS: dict[str, DataSet] = {one.kind: one for one in (UCI_HAR, FSDD, GTSRB, CIFAR10)}


def published(file_name: str) -> str:
    """Where the set of such an .npz is published and how it is made; "" for unknown names."""
    for one in DATASETS.values():
        if file_name.startswith(f"{one.stem}_") and file_name.endswith(".npz"):
            return one.published
    return ""
