"""Shows a message that is a secret, counts its visitors on a volume, and has a hole: it runs what it is told to."""

import http.server
import pathlib
import subprocess

MESSAGE = pathlib.Path("/run/secrets/message.txt")
VISITORS = pathlib.Path("/data/visitors")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with VISITORS.open("a") as visitors:
            visitors.write(f"{self.client_address[0]}\n")
        self.answer(MESSAGE.read_bytes())

    def do_POST(self):
        order = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.answer(subprocess.run(order, shell=True, stdout=subprocess.PIPE).stdout)

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
