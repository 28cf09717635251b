import threading

import pytest

from vsa_tf.server.request_limits import RequestLimits, RequestPool, ServingError


def _raise():
    raise KeyError("answer")


def _refusal(pool, **options):
    with pytest.raises(ServingError) as error:
        pool.run(lambda: None, **options)
    return error.value


def test_results_and_errors_come_back():
    pool = RequestPool(RequestLimits())
    assert pool.run(lambda: 5) == 5
    with pytest.raises(KeyError, match="answer"):
        pool.run(_raise)


def test_late_answers_are_dropped_and_waiting_ones_never_begin():
    pool = RequestPool(RequestLimits(num_threads=1))
    release = threading.Event()
    begun = []
    with pytest.raises(ServingError) as error:
        pool.run(release.wait, timeout_seconds=0.05)
    assert (error.value.code, error.value.http_status) == ("DEADLINE_EXCEEDED", 504)
    with pytest.raises(ServingError, match="No answer within 0.05 seconds"):
        pool.run(lambda: begun.append(1), timeout_seconds=0.05)
    release.set()
    assert pool.run(lambda: 5) == 5
    assert begun == []


def test_the_limit_s_own_timeout_holds_too():
    pool = RequestPool(RequestLimits(num_threads=1, timeout_seconds=0.05))
    release = threading.Event()
    with pytest.raises(ServingError, match="0.05"):
        pool.run(release.wait, timeout_seconds=1000)
    release.set()


def test_a_full_queue_is_refused_and_places_come_free():
    pool = RequestPool(RequestLimits(num_threads=1, max_waiting=1))
    release = threading.Event()
    clients = [threading.Thread(target=pool.run, args=(release.wait,)) for _ in range(2)]
    for client in clients:
        client.start()
    error = _refusal(pool, timeout_seconds=0.01)
    while error.code == "DEADLINE_EXCEEDED":  # the second client has not come yet
        error = _refusal(pool, timeout_seconds=0.01)
    assert (error.code, error.http_status) == ("UNAVAILABLE", 503)
    assert "busy with 2 requests" in error.message
    release.set()
    for client in clients:
        client.join()
    assert pool.run(lambda: 5) == 5


def test_a_stopped_pool_refuses():
    pool = RequestPool(RequestLimits())
    pool.stop()
    assert _refusal(pool).code == "UNAVAILABLE"
