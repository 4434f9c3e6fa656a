#!/usr/bin/env python3
"""Runs Crossbar.io on free loopback ports until standard input ends.

    crossbar_router.py FOLDER [--certificate FILE --key FILE]

FOLDER (made if missing) receives the configuration, the node's key and the Unix socket. Once every
transport accepts connections, one line of JSON says where they are:

    {"ready": true, "pid": 1, "tcp": "rs://127.0.0.1:1", "unix": "unix:/...", "ws": "ws://127.0.0.1:2/ws", ...}

With a certificate for localhost, and its key, in PEM, also "rss" and "wss". "deflate" is as "ws", with compression. Or {"ready": false, "detail": "..."} and exit code 1. Crossbar's own output goes to FOLDER/crossbar.log.
Closing this program's standard input ends Crossbar, so that a test that dies leaves no orphan behind.
"""

import argparse
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time

START_SECONDS = 60
STOP_SECONDS = 10
ATTEMPTS = 3
MAX_MESSAGE = 2**24
SERIALIZERS = ["json", "msgpack", "cbor"]
# A Unix socket's path has to fit into sockaddr_un.
UNIX_PATH_MAX = 107

# The credentials of ticket authentication; peer.py --authid alice --ticket secret-alice.
TICKETS = {"alice": {"ticket": "secret-alice", "role": "member"}}


def free_ports(count):
    """Ports that were free a moment ago: all are held at once, so they differ from each other."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def role(name):
    """A role that may do everything, and whose callers and publishers are disclosed on request."""
    everything = {"call": True, "register": True, "publish": True, "subscribe": True}
    permission = {
        "uri": "",
        "match": "prefix",
        "allow": everything,
        "disclose": {"caller": True, "publisher": True},
        "cache": True,
    }
    return {"name": name, "permissions": [permission]}


def configuration(tcp_port, unix_path, universal_port, secure):
    """A node with one worker: realm1 for anybody, realm2 only for holders of a ticket. `secure`: port and TLS."""
    auth = {
        "anonymous": {"type": "static", "role": "anonymous"},
        "ticket": {"type": "static", "principals": TICKETS},
    }
    rawsocket = {
        "serializers": SERIALIZERS,
        "options": {"max_message_size": MAX_MESSAGE},
        "auth": auth,
    }
    websocket = {
        "type": "websocket",
        "serializers": SERIALIZERS,
        "options": {"max_message_size": MAX_MESSAGE, "max_frame_size": MAX_MESSAGE},
        "auth": auth,
    }
    compressing = {**websocket, "options": {**websocket["options"], "compression": {"deflate": {}}}}
    # Without a part for HTTP it would refuse ClientHellos with ALPN, which browsers and our clients send for WebSocket.
    universal = {
        "type": "universal",
        "rawsocket": rawsocket,
        "websocket": {"ws": websocket, "deflate": compressing},
        "web": {"paths": {"/": {"type": "nodeinfo"}}},
    }
    listen = {"type": "tcp", "interface": "127.0.0.1"}
    transports = [
        {"type": "rawsocket", "endpoint": {**listen, "port": tcp_port}, **rawsocket},
        {"type": "rawsocket", "endpoint": {"type": "unix", "path": unix_path}, **rawsocket},
        {"endpoint": {**listen, "port": universal_port}, **universal},
    ]
    if secure is not None:
        port, tls = secure
        transports.append({"endpoint": {**listen, "port": port, "tls": tls}, **universal})
    realms = [
        {"name": "realm1", "roles": [role("anonymous"), role("member")]},
        {"name": "realm2", "roles": [role("member")]},
    ]
    worker = {"type": "router", "realms": realms, "transports": transports}
    return {"version": 2, "controller": {}, "workers": [worker]}


def die_with_parent():
    """Linux ends the child with us even if we are killed outright. Elsewhere closing stdin has to do."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    except (OSError, AttributeError):
        pass


def start(folder, node, log):
    """The Crossbar process, in a process group of its own so that its workers can be ended with it."""
    program = os.path.join(os.path.dirname(sys.executable), "crossbar")
    command = [program, "start", "--cbdir", node, "--loglevel", "warn", "--color", "false"]
    return subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )


def stop(process):
    """Ends Crossbar and whatever it started, asking first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(STOP_SECONDS)
            break
        except subprocess.TimeoutExpired:
            continue
    try:
        # Workers that outlived their controller.
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def accepts(family, address):
    """Whether something accepts connections there."""
    with socket.socket(family) as probe:
        probe.settimeout(1)
        try:
            probe.connect(address)
        except OSError:
            return False
    return True


def stdin_ended(seconds):
    """Waits; whether our standard input ended meanwhile."""
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(readable) and not os.read(sys.stdin.fileno(), 4096)


def wait_until_listening(process, places):
    """None when all the places accept connections, else why they do not."""
    deadline = time.monotonic() + START_SECONDS
    waiting = list(places)
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return f"Crossbar ended with code {process.returncode}"
        waiting = [place for place in waiting if not accepts(*place)]
        if not waiting:
            return None
        if stdin_ended(0.1):
            return "standard input was closed"
    return f"Crossbar does not listen after {START_SECONDS} s"


def run(folder, attempt, tls):
    """One start of Crossbar. Returns why it failed, or None after an orderly end."""
    node = os.path.join(folder, f"node{attempt}")
    os.makedirs(node, exist_ok=True)
    unix_path = os.path.join(folder, f"wamp{attempt}.sock")
    if len(os.fsencode(unix_path)) > UNIX_PATH_MAX:
        return f"the folder's name is too long for a Unix socket: {unix_path}"
    if os.path.exists(unix_path):
        os.unlink(unix_path)
    tcp_port, universal_port, secure_port = free_ports(3)
    secure = tls and (secure_port, tls)
    with open(os.path.join(node, "config.json"), "w", encoding="utf-8") as file:
        json.dump(configuration(tcp_port, unix_path, universal_port, secure), file, indent=1)

    with open(os.path.join(folder, "crossbar.log"), "ab") as log:
        process = start(folder, node, log)
        try:
            places = [
                (socket.AF_INET, ("127.0.0.1", tcp_port)),
                (socket.AF_UNIX, unix_path),
                (socket.AF_INET, ("127.0.0.1", universal_port)),
            ]
            if secure:
                places.append((socket.AF_INET, ("127.0.0.1", secure_port)))
            trouble = wait_until_listening(process, places)
            if trouble is not None:
                return trouble
            line = {
                "ready": True,
                "pid": process.pid,
                "tcp": f"rs://127.0.0.1:{tcp_port}",
                "unix": f"unix:{unix_path}",
                "universal": f"rs://127.0.0.1:{universal_port}",
                "ws": f"ws://127.0.0.1:{universal_port}/ws",
                "deflate": f"ws://127.0.0.1:{universal_port}/deflate",
                "realm": "realm1",
                "ticket_realm": "realm2",
                "tickets": {name: entry["ticket"] for name, entry in TICKETS.items()},
            }
            if secure:
                line["rss"] = f"rss://localhost:{secure_port}"
                line["wss"] = f"wss://localhost:{secure_port}/ws"
            print(json.dumps(line), flush=True)
            while not stdin_ended(1):
                if process.poll() is not None:
                    # Too late for another attempt: the reader already has the addresses.
                    sys.exit(f"Crossbar ended with code {process.returncode}")
            return None
        finally:
            stop(process)


def main():
    parser = argparse.ArgumentParser(description="Runs Crossbar.io on free loopback ports until standard input ends.")
    parser.add_argument("folder", type=os.path.abspath)
    parser.add_argument("--certificate", type=os.path.abspath)
    parser.add_argument("--key", type=os.path.abspath)
    options = parser.parse_args()
    if (options.certificate is None) != (options.key is None):
        parser.error("--certificate and --key belong together")
    tls = options.certificate and {"certificate": options.certificate, "key": options.key}
    # A terminating signal unwinds through the `finally` that stops Crossbar.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = options.folder
    os.makedirs(folder, exist_ok=True)
    trouble = None
    # A port may be taken between our look and Crossbar's bind.
    for attempt in range(ATTEMPTS):
        trouble = run(folder, attempt, tls)
        if trouble is None or "ended with code" not in trouble:
            break
    if trouble is not None:
        detail = f"{trouble}; see {os.path.join(folder, 'crossbar.log')}"
        print(json.dumps({"ready": False, "detail": detail}), flush=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
