"""Twenty thousand generated answers, read as h11 and http.client read them, but for differences that have a reason."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable

import pytest

from muxi_transports.http1 import Head, rules
from tests.http1.generated import Generated, generate
from tests.http1.others import OtherReading, read_by_h11, read_by_http_client
from tests.http1.reading import Reading, cut_at_random, every_byte, read

#: As many as show every difference.
ALL = 20_000
ANSWERS = [2_000, pytest.param(ALL, marks=pytest.mark.slow)]

#: Whether a difference is the one that the function is called after.
Reason = Callable[[Generated, Reading, OtherReading], bool]

# What another library reads although a rule refuses it. The first has the rules of which h11 has none.
_LAX_H11 = {
    rules.CHUNK_EXTENSION: "does not look at what is in extensions",
    rules.CODING_1_0: "reads chunks in HTTP/1.0",
    rules.LENGTH_AND_CODING: "lets the coding win over the length",
    rules.STATUS_LINE: "keeps control characters in reasons",
    rules.VERSION: "takes HTTP/0.9 and HTTP/2.0 for HTTP/1",
}
_LAX_HTTP_CLIENT = {
    rules.CHUNK_END: "skips two bytes, whatever they are",
    rules.CHUNK_EXTENSION: "does not look at what is in extensions",
    rules.CHUNK_LINE_END: "takes LF for the end of a line",
    rules.CHUNK_SIZE: "reads sizes with int()",
    rules.CODING_1_0: "reads chunks in HTTP/1.0",
    rules.CODINGS: "takes any other coding for none",
    rules.CONTENT_LENGTH: "reads lengths with int(), and takes what is none for no length",
    rules.FIELD_NAME: "ends the head at a line that it does not understand",
    rules.FIELD_VALUE: "keeps NUL, and takes CR for the end of a line",
    rules.FOLDED_START: "drops the line",
    rules.LENGTH_AND_CODING: "lets the coding win over the length",
    rules.LENGTHS_DIFFER: "takes the first of several lengths",
    rules.NO_COLON: "ends the head at a line that it does not understand",
    rules.SPACE_BEFORE_COLON: "takes the white space into the name, or ends the head",
    rules.NOT_HTTP: "skips white space before the version",
    rules.STATUS_LINE: "splits the line at any white space, and reads the status with int()",
    rules.VERSION: "takes whatever begins with HTTP/1. for HTTP/1.1",
    rules.EARLY_END: "takes the end of the connection for the end of a head, or of trailers",
    rules.UPGRADE: "takes 101 for the answer",
}


def _header(head: Head | None, name: str) -> list[str]:
    return [value for known, value in (head.headers if head else []) if known.lower() == name]


def h11_reads_what_a_rule_refuses(answer: Generated, ours: Reading, theirs: OtherReading) -> bool:
    """h11 has not this rule; see the table."""
    return theirs.refused is None and ours.error is not None and ours.error[1] in {rule.name for rule in _LAX_H11}


def h11_compares_lengths_as_text(answer: Generated, ours: Reading, theirs: OtherReading) -> bool:
    """For h11 ``5`` and ``05`` are two lengths."""
    lengths = ",".join(_header(ours.head, "content-length")).split(",")
    return theirs.refused == "conflicting Content-Length headers" and len({length.strip() for length in lengths}) > 1


def h11_refuses_white_space_before_an_extension(answer: Generated, ours: Reading, theirs: OtherReading) -> bool:
    """The RFC has "bad white space" there."""
    return (theirs.refused or "").startswith("illegal chunk header") and bool(
        re.search(rb"[0-9a-f][ \t]+;", answer.wire)
    )


def h11_refuses_vertical_white_space_in_values(answer: Generated, ours: Reading, theirs: OtherReading) -> bool:
    """It keeps other control characters."""
    return (theirs.refused or "").startswith("illegal header line") and bool(re.search(rb"[\x0b\x0c]", answer.wire))


def h11_does_not_keep_connections_of_1_0(answer: Generated, ours: Reading, theirs: OtherReading) -> bool:
    """It does not look for ``keep-alive``."""
    return ours.reusable and ours.head is not None and ours.head.version == "1.0" and _same_but_reuse(ours, theirs)


def h11_keeps_a_connection_after_a_204_with_a_body(answer: Generated, ours: Reading, theirs: OtherReading) -> bool:
    """It does not mind the framing."""
    framed = [*_header(ours.head, "content-length"), *_header(ours.head, "transfer-encoding")]
    return not ours.reusable and theirs.status == 204 and bool(framed) and _same_but_reuse(ours, theirs)


def http_client_reads_what_a_rule_refuses(answer: Generated, ours: Reading, theirs: OtherReading) -> bool:
    """http.client has not this rule; see the table."""
    lax = {rule.name for rule in _LAX_HTTP_CLIENT}
    return theirs.refused is None and ours.error is not None and ours.error[1] in lax


def http_client_takes_an_interim_answer_for_the_answer(answer: Generated, ours: Reading, theirs: OtherReading) -> bool:
    """It knows 100 only."""
    return theirs.refused is None and 100 < theirs.status < 200


def http_client_reads_chunks_after_204_and_304(answer: Generated, ours: Reading, theirs: OtherReading) -> bool:
    """For it a coding goes before the status."""
    status = ours.head.status if ours.head else 0
    chunked = [coding.lower() for coding in _header(ours.head, "transfer-encoding")] == ["chunked"]
    return status in (204, 304) and chunked and ours.content == b"" and ours.ended


def http_client_takes_a_list_of_lengths_for_none(answer: Generated, ours: Reading, theirs: OtherReading) -> bool:
    """It reads on until the connection ends, and so what comes after the answer."""
    listed = any("," in length for length in _header(ours.head, "content-length"))
    return listed and len(theirs.content) > len(ours.content) and theirs.content.startswith(ours.content)


def http_client_keeps_white_space_after_a_coding(answer: Generated, ours: Reading, theirs: OtherReading) -> bool:
    """The coding is another one then, and the chunks are content."""
    codings = [value for name, value in theirs.headers if name == "transfer-encoding"]
    return _header(ours.head, "transfer-encoding") == ["chunked"] and codings[0] in ("chunked\t", "chunked ")


H11_REASONS: list[Reason] = [
    h11_reads_what_a_rule_refuses,
    h11_compares_lengths_as_text,
    h11_refuses_white_space_before_an_extension,
    h11_refuses_vertical_white_space_in_values,
    h11_does_not_keep_connections_of_1_0,
    h11_keeps_a_connection_after_a_204_with_a_body,
]
HTTP_CLIENT_REASONS: list[Reason] = [
    http_client_reads_what_a_rule_refuses,
    http_client_takes_an_interim_answer_for_the_answer,
    http_client_reads_chunks_after_204_and_304,
    http_client_takes_a_list_of_lengths_for_none,
    http_client_keeps_white_space_after_a_coding,
]


def _same(ours: Reading, theirs: OtherReading) -> bool:
    return _same_but_reuse(ours, theirs) and theirs.reusable in (None, ours.reusable or ours.error is not None)


def _same_but_reuse(ours: Reading, theirs: OtherReading) -> bool:
    if ours.error is not None or theirs.refused is not None:
        return ours.error is not None and theirs.refused is not None
    head = ours.head
    assert head is not None
    fields = [(name.lower(), value) for name, value in head.headers]
    return (head.status, ours.content, ours.ended) == (theirs.status, theirs.content, True) and _comparable(
        fields
    ) == _comparable(theirs.headers)


def _comparable(headers: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Headers without the forms that differ: http.client keeps folds and trailing space, h11 rewrites lengths."""
    return [
        (name, re.sub(r"\r?\n[ \t]+", " ", value).strip())
        for name, value in headers
        if name not in ("content-length", "transfer-encoding")
    ]


@pytest.mark.parametrize("answers", ANSWERS)
@pytest.mark.parametrize("library", ["h11", "http.client"])
def test_generated_answers_are_read_as_others_read_them_but_for_differences_with_a_reason(
    library: str, answers: int
) -> None:
    reasons = H11_REASONS if library == "h11" else HTTP_CLIENT_REASONS
    found: Counter[str] = Counter()
    for seed in range(answers):
        answer = generate(seed)
        ours = read([answer.wire], answer.method)
        if library == "h11":
            theirs = read_by_h11([answer.wire], answer.method)
        else:
            theirs = read_by_http_client(answer.wire, answer.method)
        if _same(ours, theirs):
            found["same"] += 1
            continue
        reason = next((reason for reason in reasons if reason(answer, ours, theirs)), None)
        assert reason is not None, (seed, answer, ours, theirs)
        found[reason.__name__] += 1

    assert found["same"] > answers * (0.9 if library == "h11" else 0.6)
    if answers == ALL:
        assert set(found) == {"same", *(reason.__name__ for reason in reasons)}, "a reason explains nothing any more"


@pytest.mark.parametrize("answers", ANSWERS)
def test_generated_answers_read_the_same_wherever_their_bytes_are_cut(answers: int) -> None:
    for seed in range(answers):
        answer = generate(seed)
        dice = random.Random(seed)
        whole = read([answer.wire], answer.method)

        assert read(cut_at_random(answer.wire, dice), answer.method) == whole, seed
        if seed % 20 == 0:
            assert read(every_byte(answer.wire), answer.method) == whole, seed


def test_generated_answers_break_most_rules() -> None:
    readings = [read([answer.wire], answer.method) for answer in map(generate, range(5000))]
    broken = {reading.error[1] for reading in readings if reading.error is not None}

    # What needs many bytes is in the table of rules only.
    sizes = {rules.HEAD_SIZE, rules.FIELD_COUNT, rules.INTERIM_COUNT, rules.CHUNK_LINE_SIZE, rules.EXTENSION_FLOOD}
    refusing = {rule.name for rule in rules.RULES if "refused" in rule.decision}
    assert broken == refusing - {rule.name for rule in sizes} - {rules.TRAILER_SIZE.name}
    assert sum(reading.error is None for reading in readings) > 2500
