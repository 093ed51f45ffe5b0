# SPDX-License-Identifier: Apache-2.0
"""A diagnosis as a picture: signal-to-noise and saturation of every tensor, as SVG."""

import io
import math
import warnings
from typing import TYPE_CHECKING

from microai.diagnose import Diagnosis
from microai.extras import needed
from microai.figures import SNR_LIMIT_DB

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES_PER_ROW = 0.35


def check_plotting() -> None:
    """DeviceError now where `curves_svg` would later."""
    with needed("plot"):
        import matplotlib as mpl  # noqa: F401


def curves_svg(diagnosis: Diagnosis) -> bytes:
    """Equal diagnoses give equal bytes."""
    with needed("plot"):
        import matplotlib as mpl
        from matplotlib.figure import Figure
    file = io.BytesIO()
    style = mpl.rc_context({
        "svg.hashsalt": "microai", "svg.fonttype": "none", "font.size": 8.0,
        "text.parse_math": False,
    })  # fmt: skip
    with style, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters its font lacks: who shows the SVG has others
        width = max(6.0, INCHES_PER_ROW * len(diagnosis.rows))
        figure = Figure(figsize=(width, 6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        upper.set_title(f"{diagnosis.model}, {diagnosis.scheme}, {diagnosis.samples} samples")
        _errors(upper, diagnosis)
        _saturation(lower, diagnosis)
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def _errors(axes: "Axes", diagnosis: Diagnosis) -> None:
    places = range(len(diagnosis.rows))
    whole = [_shown(row.snr_db) for row in diagnosis.rows]
    own = [_shown(row.own_snr_db) for row in diagnosis.rows]
    axes.plot(places, whole, "o-", label="network up to here")
    axes.plot(places, own, "s:", label="this layer alone")
    axes.set_ylabel("signal to noise, dB")
    axes.grid(alpha=0.3)
    axes.legend()


def _shown(snr_db: float) -> float:
    """A gap where nothing is lost: its 200 dB would flatten all else."""
    return math.nan if snr_db >= SNR_LIMIT_DB else snr_db


def _saturation(axes: "Axes", diagnosis: Diagnosis) -> None:
    shares = [100 * (row.saturation or 0) for row in diagnosis.rows]
    axes.bar(range(len(shares)), shares)
    axes.set_ylabel("saturated, %")
    axes.set_ylim(0, max(1.0, *shares) * 1.1)
    axes.set_xticks(range(len(shares)), [row.name for row in diagnosis.rows], rotation=90)
