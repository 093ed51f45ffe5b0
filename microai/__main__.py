# SPDX-License-Identifier: Apache-2.0
"""`python -m microai`."""

from microai.cli import main

main()
