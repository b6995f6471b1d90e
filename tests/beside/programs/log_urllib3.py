"""Beside a program that listens to urllib3's debug log."""

import logging

from driving import staged


class Kept(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        messages.append(record.getMessage())


messages: list[str] = []


def observe() -> list[str]:
    """What was logged of requests; connections are made at different times."""
    found = [message for message in messages if "HTTP/1.1" in message]
    messages.clear()
    return found


with staged() as stage:
    stage.call_before()
    logger = logging.getLogger("urllib3")
    handler = Kept()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    stage.call("during", observe)
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(handler)
    stage.call("after", observe)
