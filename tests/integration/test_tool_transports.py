"""valkey-tenants over unix sockets and TLS."""

import json

import pytest

from tenants import acl_taken_in
from test_transports import TlsServer
from tool import ok, tool
from traffic import create_users

pytestmark = pytest.mark.newest_server("the tool does not depend on the server")


def test_a_unix_socket_is_named_by_path_or_uri(launch):
    server = launch(lines=["unixsocket server.sock"])
    create_users(server.admin)
    acl_taken_in(server.admin)
    path = server.directory / "server.sock"
    for way in (["-s", path], ["-u", f"unix://{path}"]):
        seen = json.loads(ok(*way, "list", "-o", "json"))
        assert seen["nodes"][0]["address"] == str(path) and "app1" in {row["name"] for row in seen["rows"]}
    assert tool("-s", server.directory / "nothing.sock", "list").code == 3


@pytest.fixture
def tls(launch, tmp_path):
    tls = TlsServer(launch, tmp_path)
    acl_taken_in(tls.server.admin)
    return tls


def test_tls_with_a_trusted_certificate(tls):
    for way in (["-p", tls.port, "--tls"], ["-u", f"valkeys://127.0.0.1:{tls.port}"], ["-u", f"rediss://127.0.0.1:{tls.port}"]):
        assert "app1" in ok(*way, "--cacert", tls.authority.certificate, "list")


def test_a_certificate_that_nobody_vouches_for_is_refused_unless_told_otherwise(tls):
    result = tool("-p", tls.port, "--tls", "list")
    assert result.code == 3 and "its certificate is not valid" in result.err and "--cacert" in result.err
    assert "app1" in ok("-p", tls.port, "--tls", "--insecure", "list")


def test_a_certificate_for_another_name_is_refused(tls):
    authority = ["--cacert", tls.authority.certificate]
    result = tool("-p", tls.port, "--tls", *authority, "--sni", "db.example", "list")
    assert result.code == 3 and "hostname mismatch" in result.err
    certificate, key = tls.authority.issue("other", "-addext", "subjectAltName=DNS:db.example")
    tls.server.admin.call("CONFIG", "SET", "tls-cert-file", certificate, "tls-key-file", key)
    assert tool("-p", tls.port, "--tls", *authority, "list").code == 3
    assert "app1" in ok("-p", tls.port, *authority, "--sni", "db.example", "list")


def test_a_client_certificate_is_sent_where_the_server_wants_one(tls):
    tls.server.admin.call("CONFIG", "SET", "tls-auth-clients", "yes")
    options = ["-p", tls.port, "--tls", "--cacert", tls.authority.certificate]
    assert tool(*options, "list").code == 3
    certificate, key = tls.authority.issue("operator")
    assert "app1" in ok(*options, "--cert", certificate, "--key", key, "list")
    result = tool(*options, "--cert", certificate, "--key", "/nonexistent", "list")
    assert result.code == 2 and "cannot use the key /nonexistent" in result.err


def test_plain_text_to_a_tls_port_is_told(tls):
    result = tool("-p", tls.port, "list")
    assert result.code == 3 and result.err.count("\n") == 1 and "does this port want --tls?" in result.err
