"""Forms that are refused, and payloads that cannot be carried to another serializer."""

from wire import hexed, to_cbor, to_json, to_msgpack

ENCODERS = {"json": to_json, "msgpack": lambda m: to_msgpack(m).hex(), "cbor": lambda m: to_cbor(m).hex()}


def refused(name, serializer, given, error):
    given = given if isinstance(given, str) else given.hex()
    return {"name": name, "serializer": serializer, "input": given, "error": error}


def everywhere(name, message, *errors):
    """The same mistake in each serializer: JSON, MessagePack, CBOR. One text when no offset is in it."""
    errors = errors * 3 if len(errors) == 1 else errors
    for (serializer, encode), error in zip(ENCODERS.items(), errors):
        yield refused(name, serializer, encode(message), error)


def invalid():
    yield from wrong_messages()
    yield from wrong_elements()
    yield from wrong_attributes()
    yield from broken_json()
    yield from broken_msgpack()
    yield from broken_cbor()


def wrong_messages():
    yield from everywhere("an empty message", [], "message: the message is empty")
    for code in (0, 7, 9, 255, 1024, 2**64 - 1):
        yield from everywhere(f"type {code}", [code, 1], f"message: there is no message type {code}")
    yield from everywhere("a dict", {"a": 1}, "message at byte 0: expected a list, found a dict")
    yield from everywhere("a number", 1, "message at byte 0: expected a list, found an integer")
    yield from everywhere("a text for a type", ["HELLO"], "message at byte 1: expected a non-negative integer, found text")
    yield from everywhere("a float for a type", [1.0, "r", {}],
                          "message at byte 1: expected a non-negative integer, found a float")
    yield from everywhere("a negative type", [-1], "message at byte 1: expected a non-negative integer, found a negative one")
    yield from everywhere("a type alone", [48], "CALL: 1 element, expected 4 to 6")
    yield from everywhere("a CALL too short", [48, 1, {}], "CALL: 3 elements, expected 4 to 6")
    yield from everywhere("a CALL too long", [48, 1, {}, "p", [], {}, 1], "CALL: 7 elements, expected 4 to 6")
    yield from everywhere("an ABORT too long", [3, {}, "r", [], {}, 1], "ABORT: 6 elements, expected 3 to 5")
    yield from everywhere("an UNREGISTERED too long", [67, 1, {}, 1], "UNREGISTERED: 4 elements, expected 2 to 3")


def wrong_elements():
    integer = "expected a non-negative integer"
    for value, at, problem in [
        (0, "", "0 is not an id (1 to 2^53)"),
        (2**53 + 1, "", "9007199254740993 is not an id (1 to 2^53)"),
        (-1, "", f"{integer}, found a negative one"),
        (1.0, "", f"{integer}, found a float"),
        (True, "", f"{integer}, found a boolean"),
        ("1", "", f"{integer}, found text"),
        (None, "", f"{integer}, found null"),
    ]:
        yield from everywhere(f"{value} for a request", [48, value, {}, "p"],
                              *(f"CALL request at byte {n}: {problem}" for n in (4, 2, 3)))
    yield from everywhere("a list for options", [48, 1, [], "p"],
                          *(f"CALL options at byte {n}: expected a dict, found a list" for n in (6, 3, 4)))
    yield from everywhere("null for options", [48, 1, None, "p"],
                          *(f"CALL options at byte {n}: expected a dict, found null" for n in (6, 3, 4)))
    yield from everywhere("a number for a URI", [48, 1, {}, 5],
                          *(f"CALL procedure at byte {n}: expected text, found an integer" for n in (9, 4, 5)))
    yield from everywhere("a URI over the limit", [48, 1, {}, "u" * 1025],
                          *(f"CALL procedure at byte {n}: the URI has 1025 bytes, the limit is 1024" for n in (9, 4, 5)))
    yield from everywhere("text for args", [48, 1, {}, "p", "args"],
                          *(f"CALL arguments at byte {n}: expected a list, found text" for n in (13, 6, 7)))
    yield from everywhere("a bare binary undeclared", [48, 1, {}, "p", b"x"],
                          *(f"CALL arguments at byte {n}: expected a list, found binary" for n in (13, 6, 7)))
    yield from everywhere("a list for kwargs", [48, 1, {}, "p", [], []],
                          *(f"CALL keyword arguments at byte {n}: expected a dict, found a list" for n in (16, 7, 8)))
    yield from everywhere("ERROR to a message without answer", [8, 50, 1, {}, "e"],
                          *(f"ERROR request_type at byte {n}: expected the type of a request, found another value"
                            for n in (3, 2, 2)))


def wrong_attributes():
    yield from everywhere("a number for a flag", [16, 1, {"acknowledge": 1}, "t"],
                          *(f"PUBLISH options.acknowledge at byte {n}: expected a boolean, found an integer"
                            for n in (21, 16, 16)))
    yield from everywhere("an unknown mode", [49, 1, {"mode": "maim"}],
                          *(f"CANCEL options.mode at byte {n}: expected skip, kill or killnowait, found another value"
                            for n in (14, 9, 10)))
    yield from everywhere("text in a list of ids", [16, 1, {"exclude": [1, "two"]}, "t"],
                          *(f"PUBLISH options.exclude at byte {n}: expected a non-negative integer, found text"
                            for n in (20, 14, 14)))
    yield from everywhere("a list over the limit", [16, 1, {"eligible": [1] * 4097}, "t"],
                          *(f"PUBLISH options.eligible at byte {n}: the list of session ids has 4097 entries, "
                            "the limit is 4096" for n in (18, 13, 13)))


def broken_json():
    end = "the message ends inside a value"
    for name, given, error in [
        ("nothing", "", f"message at byte 0: {end}"),
        ("a comma too many", "[33,1,2,]", "SUBSCRIBED at byte 8: byte 0x5d cannot stand here"),
        ("two commas", "[33,,2]", "SUBSCRIBED request at byte 4: byte 0x2c cannot stand here"),
        ("a bracket too many", "[33,1,2]]", "SUBSCRIBED at byte 8: 1 byte follows the end of the message"),
        ("cut off", "[33,1,", f"SUBSCRIBED subscription at byte 6: {end}"),
        ("a leading zero", "[33,01,2]", "SUBSCRIBED request at byte 4: the number is malformed"),
        ("a plus sign", "[33,+1,2]", "SUBSCRIBED request at byte 4: byte 0x2b cannot stand here"),
        ("an id of 20 digits", "[33,99999999999999999999,2]", "SUBSCRIBED request at byte 4: the number is out of range"),
        ("single quotes", "[48,1,{},'p']", "CALL procedure at byte 9: byte 0x27 cannot stand here"),
        ("a lone surrogate in a URI", '[48,1,{},"\\udc00"]', "CALL procedure at byte 10: the string holds a lone surrogate"),
        ("a wrong escape", '[48,1,{},"p",["\\x41"]]', "CALL arguments at byte 15: the string holds an invalid escape"),
        ("a raw line feed", '[48,1,{},"p",["a\nb"]]', "CALL arguments at byte 16: the string holds an unescaped control character"),
        ("a duplicate option", '[48,1,{"timeout":1,"timeout":2},"p"]', "CALL options.timeout at byte 29: the key stands twice"),
        ("a duplicate unknown key", '[48,1,{"x_a":1,"x_a":2},"p"]', "CALL options at byte 21: the key stands twice"),
        ("a number for a key", '[48,1,{1:2},"p"]', "CALL options at byte 7: a dict key is an integer, only text is allowed"),
        ("a comment", '[48,1,{}/**/,"p"]', "CALL at byte 8: byte 0x2f cannot stand here"),
    ]:
        yield refused(name, "json", given, error)
    for bracket, name in (("[", "lists"), ('{"a":', "dicts")):
        error = f"CALL arguments at byte {13 + 64 * len(bracket) - (bracket != '[') * 4}: nested deeper than 64 levels"
        yield refused(f"65 {name} deep", "json", '[48,1,{},"p",[' + bracket * 64, error)


def broken_msgpack():
    for name, given, error in [
        ("the byte never used", "c1", "message at byte 0: byte 0xc1 cannot stand here"),
        ("a value behind the message", "93210102c0", "SUBSCRIBED at byte 4: 1 byte follows the end of the message"),
        ("a list longer than the message", "ddffffffff21", "message at byte 0: the message ends inside a value"),
        ("a binary longer than the message", "95300180a17091c6ffffffff00", "CALL arguments at byte 7: the message ends inside a value"),
        ("a dict longer than the message", "943001dfffffffffa170", "CALL options at byte 3: the message ends inside a value"),
        ("a URI that is not UTF-8", "94300180a2c328", "CALL procedure at byte 4: the text is not valid UTF-8"),
        ("a surrogate in a URI", "94300180a3eda080", "CALL procedure at byte 4: the text is not valid UTF-8"),
        ("a number for a key", "943001810102a170", "CALL options at byte 4: a dict key is an integer, only text is allowed"),
        ("binary for a key", "94300181c4016102a170", "CALL options at byte 4: a dict key is binary, only text is allowed"),
        ("an extension for an id", "94 30 d40001 80 a170", "CALL request at byte 2: expected a non-negative integer, found a value of no WAMP type"),
    ]:
        yield refused(name, "msgpack", hexed(given), error)
    yield refused("65 lists deep", "msgpack", hexed("95300180a170", b"\x91" * 65, "90"),
                  "CALL arguments at byte 70: nested deeper than 64 levels")


def broken_cbor():
    for name, given, error in [
        ("a reserved length", "1c", "message at byte 0: byte 0x1c cannot stand here"),
        ("a break alone", "ff", "message at byte 0: byte 0xff cannot stand here"),
        ("a list longer than the message", "9bffffffffffffffff", "message at byte 0: the message ends inside a value"),
        ("text longer than the message", "84183001a07bffffffffffffffff", "CALL procedure at byte 5: the message ends inside a value"),
        ("a dict that ends behind a key", "84183001bf6161ff6170", "CALL options at byte 7: byte 0xff cannot stand here"),
        ("mixed chunks", "85183001a06170817f4161ff", "CALL arguments at byte 8: byte 0x41 cannot stand here"),
        ("a number for a key", "84183001a101026170", "CALL options at byte 5: a dict key is an integer, only text is allowed"),
        ("a negative bignum id", "841830c34100a06170", "CALL request at byte 3: expected a non-negative integer, found a negative one"),
        ("a bignum id beyond 64 bits", "841830c249010000000000000000a06170", "CALL request at byte 3: the number is out of range"),
    ]:
        yield refused(name, "cbor", hexed(given), error)
    yield refused("65 lists deep", "cbor", hexed("85183001a06170", b"\x81" * 65, "80"),
                  "CALL arguments at byte 71: nested deeper than 64 levels")


def unreadable():
    """Messages that are read, with a payload that no peer can be given; and what is said about it."""
    args, kwargs = "the arguments cannot be read: at byte ", "the keyword arguments cannot be read: at byte "
    nan, text = "NaN and infinities are not JSON", "the text is not valid UTF-8"
    binary, twice = "the binary string is not valid base64", "the key stands twice"
    number = "a dict key is an integer, only text is allowed"
    for name, serializer, given, error in [
        ("NaN", "json", '[48,1,{},"p",[1,NaN]]', f"{args}16: {nan}"),
        ("infinity", "json", '[36,1,2,{},[],{"a":Infinity}]', f"{kwargs}19: {nan}"),
        ("a negative infinity", "json", '[50,1,{},[[-Infinity]]]', f"{args}11: {nan}"),
        ("NUL without base64", "json", '[16,1,{},"t",["\\u0000abcde"]]', f"{args}14: {binary}"),
        ("a key twice", "json", '[48,1,{},"p",[],{"a":1,"b":2,"a":3}]', f"{kwargs}29: {twice}"),
        ("a key twice, once with escapes", "json", '[48,1,{},"p",[],{"a":1,"\\u0061":3}]', f"{kwargs}23: {twice}"),
        ("half of a surrogate pair in a key", "json", '[48,1,{},"p",[],{"\\ud800":1}]', f"{kwargs}18: the string holds a lone surrogate"),
        ("text that is not UTF-8", "msgpack", hexed("95300180a17091a1ff"), f"{args}7: {text}"),
        ("a cut emoji", "msgpack", hexed("95300180a17091a3eda0bd"), f"{args}7: {text}"),
        ("a number for a key of kwargs", "msgpack", hexed("96300180a17090810102"), f"{kwargs}8: {number}"),
        ("a key of kwargs twice", "msgpack", hexed("96300180a1709082a16101a16102"), f"{kwargs}11: {twice}"),
        ("text that is not UTF-8 for a key", "msgpack", hexed("96300180a1709081a1ff02"), f"{kwargs}8: {text}"),
        ("text that is not UTF-8", "cbor", hexed("85183001a061708161ff"), f"{args}8: {text}"),
        ("a character cut in two chunks", "cbor", hexed("85183001a06170817f61c361a4ff"), f"{args}8: {text}"),
        ("a cut emoji in a list inside", "cbor", hexed("85183001a0617081820163eda0bd"), f"{args}10: {text}"),
        ("a number for a key of kwargs", "cbor", hexed("86183001a0617080a10102"), f"{kwargs}9: {number}"),
        ("a key of kwargs twice", "cbor", hexed("86183001a0617080bf616101616102ff"), f"{kwargs}12: {twice}"),
    ]:
        yield refused(name, serializer, given, error)
    # More keys than are compared one by one.
    many = "".join(f'"k{n}":{n},' for n in range(40))
    yield refused("a key twice among many", "json", f'[48,1,{{}},"p",[],{{{many}"k30":0}}]', f"{kwargs}17: {twice}")


def untranslatable():
    """Valid where they are; `to` refuses them."""
    for name, serializer, given, targets, what in [
        ("NaN", "msgpack", "95300180a17091cb7ff8000000000000", ["json"], "NaN"),
        ("NaN", "cbor", "85183001a0617081f97e00", ["json"], "NaN"),
        ("infinity", "msgpack", "95300180a17091ca7f800000", ["json"], "an infinity"),
        ("infinity", "cbor", "85183001a0617081f9fc00", ["json"], "an infinity"),
        ("a number for a key", "msgpack", "95300180a17091810102", ["json"], "a dict key that is not text"),
        ("a number for a key", "cbor", "85183001a0617081a10102", ["json"], "a dict key that is not text"),
        ("an extension", "msgpack", "95300180a17091d40500", ["json", "cbor"], "a value of no WAMP type"),
        ("a simple value", "cbor", "85183001a0617081f0", ["json", "msgpack"], "a value of no WAMP type"),
        ("a number beyond f64", "json", '[48,1,{},"p",[1e999]]', ["msgpack", "cbor"], "a number beyond 64 bits"),
        ("an integer beyond 64 bits", "json", '[48,1,{},"p",[18446744073709551616]]', ["msgpack", "cbor"], "a number beyond 64 bits"),
        ("half of a surrogate pair", "json", '[48,1,{},"p",["\\ud83d"]]', ["msgpack", "cbor"], "text with half of a surrogate pair"),
        ("half of a surrogate pair in a key", "json", '[48,1,{},"p",[{"\\ud83d":1}]]', ["msgpack", "cbor"], "text with half of a surrogate pair"),
        ("a bignum", "cbor", "85183001a0617081c249010000000000000000", ["json", "msgpack"], "an integer beyond 64 bits"),
        ("a big negative", "cbor", "85183001a06170813bffffffffffffffff", ["json", "msgpack"], "an integer beyond 64 bits"),
    ]:
        yield {"name": name, "serializer": serializer, "input": given, "to": targets, "what": what}
