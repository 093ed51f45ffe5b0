# SPDX-License-Identifier: Apache-2.0
"""`microai` and `python -m microai`."""

import signal
import sys


def main() -> None:
    """Run the command line; Ctrl-C is quiet from the first import on."""
    try:
        from microai.cli import main as run
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201  nothing else is there yet
        sys.exit(130)
    try:
        run()
    finally:  # what is left is the interpreter's, and nothing of it is worth interrupting
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
