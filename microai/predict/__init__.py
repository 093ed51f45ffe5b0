# SPDX-License-Identifier: Apache-2.0
"""Cycles on a board that is not there: what ran, times what the manual says it takes."""
