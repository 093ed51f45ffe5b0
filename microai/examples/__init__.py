# SPDX-License-Identifier: Apache-2.0
"""Networks that come with the package."""
