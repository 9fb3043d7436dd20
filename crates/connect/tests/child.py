"""A child that speaks MCP over its pipes as well or as badly as it is asked to: child.py ERA, then tools by name."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

ERA = sys.argv[1]
LOCK = threading.Lock()


def say(text, end="\n"):
    with LOCK:
        sys.stdout.write(text + end)
        sys.stdout.flush()


def send(message):
    say(json.dumps(message))


def result(request, value):
    send({"jsonrpc": "2.0", "id": request["id"], "result": value})


def note(method, params):
    send({"jsonrpc": "2.0", "method": method, "params": params})


def progress(request, count):
    note("notifications/progress", {"progressToken": request["params"]["_meta"]["progressToken"], "progress": count})


def text(value):
    return {"content": [{"type": "text", "text": value}]}


def slow(request):
    for count in range(3):
        time.sleep(0.05)
        progress(request, count)
    result(request, text(request["params"]["arguments"]["say"]))


def call(request):
    name = request["params"]["name"]
    if name == "echo":
        result(request, text(request["params"]["arguments"].get("say", "")))
    elif name == "slow":
        threading.Thread(target=slow, args=(request,)).start()
    elif name == "crash":
        os._exit(3)
    elif name == "crash-in-line":
        say('{"jsonrpc":"2.0","id":', end="")
        os._exit(4)
    elif name == "last-words":
        result(request, text("goodbye"))
        os._exit(0)
    elif name == "hang":
        pass
    elif name == "flood":
        while True:
            progress(request, 1)
    elif name == "endless-line":
        while True:
            say("x" * 8192, end="")
    elif name == "wrong-id":
        send({"jsonrpc": "2.0", "id": 987654, "result": {}})
    elif name == "bad-json":
        say('{"jsonrpc":"2.0","id":%s,"result":{"a":1,"a":2}}' % json.dumps(request["id"]))
    elif name == "banner":
        say("Welcome to the server!")
        result(request, text("after the banner"))
    elif name == "log":
        note("notifications/message", {"level": "info", "data": "working"})
        result(request, text("done"))
    elif name == "stop-reading":
        os.close(0)
        time.sleep(0.2)
        result(request, text("deaf"))
        time.sleep(30)
    elif name == "environment":
        result(request, {"content": [], "structuredContent": dict(os.environ)})
    elif name == "complain":
        print("my key is " + os.environ["BANK_TOKEN"] + "\x1b[31m" + "y" * 5000, file=sys.stderr, flush=True)
        result(request, text("complained"))
    elif name == "grandchild":
        other = subprocess.Popen(["sleep", "300"])
        result(request, text(str(other.pid)))
    elif name == "ask":
        send({"jsonrpc": "2.0", "id": "q1", "method": "elicitation/create", "params": {}})
        answer = json.loads(sys.stdin.readline())
        result(request, text(json.dumps(answer["result"])))
    elif name == "ignore-term":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        result(request, text(str(os.getpid())))
        while True:
            time.sleep(1)
    else:
        result(request, text("?"))


SEEN = []
for line in sys.stdin:
    message = json.loads(line)
    method = message.get("method")
    SEEN.append(method)
    if method == "server/discover" and ERA == "modern":
        result(message, {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}})
    elif method == "server/discover" and ERA == "silent":
        pass
    elif method == "initialize" and ERA != "modern":
        result(message, {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "child", "version": "1"}})
    elif method == "tools/call":
        call(message)
    elif method == "seen":
        result(message, {"seen": SEEN})
    elif "id" in message and method:
        send({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no such method"}})
