"""Tools for people who test: :mod:`muxi.testing.transport_suite` is the conformance suite of transports."""
