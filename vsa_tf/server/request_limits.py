"""What one request, and all of them together, may ask of the server."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class RequestLimits:
    """Limits of requests.

    Attributes:
        num_threads: requests that are read, computed and answered at a time.
        max_waiting: requests that may wait for a thread; more are refused.
        max_batch_size: rows of one request, where a signature leaves their number open.
        max_body_bytes: bytes of a request, and of every tensor in it.
        max_text_bytes: bytes of each string, except in inputs named `*_bytes`.
        timeout_seconds: from a request's arrival to its answer.
        idle_seconds: after which an HTTP connection that sends and takes nothing is closed.
    """

    num_threads: int = 2
    max_waiting: int = 32
    max_batch_size: int = 64
    max_body_bytes: int = 32 << 20
    max_text_bytes: int = 65536
    timeout_seconds: float = 60.0
    idle_seconds: float = 60.0

    @property
    def max_requests(self):
        """Requests that are held at a time, computed and waiting ones."""
        return self.num_threads + self.max_waiting
