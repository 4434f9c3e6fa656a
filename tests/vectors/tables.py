"""The messages and their options and details, in canonical order, each key with values it may take."""

FORWARD = [{"session": 7, "authid": "node1", "authrole": "router"}, {"session": 2**53}]
ROLES = ["subscriber", "publisher", "caller", "callee", "broker", "dealer"]
CLIENT_ROLES = {
    "subscriber": {"features": {"publisher_identification": True, "pattern_based_subscription": True}},
    "publisher": {"features": {"subscriber_blackwhite_listing": True, "publisher_exclusion": True}},
    "caller": {"features": {"progressive_call_results": True, "call_timeout": True, "call_canceling": True}},
    "callee": {"features": {"shared_registration": True, "registration_revocation": True}},
}
ROUTER_ROLES = {"broker": {"features": {"event_retention": True}}, "dealer": {"features": {"call_canceling": True}}}

BOTH = [True, False]
NAMES = [[], ["alice"], ["alice", "bob", "zoë"]]
IDS = [[], [1], [1, 255, 256, 65536, 2**32, 2**53]]
TEXT = ["x", ""]
PASSTHRU = [
    ("ppt_scheme", ["wamp", "mqtt", "x_own"]),
    ("ppt_serializer", ["native", "cbor"]),
    ("ppt_cipher", ["xsalsa20poly1305"]),
    ("ppt_keyid", ["GTtQ37XGJO2O4R8Dvx4AUo8pe61D9evIWpKGQAPdOh0="]),
    ("enc_algo", ["cryptobox", "mqtt", "xbr", "x_own"]),
    ("enc_key", ["key-1"]),
    ("enc_serializer", ["cbor", "json"]),
]
FORWARDED = [("forward_for", [[], FORWARD])]
CALLEE = [("callee", [1, 2**53]), ("callee_authid", TEXT), ("callee_authrole", TEXT)]
CLOSE = [("message", ["Auf Wiedersehen, шлях закрыто 👋"]), ("resumable", BOTH)]

ATTRIBUTES = {
    "HELLO": [
        ("roles", [{}, {"caller": {}}, CLIENT_ROLES]),
        ("agent", ["Roadbed-0.1"]),
        ("authid", TEXT),
        ("authrole", TEXT),
        ("authmethods", NAMES),
        ("authextra", [{}, {"pubkey": "00ff", "channel_binding": None, "n": [1, {"deep": -1}]}]),
    ],
    "WELCOME": [
        ("realm", ["realm1"]),
        ("roles", [{}, ROUTER_ROLES]),
        ("agent", ["Roadbed-0.1"]),
        ("authid", TEXT),
        ("authrole", TEXT),
        ("authmethod", ["anonymous"]),
        ("authprovider", ["static"]),
        ("authextra", [{}, {"x_cb_node": "node1", "x_pid": 4711}]),
    ],
    "ABORT": CLOSE,
    "CHALLENGE": [],
    "AUTHENTICATE": [],
    "GOODBYE": CLOSE,
    "ERROR": CALLEE + PASSTHRU + FORWARDED,
    "PUBLISH": [
        ("acknowledge", BOTH),
        ("exclude_me", BOTH),
        ("exclude", IDS),
        ("exclude_authid", NAMES),
        ("exclude_authrole", NAMES),
        ("eligible", IDS),
        ("eligible_authid", NAMES),
        ("eligible_authrole", NAMES),
        ("retain", BOTH),
        ("disclose_me", BOTH),
        ("rkey", TEXT),
        ("transaction_hash", TEXT),
    ]
    + PASSTHRU
    + FORWARDED,
    "SUBSCRIBE": [
        ("match", ["exact", "prefix", "wildcard"]),
        ("get_retained", BOTH),
        ("nkey", TEXT),
    ]
    + FORWARDED,
    "UNSUBSCRIBE": FORWARDED,
    "UNSUBSCRIBED": [("subscription", [1, 2**53]), ("reason", ["wamp.subscription.revoked"])],
    "EVENT": [
        ("topic", ["com.example.topic", ""]),
        ("publisher", [1, 2**53]),
        ("publisher_authid", TEXT),
        ("publisher_authrole", TEXT),
        ("trustlevel", [0, 2**64 - 1]),
        ("retained", BOTH),
        ("transaction_hash", TEXT),
        ("x_acknowledged_delivery", BOTH),
    ]
    + FORWARDED
    + PASSTHRU,
    "CALL": [
        ("timeout", [0, 1, 2**53, 2**64 - 1]),
        ("receive_progress", BOTH),
        ("progress", BOTH),
        ("disclose_me", BOTH),
        ("runmode", ["all", "partition"]),
        ("rkey", TEXT),
        ("transaction_hash", TEXT),
    ]
    + PASSTHRU
    + FORWARDED,
    "CANCEL": [("mode", ["skip", "kill", "killnowait"])] + FORWARDED,
    "RESULT": [("progress", BOTH)] + CALLEE + PASSTHRU + FORWARDED,
    "REGISTER": [
        ("match", ["exact", "prefix", "wildcard"]),
        ("invoke", ["single", "roundrobin", "random", "first", "last", "all"]),
        ("concurrency", [0, 1, 2**32]),
        ("force_reregister", BOTH),
        ("forward_timeout", BOTH),
        ("disclose_caller", BOTH),
        ("nkey", TEXT),
    ]
    + FORWARDED,
    "UNREGISTER": FORWARDED,
    "UNREGISTERED": [("registration", [1, 2**53]), ("reason", ["wamp.registration.revoked"])],
    "INVOCATION": [
        ("procedure", ["com.example.add", ""]),
        ("timeout", [0, 2**64 - 1]),
        ("receive_progress", BOTH),
        ("progress", BOTH),
        ("caller", [1, 2**53]),
        ("caller_authid", TEXT),
        ("caller_authrole", TEXT),
        ("trustlevel", [0, 5]),
        ("transaction_hash", TEXT),
    ]
    + PASSTHRU
    + FORWARDED,
    "INTERRUPT": [("mode", ["skip", "kill", "killnowait"]), ("reason", ["wamp.error.canceled"])] + FORWARDED,
    "YIELD": [("progress", BOTH)] + CALLEE + PASSTHRU + FORWARDED,
}

# `None` marks where the options or details belong.
ELEMENTS = {
    "HELLO": [1, "realm1", None],
    "WELCOME": [2, 2**53, None],
    "ABORT": [3, None, "wamp.close.system_shutdown"],
    "CHALLENGE": [4, "ticket", None],
    "AUTHENTICATE": [5, "sïgnature", None],
    "GOODBYE": [6, None, "wamp.close.close_realm"],
    "ERROR": [8, 48, 300, None, "com.example.error"],
    "PUBLISH": [16, 1, None, "com.example.topic"],
    "PUBLISHED": [17, 23, 2**53],
    "SUBSCRIBE": [32, 24, None, "com.example.topic"],
    "SUBSCRIBED": [33, 255, 256],
    "UNSUBSCRIBE": [34, 65535, 65536],
    "UNSUBSCRIBED": [35, 2**32 - 1],
    "EVENT": [36, 2**32, 2**53 - 1, None],
    "CALL": [48, 2**53, None, "com.example.add"],
    "CANCEL": [49, 127, None],
    "RESULT": [50, 128, None],
    "REGISTER": [64, 2, None, "com.example.add"],
    "REGISTERED": [65, 3, 4],
    "UNREGISTER": [66, 5, 6],
    "UNREGISTERED": [67, 7],
    "INVOCATION": [68, 8, 9, None],
    "INTERRUPT": [69, 10, None],
    "YIELD": [70, 11, None],
    "EVENT_RECEIVED": [337, 12],
}
TAKES_PAYLOAD = ["ABORT", "ERROR", "PUBLISH", "EVENT", "CALL", "RESULT", "INVOCATION", "YIELD"]
ANSWERED = {"PUBLISH": 16, "SUBSCRIBE": 32, "UNSUBSCRIBE": 34, "CALL": 48, "REGISTER": 64, "UNREGISTER": 66, "INVOCATION": 68}

UNKNOWN = {"x_number": -5, "_private": [None, {"k": "v"}], "ppt_other": 1, "x_ünï": "ß"}
