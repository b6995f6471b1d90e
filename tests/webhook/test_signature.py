"""Whether a webhook is genuine: the recorded ones, and everything that can be wrong with one."""

from __future__ import annotations

import json
import pickle
import traceback
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

from muxi import MuxiError, webhook
from muxi.clock import ManualClock
from muxi.webhook import WebhookVerificationError, parse, receive, sign, verify_signature

SECRET = "a secret that nobody knows"
NOW = 1_795_361_748

#: The example of the wire's description, kind A with text outside ASCII (escaped in the body, not when signed).
BODY = (
    rb'{"id": "req_yMnHP0vvA40r4JNH7aOxE", "object": "response", "status": "completed", "timestamp": 1795361748784, '
    rb'"formation_id": "wire-lab", "user_id": "alice", "processing_time": 0.44399261474609375, "processing_mode": '
    rb'"async", "webhook_url": "http://127.0.0.1:8098/ok/trigger", "error": null, "response": [{"type": "text", '
    rb'"text": "Gr\u00fc\u00dfe \u2014 \u6771\u4eac \ud83d\ude80 na\u00efve"}]}'
)
HEADER = f"t={NOW},v1=df9d4a6e118f664d79b4909dd1240c81eddd20ab821e7f5f18c4402e1699565e"

#: What is said of the two kinds that cannot be verified, by the name of a recorded one.
REMARKS = {
    "021": "the runtime signs the end of an escalation with a key that only it knows: treat it as a hint, and ask the "
    "formation with get_request_status()",
    "013": "the runtime does not sign notifications: receive them at an address that is secret",
}
Check = Callable[..., bool]


@pytest.fixture
def check(clock: ManualClock) -> Check:
    """Verify a payload that is signed well, unless told otherwise."""

    def verify(
        payload: Any = b'{"a":1}', header: Any = None, secret: Any = SECRET, tolerance: float = 300, **rest: Any
    ) -> bool:
        if header is None:
            header = sign({"a": 1}, SECRET, NOW)
        return verify_signature(payload, header, secret, tolerance, clock=clock, **rest)

    return verify


def test_every_recorded_webhook_is_judged_as_it_deserves(hooks: list[Any], keys: tuple[str, str]) -> None:
    judged: dict[str, list[str]] = {}
    for hook in hooks:
        clock = ManualClock(hook.received)
        by_admin, by_client = (verify_signature(hook.body, hook.signature, key, clock=clock) for key in keys)
        kind = type(webhook.parse(hook.body)).__name__
        verdict = "admin" if by_admin else "client" if by_client else "unsigned" if hook.signature is None else "nobody"
        judged.setdefault(f"{kind} {verdict}", []).append(hook.name)
    assert judged == {
        "Completion admin": ["010", "012", "017", "027", "028", "030", "031", "032", "033", "034", "035"],
        "Notification unsigned": ["013", "014"],
        "EscalationEnd nobody": ["021", "023", "024"],
    }


def test_every_attempt_is_signed_anew(hooks: list[Any], keys: tuple[str, str]) -> None:
    attempts = [hook for hook in hooks if hook.name in ("028", "030", "031")]
    assert len({hook.body for hook in attempts}) == 1
    assert len({hook.signature for hook in attempts}) == 3


def test_the_example_of_the_wire_is_genuine(clock: ManualClock, keys: tuple[str, str]) -> None:
    admin, _ = keys
    assert verify_signature(BODY, HEADER, admin, clock=clock)
    assert verify_signature(BODY.decode(), HEADER, admin, clock=clock)
    assert verify_signature(memoryview(bytearray(BODY)), HEADER.encode(), admin, clock=clock)
    assert verify_signature(webhook.parse(BODY).raw, HEADER, admin, clock=clock)
    assert verify_signature(webhook.canonical(BODY), HEADER, admin, clock=clock)
    assert receive(BODY, HEADER, admin, clock=clock).text == "Grüße — 東京 🚀 naïve"


def test_the_arguments_are_those_of_the_official_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    header = sign({"a": 1}, SECRET, NOW)
    monkeypatch.setattr("muxi.clock.time.time", lambda: NOW + 299)
    assert verify_signature(b'{"a":1}', header, SECRET)
    assert not verify_signature(b'{"a":1}', header, SECRET, 298)
    assert verify_signature(payload='{"a":1}', signature_header=header, secret=SECRET, tolerance_seconds=299)


@pytest.mark.parametrize(
    "body", [b'{"a": 1}', b' {"a":1}\n', '{"\\u0061": 1}', {"a": 1}, bytearray(b'{"a":1}')], ids=type
)
def test_how_the_body_is_written_does_not_count(check: Check, body: Any) -> None:
    assert check(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 2}',
        b'{"a": 1.0}',
        b'{"a": "1"}',
        b'{"a": 1, "b": null}',
        b'{"a": 2, "a": 1}',
        b"[1]",
        b"",
        b"{",
        b"\xff",
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":"\\ud800"}',
        b"[" * 100_000,
        b"1" * 5000,
        '{"a":"\udcff"}',
        {"a": object()},
        {1: 1},
    ],
    ids=lambda body: repr(body)[:12],
)
def test_another_body_is_refused(check: Check, body: Any) -> None:
    assert not check(body)


@pytest.mark.parametrize(("age", "genuine"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_the_time_of_signing_may_lie_a_little_in_the_past_or_the_future(
    check: Check, clock: ManualClock, age: int, genuine: bool
) -> None:
    assert check(header=sign({"a": 1}, SECRET, NOW - age)) is genuine


@pytest.mark.parametrize(("tolerance", "genuine"), [(0, True), (-1, False), (float("nan"), False), (10.5, True)])
def test_a_tolerance_may_be_anything(check: Check, tolerance: float, genuine: bool) -> None:
    assert check(tolerance=tolerance) is genuine


def test_any_of_several_signatures_will_do(check: Check) -> None:
    good = sign({"a": 1}, SECRET, NOW).partition("v1=")[2]
    bad = "0" * 64
    for header in (
        f"t={NOW},v1={bad},v1={good}",
        f"t={NOW},v1={good},v1={bad}",
        f"v1={good},t={NOW}",
        f"t={NOW}, v1={good}",
        f"t={NOW},v0={bad},v1={good},v2=é",
        f"t={NOW},v1=é,v1={good}",
        f"t={NOW},v1={good},t={NOW}",
    ):
        assert check(header=header), header
    assert not check(header=f"t={NOW},v1={bad},v1={bad}")


@pytest.mark.parametrize(
    "header",
    [
        "",
        b"",
        "t",
        "nonsense",
        f"t={NOW}",
        f"t={NOW},v1=",
        "v1={good}",
        "t=,v1={good}",
        "t=now,v1={good}",
        f"t={NOW}.0,v1={{good}}",
        f"t=-{NOW},v1={{good}}",
        f"t=+{NOW},v1={{good}}",
        f"t= {NOW},v1={{good}}",
        f"t={NOW}_0,v1={{good}}",
        f"t=0{NOW},v1={{good}}",
        "t=" + "9" * 4400 + ",v1={good}",
        "t=٣,v1={good}",
        f"t={NOW},t={NOW + 1},v1={{good}}",
        f"t={NOW};v1={{good}}",
        f"T={NOW},V1={{good}}",
        f"t={NOW},v0={{good}}",
        f"t={NOW},v1={{GOOD}}",
        f"t={NOW},v1={{good}}0",
        f"t={NOW},v1={{good}}" + "," * 5000,
        f"t={NOW},v1=" + "\ud800",
        "{good}",
    ],
)
def test_a_malformed_header_is_refused(check: Check, header: Any) -> None:
    good = sign({"a": 1}, SECRET, NOW).partition("v1=")[2]
    if isinstance(header, str):
        header = header.replace("{good}", good).replace("{GOOD}", good.upper())
    assert not check(header=header)


def test_no_header_is_no_signature(clock: ManualClock) -> None:
    assert not verify_signature(b'{"a":1}', None, SECRET, clock=clock)


def test_another_secret_is_refused_and_several_are_tried(check: Check) -> None:
    assert not check(secret="another")
    assert check(secret=["another", SECRET])
    assert check(secret=(SECRET, "another"))
    assert not check(secret=["another", "and another"])


@pytest.mark.parametrize("secret", ["", None, [], [SECRET, ""], [None], SECRET.encode()])
def test_without_a_secret_nothing_can_be_checked(check: Check, secret: Any) -> None:
    with pytest.raises(WebhookVerificationError, match="admin key") as caught:
        check(secret=secret)
    assert caught.value.code == "SECRET_MISSING"


@pytest.mark.parametrize("payload", [None, 3, ["a"], object()])
def test_what_is_no_payload_is_a_mistake_of_the_caller(check: Check, payload: Any) -> None:
    with pytest.raises(WebhookVerificationError, match="the request's body") as caught:
        check(payload)
    assert caught.value.code == "PAYLOAD_TYPE"


def test_signatures_are_compared_in_constant_time(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return False

    monkeypatch.setattr("muxi.webhook.signature.hmac.compare_digest", compare)
    assert not check(header=f"t={NOW},v1=a,v1=b", secret=["one", "two"])
    # Each with each, whatever the outcome of those before.
    assert [other for _, other in compared] == [b"a", b"b", b"a", b"b"]


@pytest.mark.parametrize(
    ("header", "payload", "code", "part"),
    [
        (None, b'{"a":1}', "SIGNATURE_MISSING", "no X-Muxi-Signature"),
        ("nonsense", b'{"a":1}', "SIGNATURE_MALFORMED", "t=<seconds>"),
        (f"t={NOW}", b'{"a":1}', "SIGNATURE_MALFORMED", "t=<seconds>"),
        (f"t={NOW},v1=", b'{"a":1}', "SIGNATURE_MALFORMED", "t=<seconds>"),
        (sign({"a": 1}, SECRET, NOW - 301), b'{"a":1}', "TIMESTAMP_OUT_OF_TOLERANCE", "301 s ago; 300 s are allowed"),
        (sign({"a": 1}, SECRET, NOW + 301), b'{"a":1}', "TIMESTAMP_OUT_OF_TOLERANCE", "301 s in the future"),
        (sign({"a": 1}, SECRET, NOW), b'{"a":2}', "SIGNATURE_MISMATCH", "does not match"),
        (sign({"a": 1}, SECRET, NOW), b'{"a":', "PAYLOAD_INVALID", "not JSON"),
        (sign("[]", SECRET, NOW), b"[]", "PAYLOAD_INVALID", "a list"),
    ],
)
def test_a_refusal_says_what_is_wrong(
    clock: ManualClock, header: str | None, payload: bytes, code: str, part: str
) -> None:
    with pytest.raises(WebhookVerificationError, match=part) as caught:
        receive(payload, header, SECRET, clock=clock)
    assert caught.value.code == code
    assert isinstance(caught.value, MuxiError)
    assert part in caught.value.message
    assert pickle.loads(pickle.dumps(caught.value)).code == code  # noqa: S301  our own


@pytest.mark.parametrize(
    ("header", "payload", "message"),
    [
        (None, b'{"a":1}', "there is no X-Muxi-Signature header"),
        ("nonsense", b'{"a":1}', "the X-Muxi-Signature header is not 't=<seconds>,v1=<signature>'"),
        (sign({"a": 1}, SECRET, NOW - 301), b'{"a":1}', "it was signed 301 s ago; 300 s are allowed"),
        (sign({"a": 1}, SECRET, NOW + 301), b'{"a":1}', "it was signed 301 s in the future; 300 s are allowed"),
        (sign({"a": 1}, SECRET, NOW), b'{"a":2}', "the signature does not match the payload and the secret"),
        (sign({"a": 1}, SECRET, NOW), b"{}", "the signature does not match the payload and the secret"),
    ],
)
def test_a_refusal_has_these_words(clock: ManualClock, header: str | None, payload: bytes, message: str) -> None:
    with pytest.raises(WebhookVerificationError) as caught:
        receive(payload, header, SECRET, clock=clock)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("age", "tolerance", "when"),
    [(1, 0, "1 s ago"), (-1, 0, "1 s in the future"), (0, -1, "0 s ago")],
)
def test_a_time_out_of_tolerance_is_given_in_seconds(clock: ManualClock, age: int, tolerance: float, when: str) -> None:
    with pytest.raises(WebhookVerificationError) as caught:
        receive({"a": 1}, sign({"a": 1}, SECRET, NOW - age), SECRET, tolerance, clock=clock)
    assert caught.value.message == f"it was signed {when}; {tolerance} s are allowed"


@pytest.mark.parametrize(("age", "genuine"), [(300, True), (301, False), (-300, True), (-301, False)])
def test_five_minutes_are_tolerated_unless_another_time_is_given(clock: ManualClock, age: int, genuine: bool) -> None:
    header = sign({"a": 1}, SECRET, NOW - age)
    assert verify_signature({"a": 1}, header, SECRET, clock=clock) is genuine


def test_a_replay_has_these_words(clock: ManualClock) -> None:
    header, guard = sign({"a": 1}, SECRET, NOW), webhook.ReplayGuard(clock=clock)
    assert verify_signature({"a": 1}, header, SECRET, clock=clock, guard=guard)
    with pytest.raises(WebhookVerificationError) as caught:
        receive({"a": 1}, header, SECRET, clock=clock, guard=guard)
    assert caught.value.message == ("this delivery was received before, or is older than the guard remembers")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"signature_header": 5}, "signature_header= takes the header's value or None, got int"),
        ({"tolerance_seconds": "5"}, "tolerance_seconds= takes a number of seconds, got str"),
        ({"clock": 5}, "clock= takes a muxi.Clock, got int"),
        ({"guard": 5}, "guard= takes an object with admit(timestamp, signature), got int"),
        ({"secret": ""}, "verifying webhooks takes the formation's admin key, as a text that is not empty"),
    ],
)
def test_a_wrong_argument_has_these_words(arguments: dict[str, Any], message: str) -> None:
    good = {"payload": b'{"a":1}', "signature_header": sign({"a": 1}, SECRET, NOW), "secret": SECRET}
    with pytest.raises(WebhookVerificationError) as caught:
        verify_signature(**{**good, **arguments})
    assert caught.value.message == message


def test_a_wrong_time_of_signing_has_these_words() -> None:
    with pytest.raises(WebhookVerificationError) as caught:
        sign({"a": 1}, SECRET, "now")  # type: ignore[arg-type]  # what is refused
    assert caught.value.message == "timestamp= takes whole seconds since the epoch, got str"


@pytest.mark.parametrize(("length", "genuine"), [(4096, True), (4097, False)])
def test_a_header_is_read_up_to_a_length(check: Check, length: int, genuine: bool) -> None:
    header = sign({"a": 1}, SECRET, NOW) + ",v0="
    assert check(header=header.ljust(length, "x")) is genuine


@pytest.mark.parametrize(("name", "remark"), list(REMARKS.items()))
def test_the_remark_on_what_is_not_signed_has_these_words(
    hooks: list[Any], keys: tuple[str, str], name: str, remark: str
) -> None:
    hook = next(hook for hook in hooks if hook.name == name)
    clock = ManualClock(hook.received)
    with pytest.raises(WebhookVerificationError) as caught:
        receive(hook.body, None, keys[0], clock=clock)
    assert caught.value.message == f"there is no X-Muxi-Signature header; {remark}"
    with pytest.raises(WebhookVerificationError) as caught:
        receive(hook.body, sign(hook.body, "another", int(hook.received)), keys[0], clock=clock)
    assert caught.value.message == f"the signature does not match the payload and the secret; {remark}"
    with pytest.raises(WebhookVerificationError) as caught:
        receive(hook.body, "nonsense", keys[0], clock=clock)
    assert remark not in caught.value.message


def test_what_nobody_can_verify_is_said_to_be_so(hooks: list[Any], keys: tuple[str, str]) -> None:
    by_name = {hook.name: hook for hook in hooks}
    for name, part in (("021", "get_request_status"), ("013", "does not sign notifications")):
        hook = by_name[name]
        with pytest.raises(WebhookVerificationError, match=part):
            receive(hook.body, hook.signature, keys[0], clock=ManualClock(hook.received))


def test_neither_secrets_nor_signatures_are_in_an_error(clock: ManualClock) -> None:
    good = sign({"a": 1}, SECRET, NOW).partition("v1=")[2]
    for header in (f"t={NOW},v1={good[::-1]}", f"v1={good}", f"t={NOW - 900},v1={good}", f"t={NOW},v1={good}"):
        for payload in (b'{"a":2}', b"\xff", b"{", b'{"a":"\\ud800"}'):
            with pytest.raises(WebhookVerificationError) as caught:
                receive(payload, header, [SECRET, "another secret"], clock=clock)
            shown = (
                "".join(traceback.format_exception(caught.value)[-1:]) + repr(caught.value) + repr(vars(caught.value))
            )
            shown += repr(caught.value.__cause__) + repr(pickle.dumps(caught.value))
            for hidden in (SECRET, "another secret", good, good[::-1]):
                assert hidden not in shown


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"signature_header": ["t=1,v1=a"]}, "ARGUMENT_TYPE"),
        ({"signature_header": 5}, "ARGUMENT_TYPE"),
        ({"tolerance_seconds": None}, "ARGUMENT_TYPE"),
        ({"tolerance_seconds": [300]}, "ARGUMENT_TYPE"),
        ({"tolerance_seconds": True}, "ARGUMENT_TYPE"),
        ({"clock": 5}, "ARGUMENT_TYPE"),
        ({"guard": set()}, "ARGUMENT_TYPE"),
        ({"secret": 5}, "SECRET_MISSING"),
        ({"secret": None}, "SECRET_MISSING"),
        ({"secret": b"key"}, "SECRET_MISSING"),
        ({"secret": "caf\udce9"}, "SECRET_MISSING"),
        ({"secret": [SECRET, None]}, "SECRET_MISSING"),
        ({"secret": {SECRET: 1}}, "SECRET_MISSING"),
        ({"payload": None}, "PAYLOAD_TYPE"),
        ({"payload": 5}, "PAYLOAD_TYPE"),
        ({"payload": [1]}, "PAYLOAD_TYPE"),
    ],
)
@pytest.mark.parametrize("function", [verify_signature, receive])
def test_every_argument_of_the_wrong_type_is_a_typed_error(function: Any, arguments: dict[str, Any], code: str) -> None:
    good = {"payload": b'{"a":1}', "signature_header": sign({"a": 1}, SECRET, NOW), "secret": SECRET}
    with pytest.raises(WebhookVerificationError) as caught:
        function(**{**good, "clock": ManualClock(NOW), **arguments})
    assert caught.value.code == code
    if code == "ARGUMENT_TYPE":
        assert next(iter(arguments)) in caught.value.message
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("timestamp", ["1795361748", None, 1.5, True, -1, 10**12])
def test_signing_takes_whole_seconds(timestamp: Any) -> None:
    with pytest.raises(WebhookVerificationError, match="timestamp="):
        sign({"a": 1}, SECRET, timestamp)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_body_is_read_as_what_was_signed(constant: str) -> None:
    signed = b'{"id": "r", "status": "completed", "processing_time": null, "more": [null]}'
    header = sign(signed, SECRET, NOW)
    altered = signed.replace(b"null", constant.encode())
    parsed = json.loads(altered)
    # A framework may make tuples, or mappings of its own.
    for payload in (altered, parsed, {**parsed, "more": tuple(parsed["more"])}, MappingProxyType(parsed)):
        event = receive(payload, header, SECRET, clock=ManualClock(NOW))
        assert (event.processing_time, event.raw["more"]) == (None, [None])


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "r", "id": "s"}',
        b'{"id": "r", "\\u0069d": "s"}',
        b'{"a": [{"id": "r", "id": "s"}]}',
        b'\xef\xbb\xbf{"id": "r"}',
        '{"id": "r"}'.encode("utf-16"),
        '{"id": "r"}'.encode("utf-32"),
        '{"id": "\u00fc"}'.encode("latin-1"),
        b'{"id": "r"} {}',
    ],
)
def test_a_body_that_could_be_read_in_two_ways_is_refused(body: bytes) -> None:
    header = sign({"id": "r"}, SECRET, NOW)
    assert not verify_signature(body, header, SECRET, clock=ManualClock(NOW))
    for read in (parse, lambda it: receive(it, header, SECRET, clock=ManualClock(NOW))):
        with pytest.raises(WebhookVerificationError, match="PAYLOAD_INVALID"):
            read(body)


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_a_number_that_exceeds_every_float_is_refused(number: str) -> None:
    with pytest.raises(WebhookVerificationError, match="not JSON"):
        webhook.parse(f'{{"processing_time": {number}}}')
