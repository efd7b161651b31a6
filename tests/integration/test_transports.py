"""Connections that are not plain TCP: Unix sockets, and TLS with and without certificates that name a user."""

import pathlib
import socket
import subprocess

import pytest
from redis.exceptions import ResponseError

from checks import observe, users, wrong_commands, wrong_connections
from ledger import in_lua
from server import free_port
from session import over_tls, over_unix_socket
from traffic import create_users
from waiting import wait_until

WORK = [("SET", "app1:k", "1"), ("GET", "app1:k"), ("MULTI",), ("INCR", "app1:k"), ("EXEC",), in_lua([(b"GET", b"app1:k")])]


def test_clients_of_a_unix_socket_are_counted_as_any_other(launch):
    server = launch(lines=["unixsocket server.sock"])
    create_users(server.admin)
    before = observe(server)
    sessions = [server.session(user, connection=over_unix_socket(server.directory / "server.sock")) for user in (None, "app1", "app1")]
    for session in sessions:
        session.call("SELECT", 1)
        session.outcome("SET", "app1:k", "1")
    sessions[0].call("HELLO", 3, "AUTH", "app2", "secret")
    assert users(server)[b"app1"]["connections"] == 2
    assert not wrong_connections(server.admin)
    assert not wrong_commands(server, before)
    sessions[1].close()
    wait_until(lambda: users(server)[b"app1"]["connections"] == 1, "the disconnect to be noticed")
    assert not wrong_connections(server.admin)


class Authority:
    """Signs certificates; everything lies in one directory."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.certificate = self._sign("authority")

    def issue(self, name, *extensions):
        """(certificate, key) whose common name is `name`."""
        self._sign(name, "-CA", self.certificate, "-CAkey", self._file("authority", "key"), *extensions)
        return str(self._file(name, "crt")), str(self._file(name, "key"))

    def _sign(self, name, *more):
        files = ["-keyout", self._file(name, "key"), "-out", self._file(name, "crt")]
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        done = subprocess.run([*new, "-subj", f"/CN={name}", *files, *more], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return self._file(name, "crt")

    def _file(self, name, kind):
        return self.directory / f"{name}.{kind}"


class TlsServer:
    """A server with users that also listens for TLS, and asks for certificates without insisting on them."""

    def __init__(self, launch, directory, *lines):
        self.port, self.authority = free_port(), Authority(directory)
        certificate, key = self.authority.issue("server", "-addext", "subjectAltName=IP:127.0.0.1")
        tls = {"port": self.port, "cert-file": certificate, "key-file": key, "ca-cert-file": self.authority.certificate, "auth-clients": "optional"}
        self.server = launch(lines=[*(f"tls-{name} {value}" for name, value in tls.items()), *lines])
        create_users(self.server.admin)

    def session(self, user=None, certified=None):
        """Over TLS, logged in as `user`; `certified`: its certificate is for that name."""
        own = self.authority.issue(certified) if certified else ()
        return self.server.session(user, connection=over_tls(self.port, self.authority.certificate, *own))


def test_clients_over_tls_are_counted_as_any_other(launch, tmp_path):
    tls = TlsServer(launch, tmp_path)
    before = observe(tls.server)
    sessions = [tls.session(), tls.session("app1"), tls.session("app1", certified="app2")]
    for session in sessions[1:]:
        session.pipeline(WORK)
    sessions[0].call("HELLO", 3, "AUTH", "app3", "secret")
    assert {name: row["connections"] for name, row in users(tls.server).items() if row["connections"]} == {b"default": 1, b"app1": 2, b"app3": 1}
    assert not wrong_connections(tls.server.admin)
    assert not wrong_commands(tls.server, before)


def test_a_connection_counts_when_its_tls_handshake_is_done_and_leaves_no_trace_if_that_fails(launch, tmp_path):
    """CLIENT LIST shows it before, as default's; a module is told after."""
    tls = TlsServer(launch, tmp_path)
    admin = tls.server.admin
    with socket.create_connection(("127.0.0.1", tls.port)):
        wait_until(lambda: wrong_connections(admin), "the connection to be accepted")
        assert wrong_connections(admin) == {b"default": (1, 2), "status": (1, 2)}
    wait_until(lambda: not wrong_connections(admin), "the server to notice the disconnect")
    assert users(tls.server)[b"default"]["connections"] == 1
    tls.session("app1")
    assert not wrong_connections(admin)


def test_a_connection_belongs_to_the_user_its_certificate_names_from_the_first_moment(launch, tmp_path):
    tls = TlsServer(launch, tmp_path)
    server = tls.server
    if isinstance(server.admin.outcome("CONFIG", "SET", "tls-auth-clients-user", "CN"), ResponseError):
        pytest.skip("8.x maps no certificate to a user (tls-auth-clients-user)")
    before = observe(server)
    named, unknown = tls.session(certified="app1"), tls.session(certified="nobody")
    named.user = b"app1"
    assert users(server)[b"app1"]["connections"] == 1
    assert not wrong_connections(server.admin), "before the first command"
    named.pipeline([("ACL", "WHOAMI"), *WORK])
    unknown.call("PING")
    assert not wrong_commands(server, before)
    assert (users(server)[b"app1"]["connections_total"], b"nobody" in users(server)) == (1, False)
    named.call("AUTH", "app2", "secret")
    assert not wrong_connections(server.admin)
    named.call("RESET")
    named.call("PING")
    assert not wrong_connections(server.admin)
    assert not wrong_commands(server, before)
