# SPDX-License-Identifier: Apache-2.0
"""Choosing integer storage for every tensor."""
