"""A SCIM server written by others (scim2-server), with one bearer token. Prints one line of JSON with its address.

    TOKEN"""

import json
import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from scim2_server.memory import InMemoryStorage
from scim2_server.testserver.application import BearerTokenApplication
from scim2_server.utils import load_default_provider


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_args):
        pass


application = BearerTokenApplication(InMemoryStorage(), load_default_provider(), bearer_tokens=[os.environ["TOKEN"]])
server = make_server("127.0.0.1", 0, application, Server, Quiet)
sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}) + "\n")
sys.stdout.flush()
server.serve_forever()
