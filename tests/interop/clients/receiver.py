"""Receivers written by others: a mail server (aiosmtpd) and a webhook receiver that verifies with the library of Standard
Webhooks. Prints one line of JSON with its ports, then one line for each mail and each request.

    SECRET (whsec_…)"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def say(what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Mails:
    async def handle_DATA(self, _server, _session, envelope):
        text = envelope.content.decode("utf-8", "replace")
        say({"mail": {"from": envelope.mail_from, "to": envelope.rcpt_tos, "text": text}})
        return "250 2.0.0 taken"


class Hooks(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            read = Webhook(os.environ["SECRET"]).verify(body, dict(self.headers))
            say({"hook": {"id": self.headers["webhook-id"], "body": read}})
            self.send_response(204)
        except WebhookVerificationError as error:
            say({"refused": str(error)})
            self.send_response(401)
        self.end_headers()

    def log_message(self, *_args):
        pass


class Anywhere(Controller):
    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]  # not known before it listens
        super()._trigger_server()


smtp = Anywhere(Mails(), hostname="127.0.0.1", port=0)
smtp.start()
http = ThreadingHTTPServer(("127.0.0.1", 0), Hooks)
say({"smtp": smtp.server.sockets[0].getsockname()[1], "http": http.server_address[1]})
http.serve_forever()
