"""One run at a time."""

import fcntl


def lock_file(file, refusal):
    """Keeps other runs out until the file is closed, be it by a kill.

    Args:
        file: an open file, or the descriptor of a file or directory.
        refusal: the exception to raise where another run holds the lock.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise refusal from None
    except OSError:
        pass  # some network file systems have no locks
