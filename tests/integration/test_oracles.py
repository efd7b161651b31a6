"""The tests' own truth, checked against plain servers without the module."""

from truth import PrefixRule, calls_by_command, key_names, keys_in_total, literal_head
from traffic import Traffic, create_users


def test_the_ledger_equals_commandstats_on_a_server_without_the_module(launch, seed):
    server = launch(loading=None)
    create_users(server.admin)
    ledger, before = server.ledger.snapshot(), calls_by_command(server.admin)
    traffic = Traffic(server, seed)
    traffic.run(400)
    traffic.settle()
    ledger = server.ledger.by_command(server.ledger.snapshot() - server.ledger.snapshot_refused() - ledger)
    commandstats = calls_by_command(server.admin) - before
    difference = {name: (ledger[name], commandstats[name]) for name in ledger | commandstats if ledger[name] != commandstats[name]}
    assert not difference, f"seed {seed}: command: (ledger, commandstats) {difference}"


def test_scan_equals_dbsize_at_a_quiet_moment(launch, seed):
    server = launch(loading=None)
    create_users(server.admin)
    traffic = Traffic(server, seed)
    traffic.run(400)
    traffic.settle()
    scanned = sum(len(names) for names in key_names(server.admin).values())
    assert scanned == keys_in_total(server.admin) > 20, f"seed {seed}"


def test_literal_heads_of_patterns():
    heads = {rb"app1:*": b"app1:", rb"*": b"", rb"a\*b:*": b"a*b:", rb"exact": b"exact", rb"a[bc]:*": b"a", rb"{app1}:*": b"{app1}:"}
    assert {pattern: literal_head(pattern) for pattern in heads} == heads


def test_the_prefix_rule():
    rule = PrefixRule({b"app1:*", b"app1:sub:**", b"*", b"leader", b"app1:one", b"t:*:cache:*", b"t:[^a-c]:*", b"t:?", b"*.reply.[ab]", rb"x\*?"})
    expected = {
        b"leader": b"leader", b"leader:x": b"leader:", b"leaders": "(none)", b"app1:one": b"app1:one", b"app1:one2": b"app1:", b"app1:x": b"app1:",
        b"app1:sub:x": b"app1:sub:", b"foo:x:y": b"foo:", b"foo": "(none)", b"": "(none)", b":": "(none)", b":x": "(none)", b":x:y": b":x:", b"::": b"::", b"app1": "(none)", b"t:1:cache:2": b"t:*:cache:*",
        b"t:1:2": b"t:[^a-c]:*", b"t:a:2": b"t:", b"t:x": b"t:?", b"q.reply.b": b"*.reply.[ab]", b"app1:.reply.b": b"app1:", b"x*y": rb"x\*?", b"xxy": "(none)",
    }  # fmt: skip
    assert {key: rule.prefix_of(key) for key in expected} == expected
    rule = PrefixRule({b"app1:*", b"app1:a:b:*", b"app1:*:q"}, named={b"app1:a:", b"lost:x"})
    expected = {b"app1:a:1": b"app1:a:", b"app1:a:b:1": b"app1:a:b:", b"app1:a:q": b"app1:*:q", b"app1:b": b"app1:", b"lost:xy": b"lost:x", b"lost:y": b"lost:"}
    assert {key: rule.prefix_of(key) for key in expected} == expected
