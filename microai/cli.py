# SPDX-License-Identifier: Apache-2.0
"""The command line. Results on stdout, progress on stderr; errors are one line and an exit code."""

import signal
import sys
import tempfile
import traceback

import typer
from rich.markup import escape

from microai.commands import COMMANDS
from microai.errors import MicroaiError
from microai.show import stderr

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Neural networks as exact integer C on Cortex-M4F microcontrollers.",
)  # fmt: skip

for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Run a command; every error becomes one line on stderr and an exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that emulators end with us
    try:
        app()
    except MicroaiError as error:
        stderr.print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, SystemExit) as end:
        code = 130 if isinstance(end, KeyboardInterrupt) else end.code
        if code == 130:  # typer turns Ctrl-C into it, silently
            stderr.print("interrupted; nothing half-written is left")
        sys.exit(code)
    except Exception as error:  # noqa: BLE001  whatever is left is our bug
        with tempfile.NamedTemporaryFile(
            "w", prefix="microai-", suffix=".log", delete=False
        ) as log:
            traceback.print_exc(file=log)
        stderr.print(f"internal error: {type(error).__name__}; please report {log.name}")
        sys.exit(1)
