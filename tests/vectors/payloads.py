"""Values for payloads."""


def nested(levels, leaf, wrap):
    for level in range(levels):
        leaf = wrap(level, leaf)
    return leaf


def values():
    yield "null", None
    yield "true", True
    yield "false", False
    integers = [0, 1, 23, 24, 31, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32]
    integers += [2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1]
    integers += [-1, -24, -25, -32, -33, -128, -129, -256, -257, -32768, -32769, -65536, -65537]
    integers += [-(2**31), -(2**31) - 1, -(2**32), -(2**32) - 1, -(2**53) - 1, -(2**63)]
    for integer in integers:
        yield f"integer {integer}", integer
    floats = [0.0, -0.0, 1.0, -1.0, 0.5, 0.1, 1.5, 65504.0, 65505.0, 100000.0, 3.4028234663852886e38, 1e39]
    floats += [1e15, 1e16, 1e21, 1e22, 1.5e300, 1.7976931348623157e308, 5e-324, 2.2250738585072014e-308]
    floats += [1e-4, 1e-5, 1e-7, 1.401298464324817e-45, 9007199254740993.0, -123456.789, 2.0**63, 2.0**64]
    for number in floats:
        yield f"float {number!r}", number
    texts = ["", "a", "Straße", "日本語", "e\u0301", "🦀", "👩‍👩‍👧‍👦", "𝒳\U0010ffff", "\u2028\u2029", "\ufeff", "\ud7ff\ue000"]
    texts += ['"\\/\b\f\n\r\t', "\x01\x1f\x7f\x80", "null", "x" * 31, "x" * 32, "x" * 255, "x" * 256, "ü" * 300]
    for text in texts:
        yield f"text {text[:8]!r} of {len(text)}", text
    for length in (0, 1, 2, 3, 4, 31, 255, 256):
        yield f"binary of {length}", bytes(n * 37 % 256 for n in range(length))
    yield "empty list", []
    yield "empty dict", {}
    yield "dict", {"z": 1, "a": {"b": [2]}, "": None, "ключ": "🗝", "10": 1, "9": 2}
    for length in (15, 16, 23, 24, 256):
        yield f"list of {length}", list(range(length))
        yield f"dict of {length}", {f"k{n}": n for n in range(length)}
    yield "list of 1,000", list(range(-500, 500))
    yield "dict of 1,000", {f"key-{n:03}": n * 0.25 for n in range(1000)}
    yield "60 lists deep", nested(60, [], lambda _, leaf: [leaf])
    yield "60 dicts deep", nested(60, {}, lambda _, leaf: {"d": leaf})
    yield "60 deep, mixed", nested(60, 1.5, lambda n, leaf: [0, leaf, 1] if n % 2 else {"a": leaf, "b": []})
    # Arguments or keyword arguments are the 64th level.
    yield "63 lists deep", nested(62, [], lambda _, leaf: [leaf])
