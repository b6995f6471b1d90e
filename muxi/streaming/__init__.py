"""Answers that arrive in pieces: server-sent events, what they mean, and the streams that callers hold."""
