"""Canonical forms, written apart from the Rust writers and checked against PyPI's msgpack and cbor2.

bytes stand for binary, int for integers, float for floats. Dicts keep their order.
"""

import base64
import json
import struct

import cbor2
import msgpack


def json_float(value):
    """The shortest form that reads back the same; never looks like an integer."""
    text = repr(value)
    if "e" in text:
        mantissa, exponent = text.split("e")
        text = f"{mantissa}e{int(exponent)}"
    return text


def to_json(value):
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return json_float(value)
    if isinstance(value, bytes):
        return '"\\u0000' + base64.b64encode(value).decode() + '"'
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(map(to_json, value)) + "]"
    entries = (to_json(key) + ":" + to_json(item) for key, item in value.items())
    return "{" + ",".join(entries) + "}"


def single(value):
    """The 32 bits of a float, when they keep the value."""
    try:
        packed = struct.pack(">f", value)
    except OverflowError:
        return None
    back = struct.unpack(">f", packed)[0]
    return packed if struct.pack(">d", back) == struct.pack(">d", value) else None


def to_msgpack(value):
    if isinstance(value, float):
        packed = single(value)
        return b"\xca" + packed if packed else b"\xcb" + struct.pack(">d", value)
    if isinstance(value, list):
        return msgpack.Packer().pack_array_header(len(value)) + b"".join(map(to_msgpack, value))
    if isinstance(value, dict):
        head = msgpack.Packer().pack_map_header(len(value))
        return head + b"".join(to_msgpack(part) for entry in value.items() for part in entry)
    return msgpack.packb(value, use_bin_type=True)


def cbor_head(major, argument):
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * width:
            return bytes([major << 5 | info]) + argument.to_bytes(width, "big")
    raise ValueError(argument)


def to_cbor(value):
    if isinstance(value, float):
        packed = single(value)
        return b"\xfa" + packed if packed else b"\xfb" + struct.pack(">d", value)
    if isinstance(value, list):
        return cbor_head(4, len(value)) + b"".join(map(to_cbor, value))
    if isinstance(value, dict):
        entries = (to_cbor(part) for entry in value.items() for part in entry)
        return cbor_head(5, len(value)) + b"".join(entries)
    return cbor2.dumps(value)


def has_float(value):
    if isinstance(value, list):
        return any(map(has_float, value))
    if isinstance(value, dict):
        return any(map(has_float, value.values()))
    return isinstance(value, float)


def binary_as_text(value):
    """What a JSON parser makes of binary."""
    if isinstance(value, bytes):
        return "\0" + base64.b64encode(value).decode()
    if isinstance(value, list):
        return [binary_as_text(item) for item in value]
    if isinstance(value, dict):
        return {key: binary_as_text(item) for key, item in value.items()}
    return value


def forms(message):
    """The three canonical forms, after the other libraries have agreed to them."""
    text, packed, concise = to_json(message), to_msgpack(message), to_cbor(message)
    assert json.loads(text) == binary_as_text(message), text
    assert msgpack.unpackb(packed, raw=False) == message, text
    assert cbor2.loads(concise) == message, text
    if not has_float(message):
        assert packed == msgpack.packb(message, use_bin_type=True), text
        assert concise == cbor2.dumps(message), text
    return {"json": text, "msgpack": packed.hex(), "cbor": concise.hex()}


def hexed(*parts):
    """Bytes from hex texts and bytes, one behind the other."""
    return b"".join(bytes.fromhex(part) if isinstance(part, str) else part for part in parts)
