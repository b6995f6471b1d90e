"""The modules that are mutated, and the tests that have to notice."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["TARGETS", "Target"]


class Target(NamedTuple):
    """Modules that are mutated together, and their tests."""

    #: Paths of the modules; of a directory, every module in it.
    sources: tuple[str, ...]
    #: Files of tests, those that find most first; every mutant runs them up to the first failure.
    tests: tuple[str, ...]
    #: Processor seconds that all tests together do not take: more is a mutant that loops.
    seconds: int = 40
    #: Names of tests that measure time. They run last, with mutants that survive all others and are not listed.
    measures: tuple[str, ...] = ()


#: By name; the survivors of each are listed in ``NAME.txt`` beside this file.
TARGETS: dict[str, Target] = {
    "http1": Target(
        ("muxi_transports/http1",),
        (
            "tests/http1/test_rules.py",
            "tests/http1/test_reader.py",
            "tests/http1/test_request_heads.py",
            "tests/http1/test_bounds.py",
        ),
        measures=("test_the_time_is_in_proportion_to_the_bytes",),
    ),
    "repeat": Target(
        ("muxi/exchange/repeat.py",),
        ("tests/exchange/test_repeat.py", "tests/formation/test_routes.py", "tests/server/test_tables.py"),
    ),
    "exchange": Target(
        ("muxi/exchange/life.py",),
        (
            "tests/exchange/test_life.py",
            "tests/exchange/test_received.py",
            "tests/exchange/test_exchange.py",
            "tests/exchange/test_redirects.py",
            "tests/exchange/test_repeat.py",
            "tests/client/test_closing.py",
            "tests/hooks/test_hooks.py",
        ),
    ),
    "incoming": Target(
        ("muxi/exchange/incoming.py",),
        (
            "tests/exchange/test_incoming.py",
            "tests/exchange/test_redirects.py",
            "tests/exchange/test_exchange.py",
            "tests/exchange/test_life.py",
            "tests/exchange/test_received.py",
        ),
    ),
    "sse": Target(
        ("muxi/streaming/sse.py",),
        ("tests/streaming/test_framing.py", "tests/streaming/test_sse.py", "tests/streaming/test_events.py"),
    ),
    "streams": Target(
        ("muxi/streaming/streams.py", "muxi/streaming/progress.py"),
        (
            "tests/streaming/test_stream_state.py",
            "tests/streaming/test_stream_errors.py",
            "tests/streaming/test_modules.py",
            "tests/streaming/test_streams.py",
            "tests/streaming/test_stream_endings.py",
            "tests/streaming/test_stream_failures.py",
            "tests/streaming/test_one_reader.py",
            "tests/streaming/test_forked_streams.py",
            "tests/notebooks/test_rendering.py",
        ),
    ),
    "signatures": Target(
        ("muxi/webhook/signature.py", "muxi/webhook/replay.py", "muxi/plugins/signature.py"),
        (
            "tests/webhook/test_signature.py",
            "tests/webhook/test_replay.py",
            "tests/webhook/test_canonical.py",
            "tests/server/test_signature.py",
        ),
    ),
    "redaction": Target(
        ("muxi/redact.py", "muxi/plugins/redaction.py"),
        (
            "tests/secrets/test_decisions.py",
            "tests/plugins/test_redaction.py",
            "tests/secrets/test_masking.py",
            "tests/doors/test_secrets.py",
        ),
    ),
    "lanes": Target(
        ("muxi_transports/pooled/routes.py", "muxi_transports/pooled/watch.py"),
        (
            "tests/pooled/test_routes.py",
            "tests/pooled/test_watching_imports.py",
            "tests/transports/test_watch.py",
            "tests/pooled/test_lanes.py",
            "tests/transports/test_http_routes.py",
        ),
    ),
}
