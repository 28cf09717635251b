import pytest

pytest.importorskip("apache_beam", reason="Apache Beam is an extra")

from apache_beam.options.pipeline_options import DirectOptions, PortableOptions, StandardOptions

from tfrecords_tools.beam_pool import beam_options


def test_options_of_the_local_runner_are_read():
    options = beam_options(
        "--runner=DirectRunner --direct_num_workers=2 --direct_running_mode multi_threading"
    )
    assert options.view_as(StandardOptions).runner == "DirectRunner"
    direct = options.view_as(DirectOptions)
    assert (direct.direct_num_workers, direct.direct_running_mode) == (2, "multi_threading")


def test_nothing_is_fetched_for_the_runner_of_this_machine():
    assert beam_options("").view_as(StandardOptions).runner == "FnApiRunner"


def test_a_runner_that_needs_an_extra_of_beam_is_refused(monkeypatch):
    def pipeline(options):
        raise ImportError("please install apache_beam[gcp]")

    monkeypatch.setattr("tfrecords_tools.beam_pool.beam.Pipeline", pipeline)
    with pytest.raises(ValueError, match=r"installed. Received: --runner=DataflowRunner .*\[gcp\]"):
        beam_options("--runner=DataflowRunner")


def test_quotes_are_those_of_a_shell():
    options = beam_options("--runner=PortableRunner --environment_config='a b'")
    assert options.view_as(PortableOptions).environment_config == "a b"


def test_servers_of_jobs_have_options_that_beam_does_not_know():
    text = "--runner=PortableRunner --job_endpoint=HOST:1 --of_the_server=7"
    options = beam_options(text)
    kept = options.get_all_options(retain_unknown_options=True)
    assert kept["of_the_server"] == "7"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--runner=NoRunner", "NoRunner"),
        ("--direct_num_worker=2", "FnApiRunner knows. Received: --direct_num_worker=2"),
        ("direct_num_workers=2", "knows. Received: direct_num_workers=2"),
        ("--direct_num_workers=two", "argument --direct_num_workers: invalid int value: 'two'"),
        ("--direct_running_mode=fast", "argument --direct_running_mode: invalid choice: 'fast'"),
        ("--runner='DirectRunner", "No closing quotation"),
    ],
)
def test_options_that_beam_cannot_use_are_named(text, message):
    with pytest.raises(ValueError, match=message):
        beam_options(text)
