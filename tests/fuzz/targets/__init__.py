"""All targets; importing this package registers them."""

from tests.fuzz.targets import answers, deployments, events, files, heads, http1, values, webhooks, wire

__all__ = ["answers", "deployments", "events", "files", "heads", "http1", "values", "webhooks", "wire"]
