"""A client of OpenID AuthZEN's Access Request and Approval Profile (draft 1), written from the profile's text alone: it discovers,
is denied, asks, waits for the callback, reads the status and evaluates again. Standard library only.

    ISSUER TOKEN SECRET AGENT TASK PORT

Prints one line of JSON for each step; reads nothing."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import queue
import sys
import threading
import time
import urllib.error
import urllib.request

ISSUER, TOKEN, TASK = os.environ["ISSUER"], os.environ["TOKEN"], os.environ["TASK"]
SECRET = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))
PORT = int(os.environ["PORT"])
TERMINAL = {"approved", "denied", "expired", "cancelled", "failed", "partial"}
heard = queue.Queue()


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Callback(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
        wanted = "v1," + base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
        # "Unauthenticated callbacks MUST NOT be accepted."
        good = wanted in self.headers["webhook-signature"].split(" ") and abs(time.time() - int(self.headers["webhook-timestamp"])) < 300
        self.send_response(204 if good else 401)
        self.end_headers()
        heard.put((good, json.loads(body)))

    def log_message(self, *_args):
        pass


def call(method, url, body=None, headers=None):
    request = urllib.request.Request(url, method=method, data=None if body is None else json.dumps(body).encode())
    request.add_header("authorization", f"Bearer {TOKEN}")
    if body is not None:
        request.add_header("content-type", "application/json")
    for name, value in (headers or {}).items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.headers, json.load(response)
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, json.load(refused)


def question(amount):
    return {
        "subject": {"type": "agent", "id": os.environ["AGENT"]},
        "action": {"name": "transfer", "properties": {"arguments": {"payee": "ACME", "amount": amount}}},
        "resource": {"type": "system", "id": "bank"},
        "context": {"task": TASK},
    }


def denied(metadata, amount):
    status, _, answer = call("POST", metadata["access_evaluation_endpoint"], question(amount))
    assert status == 200 and answer["decision"] is False, answer
    context = answer["context"]
    asked = context["access_request"]
    # The signal of a requestable denial, with what the profile requires of it.
    assert asked["expires_at"] and (asked.get("binding_token") or context["evaluation_id"]), context
    return {"evaluation_id": context["evaluation_id"], "expires_at": asked["expires_at"]}


def ask(metadata, amount, state, events, key):
    body = question(amount) | {"denial": denied(metadata, amount)}
    body["callback"] = {"endpoint": f"http://127.0.0.1:{PORT}/callbacks", "state": state, "events": events}
    status, headers, answer = call("POST", metadata["access_request_endpoint"], body, {"Idempotency-Key": key})
    assert status == 202, answer
    task = answer["task"]
    assert task["status"] == "pending" and headers["Location"] == task["status_endpoint"], answer
    again = call("POST", metadata["access_request_endpoint"], body, {"Idempotency-Key": key})[2]
    assert again["task"]["id"] == task["id"], "the same key is the same task"
    return task


def told(task, state):
    good, body = heard.get(timeout=60)
    assert good, "a callback that nobody signed"
    assert body["task"]["id"] == task["id"] and body["state"] == state, body
    assert body["task"]["status"] in TERMINAL
    # A callback without an enforceable result is only a notification: the status endpoint is what counts.
    assert "result" not in body
    _, _, read = call("GET", body["task"]["status_endpoint"])
    assert read["task"]["status"] == body["task"]["status"], read
    return read


server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Callback)
threading.Thread(target=server.serve_forever, daemon=True).start()

_, _, metadata = call("GET", f"{ISSUER}/.well-known/authzen-configuration")
assert metadata["policy_decision_point"] == ISSUER
assert "urn:openid:authzen:capability:access-request" in metadata["capabilities"]

wanted = ask(metadata, 300.5, "session 7", ["approved", "denied"], "key-1")
say(asked=wanted["links"]["review"].rsplit("/", 1)[1])
result = told(wanted, "session 7")["result"]
assert result["mode"] == "reevaluate" and result["approval"]["approved_until"], result
again = question(300.5)
again["context"]["approval"] = result["approval"]
permitted = [call("POST", metadata["access_evaluation_endpoint"], again)[2] for _ in range(2)]
late = permitted[1]["context"]
say(permitted=[one["decision"] for one in permitted], reason=late["reason"], next_action=late["next_action"])

refused = ask(metadata, 400.5, "session 8", ["denied"], "key-2")
say(asked=refused["links"]["review"].rsplit("/", 1)[1])
say(ended=told(refused, "session 8")["task"]["status"])

elsewhere = question(500.5) | {"denial": denied(metadata, 500.5), "callback": {"endpoint": "https://evil.example/x"}}
status, _, problem = call("POST", metadata["access_request_endpoint"], elsewhere)
say(elsewhere=[status, problem["type"]], left=heard.qsize())
