# SPDX-License-Identifier: Apache-2.0
"""What touches the world: compilers, emulators, serial ports."""
