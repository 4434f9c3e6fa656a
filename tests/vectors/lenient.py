"""Forms that are accepted and not written, with what they become."""

from wire import forms, hexed, to_cbor, to_msgpack


def accepted(name, serializer, given, message, reencoded=None):
    """`reencoded` is what the same serializer writes, where that is not the canonical form: payloads
    pass untouched."""
    entry = {"name": name, "serializer": serializer}
    entry["input"] = given if isinstance(given, str) else given.hex()
    entry |= forms(message)
    if reencoded is not None:
        entry["reencoded"] = reencoded if isinstance(reencoded, str) else reencoded.hex()
    return entry


def lenient():
    yield from lenient_everywhere()
    yield from lenient_json()
    yield from lenient_msgpack()
    yield from lenient_cbor()


def lenient_everywhere():
    for name, given, message in [
        ("null args before kwargs", [48, 1, {}, "p", None, {"a": 1}], [48, 1, {}, "p", [], {"a": 1}]),
        ("null args alone", [48, 1, {}, "p", None], [48, 1, {}, "p"]),
        ("null kwargs", [48, 1, {}, "p", [1], None], [48, 1, {}, "p", [1]]),
        ("both null", [36, 1, 2, {}, None, None], [36, 1, 2, {}]),
        ("empty args", [48, 1, {}, "p", []], [48, 1, {}, "p"]),
        ("empty args and kwargs", [70, 1, {}, [], {}], [70, 1, {}]),
        ("args and empty kwargs", [50, 1, {}, [1], {}], [50, 1, {}, [1]]),
        ("null options count as absent", [48, 1, {"timeout": None, "forward_for": None}, "p"], [48, 1, {}, "p"]),
        ("null enc_algo counts as absent", [16, 1, {"enc_algo": None}, "t", [1]], [16, 1, {}, "t", [1]]),
        ("keys in another order", [16, 1, {"x_a": 1, "retain": True, "acknowledge": False}, "t"],
         [16, 1, {"acknowledge": False, "retain": True, "x_a": 1}, "t"]),
        ("revocation without details", [67, 0, {}], [67, 0]),
        ("empty unsubscribe options", [34, 1, 2, {}], [34, 1, 2]),
        ("unknown roles and features", [1, "r", {"roles": {"juggler": {"features": {"balls": 3}}, "caller":
            {"features": {"call_cancelling": True, "nonsense": [1], "call_timeout": False}, "x": 1}}}],
         [1, "r", {"roles": {"caller": {"features": {"call_canceling": True}}}}]),
        ("roles in another order", [2, 1, {"roles": {"dealer": {"features": {}}, "broker": {"features": None}}}],
         [2, 1, {"roles": {"broker": {}, "dealer": {}}}]),
    ]:
        for serializer, encoded in forms(given).items():
            entry = accepted(name, serializer, encoded, message)
            yield entry


def lenient_json():
    call = [48, 1, {"timeout": 5}, "p"]
    yield accepted("white space", "json", ' \t\r\n[ 48 ,1\n,{ "timeout"\t: 5 } , "p" ] \n', call)
    yield accepted("white space in args", "json", '[48,1,{},"p", [ 1 , 2 ] ]', [48, 1, {}, "p", [1, 2]],
                   '[48,1,{},"p",[ 1 , 2 ]]')
    yield accepted("escapes in a URI", "json", '[48,1,{},"\\u0070\\/\\ud83e\\udd80\\n"]', [48, 1, {}, "p/🦀\n"])
    yield accepted("escapes in a key", "json", '[48,1,{"time\\u006fut":5},"p"]', call)
    yield accepted("escapes in a value", "json", '[49,1,{"mode":"\\u006bill"}]', [49, 1, {"mode": "kill"}])
    yield accepted("escapes in args", "json", '[48,1,{},"p",["\\u00e4\\/"]]', [48, 1, {}, "p", ["ä/"]],
                   '[48,1,{},"p",["\\u00e4\\/"]]')
    yield accepted("exponents in args", "json", '[48,1,{},"p",[1E2,-0,1.50]]', [48, 1, {}, "p", [100.0, -0.0, 1.5]],
                   '[48,1,{},"p",[1E2,-0,1.50]]')
    yield accepted("escaped slashes in binary", "json", '[48,1,{},"p",["\\u0000\\/\\/8="]]',
                   [48, 1, {}, "p", [b"\xff\xff"]], '[48,1,{},"p",["\\u0000\\/\\/8="]]')


def lenient_msgpack():
    uri = to_msgpack("p")
    call = [48, 1, {"timeout": 5}, "p"]
    for name, number in [("8", "cc01"), ("16", "cd0001"), ("32", "ce00000001"), ("64", "cf0000000000000001"),
                         ("signed 8", "d001"), ("signed 16", "d10001"), ("signed 32", "d200000001"),
                         ("signed 64", "d30000000000000001")]:
        yield accepted(f"an id of {name} bits", "msgpack", hexed("9430", number, "80", uri), [48, 1, {}, "p"])
        yield accepted(f"an argument of {name} bits", "msgpack", hexed("95300180", uri, "91", number),
                       [48, 1, {}, "p", [1]], hexed("95300180", uri, "91", number))
    for name, head in [("16", "dc0004"), ("32", "dd00000004")]:
        yield accepted(f"a list of {name} bits", "msgpack", hexed(head, "300180", uri), [48, 1, {}, "p"])
    for name, head in [("16", "de0001"), ("32", "df00000001")]:
        key = to_msgpack("timeout")
        yield accepted(f"a dict of {name} bits", "msgpack", hexed("943001", head, key, "05", uri), call)
    for name, head in [("8", "d901"), ("16", "da0001"), ("32", "db00000001")]:
        yield accepted(f"text of {name} bits", "msgpack", hexed("94300180", head, "70"), [48, 1, {}, "p"])
    key = hexed("da0007", b"timeout")
    yield accepted("a long key", "msgpack", hexed("94300181", key, "05", uri), call)
    yield accepted("binary for text", "msgpack", hexed("94300180c40170"), [48, 1, {}, "p"])
    double = hexed("95300180", uri, "91cb3ff8000000000000")
    yield accepted("a wide float", "msgpack", double, [48, 1, {}, "p", [1.5]], double)


def lenient_cbor():
    uri = to_cbor("p")
    call = [48, 1, {"timeout": 5}, "p"]
    key = to_cbor("timeout")
    for name, number in [("8", "1801"), ("16", "190001"), ("32", "1a00000001"), ("64", "1b0000000000000001")]:
        yield accepted(f"an id of {name} bits", "cbor", hexed("841830", number, "a0", uri), [48, 1, {}, "p"])
        wide = hexed("85183001a0", uri, "81", number)
        yield accepted(f"an argument of {name} bits", "cbor", wide, [48, 1, {}, "p", [1]], wide)
    yield accepted("an indefinite list", "cbor", hexed("9f183001a0", uri, "ff"), [48, 1, {}, "p"])
    yield accepted("an indefinite dict", "cbor", hexed("84183001bf", key, "05ff", uri), call)
    yield accepted("indefinite text", "cbor", hexed("84183001a07f6063636f6d617060ff"), [48, 1, {}, "comp"])
    yield accepted("an indefinite key", "cbor", hexed("84183001a17f6474696d6563", b"out", "ff05", uri), call)
    yield accepted("an indefinite list of ids", "cbor", hexed("841001a168", b"eligible", "9f0102ff", uri),
                   [16, 1, {"eligible": [1, 2]}, "p"])
    yield accepted("a list head of 32 bits", "cbor", hexed("9a00000004183001a0", uri), [48, 1, {}, "p"])
    yield accepted("self-described", "cbor", hexed("d9d9f784183001a0", uri), [48, 1, {}, "p"])
    yield accepted("undefined options count as absent", "cbor", hexed("84183001a1", key, "f7", uri), [48, 1, {}, "p"])
    yield accepted("a bignum id", "cbor", hexed("841830c24101a0", uri), [48, 1, {}, "p"])
    for name, value, plain in [
        ("an indefinite list in args", "9f01ff", [1]), ("an indefinite dict in args", "bf616101ff", {"a": 1}),
        ("indefinite text in args", "7f61616162ff", "ab"), ("indefinite binary in args", "5f41004101ff", b"\0\1"),
        ("half a float", "f93e00", 1.5), ("a wide float", "fb3ff8000000000000", 1.5), ("undefined", "f7", None),
        ("a tagged text", "c074323031332d30332d32315432303a30343a30305a", "2013-03-21T20:04:00Z"),
        ("a bignum that fits", "c248ffffffffffffffff", 2**64 - 1), ("a negative bignum", "c34100", -1),
    ]:
        given = hexed("85183001a0", uri, "81", value)
        yield accepted(name, "cbor", given, [48, 1, {}, "p", [plain]], given)
