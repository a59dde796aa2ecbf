"""A proxy that lets nothing through, and notes who wanted where."""

import collections
import socketserver
import threading


class Handler(socketserver.StreamRequestHandler):
    """Reads the first line of a proxy request, `CONNECT host:443 HTTP/1.1`, and refuses."""

    timeout = 5

    def handle(self):
        words = self.rfile.readline(4096).decode("latin-1").split()
        if len(words) > 1:
            self.server.wanted[words[1].split("?")[0]] += 1
        self.wfile.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")


class Outgoing(socketserver.ThreadingTCPServer):
    """The proxy; a context manager, on a free loopback port."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.wanted = collections.Counter()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
