"""Runs a command whose stderr is a terminal and prints what it wrote there.

in_terminal.py [--terminate] COMMAND...: control characters are shown as Python
escapes. With --terminate the command gets SIGTERM as soon as it has written.
Exits as the command does, 1 for a signal.
"""

import os
import pty
import signal
import subprocess
import sys
import threading


def main(arguments: list[str]) -> int:
    """Returns the exit code for the command in `arguments`."""
    terminate = arguments[0] == "--terminate"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(arguments[terminate:], stderr=theirs)
    os.close(theirs)
    # A command that neither writes nor ends must not hold up the tests.
    watchdog = threading.Timer(300, process.kill)
    watchdog.daemon = True
    watchdog.start()
    text = b""
    while True:
        try:
            read = os.read(ours, 4096)
        except OSError:  # Linux's way of saying that the other end is closed
            break
        if not read:
            break
        text += read
        if terminate:
            process.send_signal(signal.SIGTERM)
            terminate = False
    print(repr(text.decode()))
    return 1 if process.wait() < 0 else process.returncode


sys.exit(main(sys.argv[1:]))
