"""The threads that compute answers."""

import concurrent.futures
import threading

from vsa_tf.server.serving_error import ServingError


class RequestPool:
    """Computes answers in a fixed number of threads, with a bounded queue before them.

    HTTP and gRPC share one, so that neither many connections nor a slow model make memory grow:
    only as many requests as there are threads are unpacked at a time.

    Args:
        limits: `RequestLimits`.
    """

    def __init__(self, limits):
        self._limits = limits
        self._executor = concurrent.futures.ThreadPoolExecutor(
            limits.num_threads, thread_name_prefix="requests"
        )
        self._places = threading.BoundedSemaphore(limits.max_requests)

    def run(self, function, timeout_seconds=None):
        """Returns `function()`, computed in one of the threads.

        Args:
            function: without arguments.
            timeout_seconds: the client's own, where it is shorter than that of the limits.

        A function that has begun cannot be interrupted: after the timeout it goes on in its
        thread, and its result is dropped.

        Raises:
            ServingError: UNAVAILABLE where the queue is full, DEADLINE_EXCEEDED after the timeout.
        """
        limit = self._limits.timeout_seconds
        if timeout_seconds is not None:
            limit = min(limit, timeout_seconds)
        if not self._places.acquire(blocking=False):
            raise ServingError(
                "UNAVAILABLE",
                f"The server is busy with {self._limits.max_requests} requests. Try again later",
            )
        try:
            future = self._executor.submit(function)
        except RuntimeError as error:
            self._places.release()
            raise ServingError("UNAVAILABLE", "The server is shutting down") from error
        future.add_done_callback(lambda _: self._places.release())
        concurrent.futures.wait([future], max(limit, 0))
        if future.cancel() or not future.done():
            raise ServingError("DEADLINE_EXCEEDED", f"No answer within {limit:g} seconds")
        return future.result()

    def stop(self):
        """Refuses new work; what waits is dropped, what runs may finish."""
        self._executor.shutdown(wait=False, cancel_futures=True)
