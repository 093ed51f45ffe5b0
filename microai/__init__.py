# SPDX-License-Identifier: Apache-2.0
"""microai: neural networks as exact integer C on Cortex-M4F microcontrollers."""

__version__ = "0.1.0"
