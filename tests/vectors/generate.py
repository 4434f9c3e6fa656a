"""Writes the vectors beside this file: `python generate.py`, with msgpack and cbor2 installed.

messages.json   every message, with every key of its options or details, with and without each tail
payloads.json   payloads: numbers, text, binary, wide, deep
lenient.json    forms that are accepted and not written, with what they become
invalid.json    forms that are refused, with the text of the error
unreadable.json payloads that no peer can be given, with the text of the error
untranslatable.json   payloads that cannot be carried to another serializer
"""

import json
import pathlib

import invalid
import lenient
import payloads
from tables import ANSWERED, ATTRIBUTES, ELEMENTS, TAKES_PAYLOAD, UNKNOWN
from wire import forms

HERE = pathlib.Path(__file__).parent
SEALED = {"PUBLISH", "EVENT", "CALL", "RESULT", "INVOCATION", "YIELD", "ERROR"}
# Where a dict may follow the required elements.
OPTIONAL_DICT = {"UNSUBSCRIBE", "UNSUBSCRIBED", "UNREGISTER", "UNREGISTERED"}


def message(name, attributes=None, tail=()):
    elements = [({} if attributes is None else attributes) if e is None else e for e in ELEMENTS[name]]
    return elements + list(tail)


def with_dict(name, attributes):
    """The message with these options or details, wherever they belong."""
    if name in OPTIONAL_DICT:
        return message(name, tail=[attributes])
    return message(name, attributes)


def tails(name):
    if name in TAKES_PAYLOAD:
        yield "args", {}, [[1, "two", False, None]]
        yield "args and kwargs", {}, [[1], {"k": "v"}]
        yield "kwargs alone", {}, [[], {"k": "v", "": 0}]
    if name in SEALED:
        yield "bare binary", {"enc_algo": "cryptobox", "enc_serializer": "cbor"}, [b"\x00\xff\x10sealed"]
        yield "bare empty binary", {"enc_algo": "x_own"}, [b""]
        yield "bare text", {"enc_algo": "mqtt"}, ["sealed as text"]
        yield "ppt with one binary", {"ppt_scheme": "wamp", "ppt_serializer": "cbor"}, [[b"\xa0\xfe"]]


def message_cases():
    for name in ELEMENTS:
        yield name, message(name)
        for tail, attributes, elements in tails(name):
            yield f"{name} with {tail}", message(name, attributes, elements)
        known = ATTRIBUTES.get(name)
        if known is None:
            continue
        for key, values in known:
            for value in values:
                if key == "enc_algo" and name in SEALED:
                    yield f"{name} {key} without payload", with_dict(name, {key: value})
                else:
                    yield f"{name} {key}", with_dict(name, {key: value})
        if known:
            every = {key: values[-1] for key, values in known}
            yield f"{name} with every key", with_dict(name, every)
            yield f"{name} with every key and more", with_dict(name, every | UNKNOWN)
            if name in TAKES_PAYLOAD:
                yield f"{name} in full", message(name, every, [[1], {"k": 2}])
        yield f"{name} with unknown keys", with_dict(name, UNKNOWN)
        wide = {f"x_{number}": number for number in range(256)}
        yield f"{name} with 256 unknown keys", with_dict(name, wide)
    yield "HELLO without realm", [1, None, {"roles": {"caller": {}}}]
    yield "HELLO with an empty realm", [1, "", {}]
    for name, code in ANSWERED.items():
        yield f"ERROR to {name}", [8, code, 1, {}, "wamp.error.invalid_argument", ["what"], {"limit": 1}]
    for code, key in ((35, "subscription"), (67, "registration")):
        yield f"type {code} as a revocation", [code, 0, {key: 9, "reason": "wamp.error.unavailable"}]
        yield f"type {code} with request 0", [code, 0]
    for length in (31, 32, 255, 256, 1024):
        yield f"a URI of {length} bytes", [32, 1, {}, "u" * length]
    yield "a URI of 1,024 bytes that is not ASCII", [32, 1, {}, "ü" * 512]
    yield "a URI in the Balinese script", [64, 1, {}, "com.ᬩᬮᬶ.𝒳"]
    yield "an empty URI", [64, 1, {"match": "prefix"}, ""]
    yield "a wildcard", [32, 1, {"match": "wildcard"}, "com..tick"]
    yield "a URI to be escaped", [32, 1, {}, 'a"b\\c\n\x01\x7f']
    yield "4,096 sessions", [16, 1, {"eligible": list(range(1, 4097))}, "t"]
    yield "4,096 names", [16, 1, {"exclude_authid": ["a"] * 4096}, "t"]
    yield "64 forwarders", [48, 1, {"forward_for": [{"session": n + 1} for n in range(64)]}, "p"]
    yield "a forwarder with more keys", [48, 1, {"forward_for": [{"authid": "a", "x_hop": [1]}, {}]}, "p"]


def payload_cases():
    for name, value in payloads.values():
        yield f"{name} in args", [48, 1, {}, "p", [value]]
        if "1,000" not in name:
            yield f"{name} in kwargs", [48, 1, {}, "p", [], {"k": value}]
    yield "every value at once", [70, 1, {}, [v for n, v in payloads.values() if "1,000" not in n]]


def write(name, entries, compact=True):
    lines = [json.dumps(entry, ensure_ascii=not compact) for entry in entries]
    (HERE / name).write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{name}: {len(lines)}")


def main():
    write("messages.json", ({"name": n} | forms(m) for n, m in message_cases()))
    write("payloads.json", ({"name": n} | forms(m) for n, m in payload_cases()))
    write("lenient.json", lenient.lenient())
    write("invalid.json", invalid.invalid(), compact=False)
    write("unreadable.json", invalid.unreadable())
    write("untranslatable.json", invalid.untranslatable())


main()
