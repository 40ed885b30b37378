"""A TCP proxy that can be cut, frozen and healed: the network between two programs, in the tests' hands.

    open     bytes pass, both ways
    cut      connections are reset, new ones refused
    frozen   nothing passes and nobody is told: what a dead network looks like. Up is from the client to the
             target, down the other way; either may be frozen alone. New connections are taken, and wait.
    stalled  the connections of that moment are frozen for good, as when a firewall forgot them; new ones pass
"""

import contextlib
import socket
import struct
import threading

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, no time: close sends RST


def _bound_listener():
    """Listens on a free port that stays its own while it does not listen: the kernel keeps a port over
    shutdown only when it was bound by number, so one socket finds the number for the other."""
    with socket.socket() as finder, contextlib.ExitStack() as on_error:
        listener = on_error.enter_context(socket.socket())
        for each in (finder, listener):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        finder.bind(("127.0.0.1", 0))
        listener.bind(finder.getsockname())
        listener.listen(128)
        on_error.pop_all()
        return listener


class Proxy:
    """Members: port, addr (127.0.0.1:PORT), url, accepted (connections so far), joined (those of them that have
    been joined to the target)."""

    def __init__(self, target):
        host, _, port = target.rpartition(":")
        self._target = (host.strip("[]"), int(port))
        self._change = threading.Condition()
        self._frozen, self._cut, self._closed = set(), False, False
        self._pairs, self._stalled = set(), set()
        self.accepted = self.joined = 0
        self._listener = _bound_listener()
        self.port = self._listener.getsockname()[1]
        self.addr = "127.0.0.1:%d" % self.port
        self.url = "http://" + self.addr
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Resets all connections and refuses new ones until heal."""
        with self._change:
            if not self._cut:
                self._cut = True
                # Ends listening but keeps the port: heal listens on the same socket again.
                self._listener.shutdown(socket.SHUT_RDWR)
            self._reset_all()
            self._change.notify_all()

    def reset(self):
        """Resets all connections; new ones are welcome at once."""
        with self._change:
            self._reset_all()

    def reset_one(self):
        """Resets one of the connections."""
        with self._change:
            self._reset({next(iter(self._pairs))})

    def freeze(self, *directions):
        """Stops "up", "down", or both when none is given."""
        with self._change:
            self._frozen |= set(directions or ("up", "down"))

    def stall(self):
        """The connections there are fall silent until they are closed; new ones are welcome."""
        with self._change:
            self._stalled |= self._pairs

    def heal(self):
        """Back to open; what was held back while frozen is delivered."""
        with self._change:
            if self._cut:
                self._cut = False
                self._listener.listen(128)
            self._frozen = set()
            self._change.notify_all()

    def retarget(self, target):
        """New connections go to another HOST:PORT."""
        host, _, port = target.rpartition(":")
        self._target = (host.strip("[]"), int(port))

    @property
    def open_connections(self):
        with self._change:
            return len(self._pairs)

    def close(self):
        with self._change:
            self._closed = True
            self._reset_all()
            self._listener.close()
            self._change.notify_all()

    def _reset_all(self):
        self._reset(self._pairs)

    def _reset(self, pairs):
        for pair in pairs:
            for end in pair:
                try:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    end.shutdown(socket.SHUT_RDWR)  # wakes the pump that reads it, which closes it
                except OSError:
                    pass
        self._pairs = self._pairs - pairs
        self._change.notify_all()

    def _accept(self):
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or not self._cut)
                if self._closed:
                    return
            try:
                client, _ = self._listener.accept()
            except OSError:
                continue  # cut or closed: seen above
            self.accepted += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with self._change:
            self._change.wait_for(lambda: self._closed or self._cut or "up" not in self._frozen)
            refused = self._closed or self._cut
        try:
            server = None if refused else socket.create_connection(self._target, timeout=5)
        except OSError:
            server = None
        if server is None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.close()
            return
        server.settimeout(None)
        pair = (client, server)
        for end in pair:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._change:
            self._pairs.add(pair)
            self.joined += 1
        down = threading.Thread(target=self._pump, args=(server, client, "down", pair), daemon=True)
        down.start()
        self._pump(client, server, "up", pair)
        down.join()
        with self._change:
            self._pairs.discard(pair)
        client.close()
        server.close()

    def _pump(self, source, sink, direction, pair):
        try:
            while True:
                data = source.recv(65536)
                with self._change:
                    self._change.wait_for(lambda: pair not in self._pairs or not (direction in self._frozen or pair in self._stalled))
                    if pair not in self._pairs:
                        break
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
        except OSError:
            pass
        for end in pair:  # one side is broken: so is the other
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
