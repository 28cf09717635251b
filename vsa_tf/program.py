"""How every program starts: flags are read and refused before anything slow is imported."""

import errno
import os
import sys

from absl import app, flags


class ProgramError(Exception):
    """Something the user can mend; printed as one line, exit 1, without a traceback."""


def run(main, usage):
    """Parses the command line and calls `main()`.

    Args:
        main: called without arguments once the flags are parsed.
        usage: what `--help` prints above the flags, usually the program's docstring.

    A wrong, missing or contradictory flag, and every `ProgramError`, is one line on standard
    error and exit 1; `--help` exits 0.
    """
    # TensorFlow prints pages of information when it is imported later.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    flag_values = flags.FLAGS
    sys.modules["__main__"].__doc__ = usage
    if any(argument in ("--help", "-help", "-h", "--helpfull") for argument in sys.argv[1:]):
        app.usage(shorthelp=True)
        sys.exit(0)
    try:
        positional = flag_values(sys.argv)[1:]
        if positional:
            raise ProgramError(f"Expected only flags. Received: {' '.join(positional)}")
        main()
    except (ProgramError, flags.Error) as error:
        sys.exit(f"error: {' '.join(str(error).split())}")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.exit(
            f"error: {error}. Make room and run the same command again: it goes on where it was"
        )
    except KeyboardInterrupt:
        sys.exit("interrupted")
