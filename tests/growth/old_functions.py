def response_with(header: str, value: str) -> BufferedResponse:
    answer = BufferedResponse(200)
    answer.headers._items[header] = [(header, value)]
    return answer


def refuse(function: Callable[[str], object]) -> Callable[[str], object]:
    """A function whose refusal is as good as its result."""

    def run(text: str) -> object:
        try:
            return function(text)
        except (webhook.WebhookVerificationError, ValueError, RecursionError, Exception) as error:
            return error

    return run


SECRETS = ("fmc_0123456789", "a'b\"c\\d%20")
#: Functions that meet the text of a peer, or of a file of another author, with units on which they might go back.
FUNCTIONS: dict[str, tuple[Callable[[str], object], tuple[str, ...]]] = {
    "redact_text": (redact_text, ("://", "://a@", "?a", "?token", "signature=", "fma_", "&token=a", "http://a:b@c ")),
    "redact_text with secrets": (lambda text: redact_text(text, SECRETS), ("://", "fmc_0", "a'b\"c", "%20")),
    "mask_forms": (lambda text: mask_forms(text, secret_forms(SECRETS)), ("fmc_012345678", "a'b", "Zm1jX")),
    "redact_data": (lambda text: redact_data({"a": [text], "token": text}), ("://", "?a", "token")),
    "keys_in": (lambda text: keys_in([("Authorization", text)]), ("Bearer ", " ", "a")),
    "redact_error": (
        lambda text: redact_error(error_from_answer(400, text, (), text.encode()), SECRETS),
        ("fmc_", "://", "<"),
    ),
    "error_from_answer": (lambda text: error_from_answer(500, "No", (), text.encode()), ("{", '{"error":', " ", "<p>")),
    "format_body of JSON": (
        lambda text: format_body(json.dumps({"a": text}).encode(), "application/json", 2000),
        ("://", "?a", "\\", '"'),
    ),
    "format_body of text": (lambda text: format_body(text.encode(), "text/html", 2000), ("://", "?a", "\\", "'")),
    "describe": (
        lambda text: describe(response_with("content-disposition", f"attachment{text}"), "a", 0),
        (";", '; filename="', "; a=", ";  ", "\\", '"', "; filename*=utf-8''", "%00"),
    ),
    "read_fields": (refuse(read_fields), ("'", '"', "[", "{", "a: ", "- ", "&a ", "*a ", "|", "#", "\n", " ", "? ")),
    "find_secrets": (lambda text: list(find_secrets(text)), ("${{ secrets.", "${{ secrets.A }}", "}}", "$")),
    "webhook.parse": (refuse(webhook.parse), ("[", "{", '"', "1", '{"a":', " ")),
    "canonical": (refuse(lambda text: canonical({"a": text})), ("\\", "ü", '"', "\x00")),
    "workflow results": (
        lambda text: (
            webhook.parse({"status": "completed", "response": [{"text": "{'content': '" + text}], "id": "r"}).text
        ),
        ("'", "\\'", "', 'request_id': ", "a", "}"),
    ),
    "signature headers": (
        refuse(lambda text: webhook.verify_signature("{}", text, "secret-key")),
        ("t=1,", "v1=", ",", "=", "t=1,v1=a,"),
    ),
    "load_answer": (
        refuse(lambda text: load_answer(text, dict)),
        ("```", "```json\n", "```\n", " ", "\n", "{", "` "),
    ),
    "mask_emails_and_numbers": (mask_emails_and_numbers, ("a@", ".+%-", "1 ", "1-", "AB12 ", "a.b@c.", "+(", "((")),
    "parse_ui_widgets": (lambda text: parse_ui_widgets({"event": "ui", "data": text}), ("[", "{", '"')),
    "is_newer": (lambda text: is_newer(text, "1.0"), ("1.", "a", "1!", "+a.", "-")),
    "redacted_url": (redacted_url, ("://", "?a=", "&", "@", "/", "token=", "#")),
    "server_of": (server_of, ("http://", ":", "@", "[")),
    "flatten": (lambda text: list(flatten({"a": [text] * 10})), ("a", ".")),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_that_meets_the_text_of_a_peer_is_linear(name: str) -> None:
    function, units = FUNCTIONS[name]
    for unit in units:

        def run(size: int, unit: str = unit) -> Callable[[], object]:
            text = unit * max(1, size // len(unit))
            return lambda: function(text)

        assert not excess(run, (1000, 10000, 100000)), repr(unit)


STREAMS = [b"data: a\n", b"\n", b": ping\n\n", b"data: a\n\n", b"event: a\n", b"\r", b"id", b"data"]


@pytest.mark.parametrize("unit", STREAMS)
def test_a_stream_is_decoded_in_linear_time_whatever_its_pieces(unit: bytes) -> None:
    def run(size: int) -> Callable[[], object]:
        content = unit * (size // len(unit))

        def decode() -> object:
            decoder = Framer()
            return [decoder.feed(content[at : at + 997]) for at in range(0, len(content), 997)]

        return decode

    assert not excess(run, (3000, 30000, 300000))


def test_an_audit_trail_is_verified_in_linear_time(tmp_path: Any) -> None:
    def run(size: int) -> Callable[[], object]:
        path = tmp_path / f"trail-{size}"
        path.write_bytes(b"{}\n" * size)
        return lambda: verify(path)

    assert not excess(run, (100, 1000, 10000))
