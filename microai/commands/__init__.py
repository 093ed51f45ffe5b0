# SPDX-License-Identifier: Apache-2.0
"""The subcommands, in the order of --help."""

from microai.commands import asking, deploying, predicting, quantizing, studying

COMMANDS = (
    *deploying.COMMANDS, *predicting.COMMANDS, *quantizing.COMMANDS, *studying.COMMANDS,
    *asking.COMMANDS,
)  # fmt: skip
