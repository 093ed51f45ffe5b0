# SPDX-License-Identifier: Apache-2.0
"""The subcommands, in the order of --help."""

from microai.commands import asking, deploying, studying

COMMANDS = (*deploying.COMMANDS, *studying.COMMANDS, *asking.COMMANDS)
