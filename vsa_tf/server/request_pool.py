"""How many requests are computed at a time, how many wait, and for how long."""

import concurrent.futures
import queue
import threading
import time

from vsa_tf.server.request_limits import ServingError


class RequestPool:
    """Computes answers in a fixed number of threads, with a bounded queue before them.

    HTTP and gRPC share one, so that neither many connections nor a slow model make memory grow:
    only as many requests as there are threads are unpacked at a time.

    A computation that outlives its time limit gives its turn to the next: another thread takes the
    place of its own. TensorFlow ends it between two of its operations, since `LoadedVersion.run`
    is given the deadline; one long operation goes on, and keeps the request's place in the queue
    until it ends, so that the number of those is bounded too.

    Args:
        limits: `RequestLimits`.
    """

    def __init__(self, limits):
        self._limits = limits
        self._places = threading.BoundedSemaphore(limits.max_requests)
        self._jobs = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._num_threads = 0  # they start as they are needed
        self._stopped = False

    def run(self, function, timeout_seconds=None):
        """Returns `function(deadline)`, computed in one of the threads.

        Args:
            function: of the `time.monotonic()` at which nobody waits for its result any more.
            timeout_seconds: the client's own, where it is shorter than that of the limits.

        Raises:
            ServingError: UNAVAILABLE where the queue is full, DEADLINE_EXCEEDED after the timeout.
        """
        limit = self._limits.timeout_seconds
        if timeout_seconds is not None:
            limit = max(min(limit, timeout_seconds), 0)
        if self._stopped:
            raise _stopping()
        if not self._places.acquire(blocking=False):
            raise ServingError(
                "UNAVAILABLE",
                f"The server is busy with {self._limits.max_requests} requests. Try again later",
            )
        job = _Job(function, time.monotonic() + limit)
        job.future.add_done_callback(lambda _: self._places.release())
        with self._lock:
            if self._num_threads < self._limits.num_threads:
                self._num_threads += 1
                self._start_thread()
        self._jobs.put(job)
        concurrent.futures.wait([job.future], limit)
        late = ServingError("DEADLINE_EXCEEDED", f"No answer within {limit:g} seconds")
        if job.future.cancel():  # its turn has not come
            raise late
        with self._lock:
            job.is_late = not job.future.done()
        if job.is_late:
            self._start_thread()
            raise late
        error = job.future.exception()
        if isinstance(error, ServingError) and error.code == late.code:
            raise late
        return job.future.result()

    def stop(self):
        """Refuses new work; what waits is dropped, what runs may finish."""
        self._stopped = True
        for _ in range(self._limits.num_threads):
            self._jobs.put(None)

    def _start_thread(self):
        # A daemon: an operation that does not end does not keep the process from its end.
        threading.Thread(target=self._compute_jobs, name="requests", daemon=True).start()

    def _compute_jobs(self):
        while job := self._jobs.get():
            if not job.future.set_running_or_notify_cancel():
                continue
            try:
                if self._stopped:
                    raise _stopping()
                result, error = job.function(job.deadline), None
            except BaseException as caught:  # whoever waits for it is told
                result, error = None, caught
            with self._lock:
                job.end(result, error)
                is_late = job.is_late
            del job, result, error  # not held until the next one comes
            if is_late:
                return


class _Job:
    def __init__(self, function, deadline):
        self.function = function
        self.deadline = deadline
        self.future = concurrent.futures.Future()
        self.is_late = False

    def end(self, result, error):
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


def _stopping():
    return ServingError("UNAVAILABLE", "The server is shutting down")
