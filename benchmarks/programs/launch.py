"""Run a command and write down what it took; started by `benchmarks.measured`, without site packages.

    python -I -S launch.py FILE COMMAND …

A process counts the memory of what it was forked from into its own peak. So it is forked from this
small one: a program that imports next to nothing.
"""

import os
import sys
import time


def main():
    """Wait for the command and end as it has ended."""
    file, *command = sys.argv[1:]
    began = time.perf_counter()
    process = os.fork()
    if not process:
        try:
            os.execvp(command[0], command)  # noqa: S606 - the command that is measured
        except OSError as error:
            os.write(2, f"{command[0]}: {error}\n".encode())
            os._exit(127)
    _, status, used = os.wait4(process, 0)
    wall = time.perf_counter() - began
    cpu = used.ru_utime + used.ru_stime
    status = os.waitstatus_to_exitcode(status)
    with open(file, "w") as out:  # noqa: PTH123 - pathlib is large
        out.write(f"[{wall}, {cpu}, {used.ru_maxrss / 1024}, {status}]")


if __name__ == "__main__":
    main()
