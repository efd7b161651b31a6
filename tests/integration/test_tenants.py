"""The tenant row: users and prefixes joined by the ACL or by tenants.groups; TENANTS.GET, TENANTS.ME, TENANTS.TOP."""

import csv
import io
import json
import random
import time

import pytest
from redis.exceptions import ResponseError

import truth
from info import read_info, rows_that_do_not_add_up, total
from tenants import acl_taken_in, full_pass, measured_pass, pages, quick_passes, resp3, settled_info
from tool import ok, tool
from traffic import Traffic
from waiting import patience, wait_until

@pytest.fixture
def admin(server):
    quick_passes(server.admin)
    return server.admin


def user(server, name, *rules, commands=0):
    server.admin.call("ACL", "SETUSER", name, "on", ">secret", *rules, "+@all")
    session = server.session(name)
    session.pipeline([("PING",)] * commands)
    return session


def tenants(session):
    """{name: row} of TENANTS.LIST; the module's own rows as str."""
    quick_passes(session)
    settled_info(session)
    rows, _ = pages(session, "TENANTS.LIST", 1000)
    own = (b"orphans", b"overhead", b"other", b"internal")
    return {row[b"name"].decode() if row[b"kind"] in own else row[b"name"]: {k.decode(): v for k, v in row.items()} for row in rows}


def group(session, text):
    session.call("CONFIG", "SET", "tenants.groups", text)


def test_users_that_share_a_prefix_are_tenants_of_their_own_and_one_owns_it(server, admin):
    user(server, "web", "~shop:*", commands=3).call("SET", "shop:1", "x" * 100)
    user(server, "worker", "~shop:*", "~jobs:*", commands=5).call("SET", "shop:2", "x" * 100)
    rows = tenants(admin)
    assert (rows[b"web"]["keys"], rows[b"worker"]["keys"]) == (2, 0), "who has fewer prefixes owns it"
    assert (rows[b"web"]["prefixes"], rows[b"worker"]["prefixes"]) == (1, 1)
    assert (rows[b"web"]["writes"], rows[b"worker"]["writes"]) == (1, 1), "commands are for who ran them"
    prefixes, _ = pages(admin, "TENANTS.PREFIXES", 1000)
    assert {row[b"name"]: (row[b"users"], row[b"owner"]) for row in prefixes if row[b"kind"] == b"prefix"} == {
        b"shop:": (2, b"web"),
        b"jobs:": (1, b"worker"),
    }


def test_get_says_who_else_may_write_there(server, admin):
    for name, rules in {"web": "~shop:* +@all", "worker": "~shop:* ~jobs:* +@all", "reader": "~shop:* +@read", "other": "%R~shop:* +@all", "zingle": "(~shop:* +set)"}.items():
        admin.call("ACL", "SETUSER", name, "on", "nopass", *([rules] if rules.startswith("(") else rules.split()))
    acl_taken_in(admin)
    (shop,) = resp3(admin, "TENANTS.GET", "web")["prefixes"]
    assert (shop["name"], shop["users"], sorted(shop["shared_with"])) == (b"shop:", 5, [b"worker", b"zingle"])
    (jobs,) = resp3(admin, "TENANTS.GET", "worker")["prefixes"]
    assert jobs["name"] == b"jobs:" and "shared_with" not in jobs
    session = server.session("web")
    assert "shared_with" not in str(session.outcome("TENANTS.ME"))


def test_nested_prefixes_count_each_key_once(server, admin):
    user(server, "app1", "~app1:*")
    user(server, "cache", "~app1:cache:*")
    admin.pipeline([("SET", f"app1:{n}", "x") for n in range(5)] + [("SET", f"app1:cache:{n}", "x") for n in range(3)])
    rows = tenants(admin)
    assert (rows[b"app1"]["keys"], rows[b"cache"]["keys"], rows["(orphans)"]["keys"]) == (5, 3, 0)


def test_users_without_prefixes_and_prefixes_without_users_are_shown(server, admin):
    user(server, "watcher", "%R~*", commands=7)
    user(server, "every", "~*")
    admin.pipeline([("SET", f"lost:{n}", "x") for n in range(4)])
    rows = tenants(admin)
    assert (rows[b"watcher"]["keys"], rows[b"watcher"]["prefixes"], rows[b"watcher"]["commands"]) == (0, 0, 7)
    assert rows["(orphans)"]["keys"] == 4 and rows["(orphans)"]["prefixes"] >= 1
    assert rows[b"every"]["keys"] == 0, "a pattern for all keys owns none"


def test_a_renamed_user_is_a_new_tenant_and_the_old_one_stays_as_gone(server, admin):
    user(server, "old", "~app:*", commands=3).call("SET", "app:1", "x")
    admin.call("ACL", "SETUSER", "new", "on", ">secret", "~app:*", "+@all")
    admin.call("ACL", "DELUSER", "old")
    rows = tenants(admin)
    assert (rows[b"old"]["kind"], rows[b"old"]["commands"], rows[b"old"]["keys"]) == (b"gone", 4, 0)
    assert (rows[b"new"]["kind"], rows[b"new"]["keys"]) == (b"tenant", 1)
    assert not rows_that_do_not_add_up(read_info(admin))
    admin.call("ACL", "SETUSER", "old", "on", ">secret", "~app:*", "+@all")
    assert tenants(admin)[b"old"]["kind"] == b"tenant"


def test_a_deleted_user_that_used_nothing_is_not_shown(server, admin):
    admin.call("ACL", "SETUSER", "idle", "on", "~idle:*", "+@all")
    assert b"idle" in tenants(admin)
    admin.call("ACL", "DELUSER", "idle")
    assert b"idle" not in tenants(admin)


def test_a_group_is_one_tenant_with_the_sum_of_its_users_and_prefixes(server, admin):
    for number in range(4):
        user(server, f"web-{number}", f"~web{number}:*", commands=10 * number).call("SET", f"web{number}:k", "x" * 500)
    user(server, "bill", "~bill:*", commands=2).call("SET", "bill:k", "x")
    admin.pipeline([("SET", f"invoices:{n}", "x") for n in range(6)])
    full_pass(admin)
    single = tenants(admin)
    group(admin, "shop=web-1,web-*,~nothing: billing=bill,~invoices:*")
    rows = tenants(admin)
    members = [b"web-%d" % number for number in range(4)]
    assert not set(members) & set(rows) and b"bill" not in rows
    shop, billing = rows[b"shop"], rows[b"billing"]
    assert (shop["kind"], shop["users"], shop["prefixes"]) == (b"group", 4, 4)
    for column in ("keys", "bytes", "bytes_error", "connections", "commands", "reads", "writes"):
        assert shop[column] == sum(single[name][column] for name in members), column
    assert (billing["users"], billing["keys"]) == (1, 7), "what ~invoices:* names is billed to the group"
    assert rows["(orphans)"]["keys"] == 0
    assert not rows_that_do_not_add_up(read_info(admin))
    about = resp3(admin, "TENANTS.GET", "shop")
    assert sorted(user["name"] for user in about["users"]) == members and about["users_total"] == 4
    assert sorted(prefix["name"] for prefix in about["prefixes"]) == [b"web%d:" % number for number in range(4)]
    assert "part of the group shop" in str(admin.outcome("TENANTS.GET", "web-1"))
    users, _ = pages(admin, "TENANTS.USERS", 1000)
    assert {row[b"tenant"] for row in users if row[b"name"].startswith(b"web")} == {b"shop"}
    group(admin, "")
    assert set(members) <= set(tenants(admin)) and b"shop" not in tenants(admin)


def test_a_group_may_have_the_name_of_a_user_who_is_then_in_it(server, admin):
    user(server, "shop", "~shop:*").call("SET", "shop:1", "x")
    user(server, "worker", "~jobs:*").call("SET", "jobs:1", "x")
    group(admin, "shop=worker")
    rows = tenants(admin)
    assert (rows[b"shop"]["kind"], rows[b"shop"]["users"], rows[b"shop"]["keys"]) == (b"group", 2, 2)
    assert len([name for name in rows if name == b"shop"]) == 1 and b"worker" not in rows


def test_every_row_that_list_names_can_be_asked_for(server, admin):
    user(server, "app1", "~app1:*", commands=3).call("SET", "app1:1", "x" * 100)
    user(server, "web", "~web:*", commands=2)
    group(admin, "shop=web,worker")
    admin.pipeline([("SET", f"lost{n}:{n}", "x") for n in range(5)] + [("SET", "none", "x")])
    rows = tenants(admin)
    assert {"(orphans)", "(internal)", "(other)", "(overhead)", b"app1", b"shop", b"default"} == set(rows)
    for name, row in rows.items():
        about = resp3(admin, "TENANTS.GET", name)
        assert (about["name"], about["kind"]) == (row["name"], row["kind"])
        for column in ("keys", "writes", "errors", "connections"):
            assert about.get(column) == row.get(column), (name, column)
        assert about["users_total"] == len(about["users"]) == row["users"] + (name in ("(internal)", "(other)")), name
        assert about["prefixes_total"] == len(about["prefixes"]) == row["prefixes"], name
        assert sum(prefix["keys"] for prefix in about["prefixes"]) == row["keys"], name
    names = {prefix["name"] for prefix in resp3(admin, "TENANTS.GET", "(orphans)")["prefixes"]}
    assert {b"lost%d:" % n for n in range(5)} | {b"(none)"} <= names
    admin.call("ACL", "SETUSER", "(orphans)", "on", "nopass")
    acl_taken_in(admin)
    assert resp3(admin, "TENANTS.GET", "(orphans)")["kind"] == b"tenant", "a user of such a name comes first"


def test_changing_groups_under_traffic_never_shows_a_wrong_sum(shared, seed):
    quick_passes(shared.admin)
    traffic, rng = Traffic(shared, seed), random.Random(seed)
    for _ in range(60):
        traffic.step()
        group(shared.admin, rng.choice(["", "a=app1,~shared:", "a=app* b=reader", "app1=app2,~orphan1: x=app3,~app1:sub:", "a=~*x,default"]))
        problems = rows_that_do_not_add_up(read_info(shared.admin))
        assert not problems, f"seed {seed}: {problems}"


@pytest.fixture
def many(launch):
    """Of so many rows a tally is made every two seconds, not for each question."""
    server = launch()
    quick_passes(server.admin)
    names = [f"user{number}" for number in range(600)]
    server.admin.pipeline([("ACL", "SETUSER", name, "on", "nopass", f"~{name}:*", "+@all") for name in names])
    acl_taken_in(server.admin)
    session = server.session()
    for name in names:
        session.pipeline([("AUTH", name, "x"), ("SET", f"{name}:1", "x"), ("SET", f"{name}:2", "x"), ("GET", f"{name}:1")])
    wait_until(lambda: read_info(server.admin).status["keys"] == 1200 and len(pages(server.admin, "TENANTS.LIST", 1000)[0]) == 605, "a tally of all")
    return server


@pytest.mark.newest_server("the tallies are the same on all")
def test_of_many_tenants_new_groups_hold_all_at_once_with_the_next_tally(many):
    admin, before = many.admin, {}
    for text, groups in [("", {}), ("g=user1*,~user2: h=user2*", {b"g": (111, 224), b"h": (111, 220)}), ("user1=user2*", {b"user1": (112, 224)}), ("", {})]:
        group(admin, text)
        assert admin.call("CONFIG", "GET", "tenants.groups")[1] == text.encode()

        def hold():
            rows, sizes = pages(admin, "TENANTS.LIST", 1000)
            assert len(sizes) == 1 and sum(row[b"keys"] for row in rows) == 1200, "each key counts once"
            found = {row[b"name"]: (row[b"users"], row[b"keys"]) for row in rows if row[b"kind"] == b"group"}
            assert found in (before, groups), "all of the old ones, or all of the new ones"
            users = sum(users for users, _ in found.values())
            assert len(rows) == 605 - users + len(found)
            return found == groups

        wait_until(hold, f"groups {text!r} to hold")
        for name, (_, keys) in groups.items() or [(b"user2", (1, 2))]:
            about = resp3(admin, "TENANTS.GET", name)
            assert about["keys"] == keys == 2 * about["prefixes_total"]
        before = groups


@pytest.mark.newest_server("the tallies are the same on all")
def test_of_many_tenants_one_that_came_since_is_said_to_be_new(many):
    for number in range(5):
        many.admin.call("ACL", "SETUSER", f"new{number}", "on", "nopass", f"~new{number}:*", "+@all")
        acl_taken_in(many.admin)

        def told():
            about = many.admin.outcome("TENANTS.GET", f"new{number}")
            if "no such tenant" in str(about):
                assert "no such tenant yet" in str(about), about
                return False
            return about[:2] == [b"name", b"new%d" % number]

        wait_until(told, "a tally of all")


@pytest.mark.newest_server("the tallies are the same on all")
def test_of_many_tenants_all_counters_are_0_right_after_resetstat(many):
    stored = (b"name", b"kind", b"users", b"prefixes", b"connections", b"connections_peak", b"keys", b"bytes", b"bytes_error")
    wait_until(lambda: read_info(many.admin).status["commands"] >= 2400, "a tally of all commands")
    _, (_, page), info = many.admin.transaction(("TENANTS.RESETSTAT",), ("TENANTS.LIST", "0", "COUNT", 1000), ("INFO", "tenants_status"))
    for row in page:
        row = dict(zip(row[::2], row[1::2]))
        counters = {column: value for column, value in row.items() if column not in stored}
        assert counters and not any(counters.values()), row
        assert row[b"connections_peak"] == row[b"connections"] and row[b"keys"] == 2 * row[b"prefixes"] * (row[b"kind"] == b"tenant"), row
    assert len(page) == 605 and b"tenants_commands:0\r\n" in info
    wait_until(lambda: 0 < read_info(many.admin).status["commands"] < 1000, "a tally of those since")


@pytest.mark.parametrize("loading", ["argument", "conf"])
def test_groups_survive_config_rewrite_and_a_restart(launch, loading):
    text = "shop=web,worker-*,~cart%3A%22 billing=bill,~invoices:*"
    server = launch(loading=loading)
    group(server.admin, text)
    server.admin.call("CONFIG", "REWRITE")
    server.loading = "conf"
    server.restart()
    assert server.admin.call("CONFIG", "GET", "tenants.groups")[1] == text.encode()
    assert {b"shop", b"billing"} <= set(tenants(server.admin))


@pytest.mark.parametrize(
    "text, why",
    [("shop", "has no ="), ("shop=", "no members"), ("=web", "1 to 512"), ("a=x a=y", "twice"), ("a=x b=x", "twice"), ("a=x,", "without a name"), ("a=~", "without a name")]
    + [("a=*", "without a name"), ("a=%4", "%XX"), ("a=%zz", "%XX"), ("a=\u20ac", "ASCII"), ("a=" + "x" * 65536, "65536")],
)
def test_bad_groups_are_refused_with_the_reason_and_nothing_changes(server, text, why):
    group(server.admin, "shop=web")
    reply = str(server.admin.outcome("CONFIG", "SET", "tenants.groups", text))
    assert why in reply, reply
    assert server.admin.call("CONFIG", "GET", "tenants.groups")[1] == b"shop=web"
    assert b"shop" in tenants(server.admin)


def test_get_tells_everything_about_a_tenant(shared):
    session = shared.session("app1")
    session.pipeline([("SET", f"app1:{n}", "x" * 100) for n in range(20)] + [("GET", "app1:1")] * 9)
    quick_passes(shared.admin)
    measured_pass(shared.admin)
    about = resp3(shared.admin, "TENANTS.GET", "app1")
    row = tenants(shared.admin)[b"app1"]
    for column in ("connections", "commands", "reads", "writes", "keys", "bytes", "bytes_error"):
        assert about[column] == row[column], column
    (user,) = about["users"]
    assert user["commands_by_name"] == {"set": 20, "get": 9}
    assert {column: user[column] for column in ("reads", "writes")} == {"reads": 9, "writes": 20}
    (prefix,) = about["prefixes"]
    assert (prefix["name"], prefix["keys"], prefix["users"]) == (b"app1:", 20, 2)
    assert prefix["bytes"] == truth.bytes_by_prefix(shared.admin)[b"app1:"] and prefix["coverage"] == 1


def test_get_tells_a_key_from_a_prefix_of_the_same_name(server, admin):
    user(server, "app1", "~a:*", "~a:")
    admin.pipeline([("SET", key, "x") for key in ("a:", "a:1", "a:2")])
    acl_taken_in(admin)
    full_pass(admin)
    kinds = {prefix["kind"]: (prefix["name"], prefix["keys"]) for prefix in resp3(admin, "TENANTS.GET", "app1")["prefixes"]}
    assert kinds == {b"prefix": (b"a:", 2), b"key": (b"a:", 1)}


# TENANTS.ME


def test_a_tenant_sees_its_own_row_and_nothing_about_others(shared):
    quick_passes(shared.admin)
    for name in ("app2", "app3"):
        session = shared.session(name)
        session.pipeline([("SET", f"{name}:{n}", "x") for n in range(9)])
    shared.admin.call("ACL", "SETUSER", "small", "on", ">secret", "~small:*", "~app2:*", "-@all", "+tenants.me", "+set", "+hello")
    session = shared.session("small")
    session.pipeline([("SET", f"small:{n}", "x" * 100) for n in range(5)])
    full_pass(shared.admin)
    me = resp3(session, "TENANTS.ME")
    assert me["name"] == b"small" and me["commands_by_name"]["set"] == 5 and me["connections"] == 1
    assert [(prefix["name"], prefix["keys"]) for prefix in me["prefixes"]] == [(b"small:", 5)], "app2: is somebody else's"
    assert "users" not in me["prefixes"][0], "how many others may use it is not told"
    session.call("HELLO", 2)
    flat = repr(session.call("TENANTS.ME"))
    assert not any(other in flat for other in ("app1", "app2", "app3", "default", "reader"))
    for command in ["LIST", "USERS", "PREFIXES", "TOP", "BIGKEYS", "STATUS", "RESETSTAT", "HELP"]:
        assert str(session.outcome("TENANTS." + command)).startswith("NOPERM"), command
    assert str(session.outcome("TENANTS.GET", "app1")).startswith("NOPERM")
    assert str(session.outcome("INFO", "tenants")).startswith("NOPERM")


def test_who_may_not_use_dangerous_commands_sees_no_other_tenants(shared):
    shared.admin.call("ACL", "SETUSER", "plain", "on", ">secret", "~plain:*", "+@all", "-@dangerous")
    session = shared.session("plain")
    for command in ["LIST", "USERS", "PREFIXES", "TOP", "BIGKEYS", "STATUS", "RESETSTAT"]:
        assert str(session.outcome("TENANTS." + command)).startswith("NOPERM"), command
    assert str(session.outcome("TENANTS.GET", "app1")).startswith("NOPERM")
    assert session.call("TENANTS.ME") and session.call("TENANTS.HELP")
    shared.admin.call("ACL", "SETUSER", "ops", "on", ">secret", "-@all", "+@tenants")
    assert shared.session("ops").call("TENANTS.LIST")


def test_me_is_of_who_asks_even_right_after_auth_and_inside_a_transaction(shared):
    session = shared.session("app1")
    assert session.call("TENANTS.ME")[1] == b"app1"
    session.call("AUTH", "app2", "secret")
    assert session.call("TENANTS.ME")[1] == b"app2"
    assert session.transaction(("TENANTS.ME",))[0][1] == b"app2"
    assert isinstance(session.outcome("EVAL", "return redis.call('TENANTS.ME')", 0), ResponseError)
    session.call("RESET")
    assert session.call("TENANTS.ME")[1] == b"default"
    assert isinstance(session.outcome("TENANTS.ME", "app1"), ResponseError)


def test_help_names_every_command(server):
    text = b"\n".join(server.admin.call("TENANTS.HELP")).decode()
    commands = server.admin.call("COMMAND", "LIST", "FILTERBY", "MODULE", "tenants")
    assert len(commands) == 11
    for command in commands:
        assert command.decode().removeprefix("tenants.").upper() in text
    assert isinstance(server.admin.outcome("TENANTS.HELP", "x"), ResponseError)


# TENANTS.TOP


def top(session, *words):
    return resp3(session, "TENANTS.TOP", *words)


@pytest.mark.newest_server("it waits for a window to pass, on whatever server")
def test_top_tells_what_was_used_over_the_window_and_forgets_what_came_before(shared):
    app1, app2 = shared.session("app1"), shared.session("app2")
    admin = shared.admin
    quick_passes(admin)
    acl_taken_in(admin)
    top(admin)
    app1.pipeline([("SET", f"app1:{n}", "x") for n in range(300)])
    measured_pass(admin)  # from then on bytes have an error
    settled_info(admin)
    reply = top(admin, "BY", "commands")
    assert reply["by"] == b"commands" and 0 <= reply["seconds"] <= 13
    first = next(row for row in reply["tenants"] if row["name"] == b"app1")
    assert (first["name"], first["writes"], first["keys"], first["keys_change"]) == (b"app1", 300, 300, 300)
    grown = top(admin, "BY", "keys_change")
    assert grown["by"] == b"keys_change"
    assert [(row["name"], row["keys_change"]) for row in grown["tenants"]] == [(b"app1", 300)]
    wait_until(lambda: read_info(admin).users[b"app1"]["bytes_out"] >= 300 * len("+OK\r\n"), "its bytes to be read")
    for recent, window in zip(resp3(admin, "TENANTS.GET", "app1")["recent"], (10, 60, 300), strict=True):
        same = next(row for row in top(admin, "BY", "writes", "OVER", window)["tenants"] if row["name"] == b"app1")
        assert recent.pop("window") == window and 0 <= recent.pop("seconds") <= window * 1.3 * patience()
        assert (recent["writes"], recent["commands"], recent["keys_change"]) == (300, 300, 300)
        assert {**recent, "cpu_usec": same["cpu_usec"]} == {name: same[name] for name in same if name in recent}, "what TOP says; CPU time that is on its way comes in between"
        assert set(same) - set(recent) == {"name", "kind", "users", "prefixes", "connections", "connections_peak", "keys", "bytes", "bytes_error"}, "counters"

    def window_has_passed():
        admin.call("PING")
        return b"app1" not in [row["name"] for row in top(admin, "BY", "writes", "OVER", 10)["tenants"]]

    wait_until(window_has_passed, "ten seconds without a write of app1")
    app2.pipeline([("GET", "app2:k")] * 50)
    short, long = top(admin, "BY", "reads", "OVER", 10), top(admin, "BY", "writes", "OVER", 60)
    assert [row["reads"] for row in short["tenants"] if row["name"] == b"app2"] == [50]
    assert 9.9 <= short["seconds"] <= 13 * patience()
    assert long["tenants"][0]["name"] == b"app1" and long["tenants"][0]["writes"] == 300
    app2.pipeline([("SET", f"app2:{n}", "x") for n in range(3)])
    app1.pipeline([("DEL", f"app1:{n}") for n in range(100)])
    settled_info(admin)
    changed = [(row["name"], row["keys_change"]) for row in top(admin, "BY", "keys_change")["tenants"]]
    assert changed == [(b"app2", 3), (b"app1", -100)], "who shrank comes last, who did not change not at all"
    assert b"app1" in [row["name"] for row in top(admin, "BY", "keys")["tenants"]], "a gauge is as it is now"


@pytest.mark.long
@pytest.mark.newest_server("it waits for a window to pass, on whatever server")
def test_top_does_not_know_how_much_grew_while_bytes_were_not_read(shared):
    app1, admin = shared.session("app1"), shared.admin
    admin.call("CONFIG", "SET", "tenants.bytes-interval", 0)
    unread = time.monotonic()
    app1.call("SET", "app1:big", "x" * 1_000_000)
    wait_until(lambda: time.monotonic() - top(admin, "BY", "commands", "OVER", 10)["seconds"] > unread + 2, "a window that began without bytes")
    admin.call("CONFIG", "SET", "tenants.bytes-interval", 100)
    wait_until(lambda: resp3(admin, "TENANTS.GET", "app1").get("bytes_in", 0) >= 1_000_000, "bytes read again")
    for row in top(admin, "BY", "commands", "OVER", 10, "COUNT", 100)["tenants"] + top(admin, "BY", "bytes_in", "OVER", 10)["tenants"]:
        assert "bytes_in" not in row and "bytes_out" not in row, row


def test_top_is_sorted_and_cut_and_its_sums_are_those_of_info(shared, seed):
    before = read_info(shared.admin)
    resp3(shared.admin, "TENANTS.TOP")
    shared.admin.call("TENANTS.RESETSTAT")
    traffic = Traffic(shared, seed)
    traffic.run(80)
    traffic.settle()
    shared.admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", 0)  # a pass may find other counts, where they are swept
    wait_until(lambda: read_info(shared.admin).status["sweep_state"] == "off", "the passes to be off")
    top = lambda session, *words: resp3(session, "TENANTS.TOP", *words, "OVER", 300)  # noqa: E731
    for column in ("commands", "reads", "writes", "connections", "keys"):
        values = [row[column] for row in top(shared.admin, "BY", column, "COUNT", 100)["tenants"]]
        assert values == sorted(values, reverse=True) and 0 not in values, column
        assert [row[column] for row in top(shared.admin, "BY", column, "COUNT", 2)["tenants"]] == values[:2] or column in ("commands", "reads")
    info = read_info(shared.admin)
    writes = sum(row["writes"] for row in top(shared.admin, "BY", "writes", "COUNT", 100)["tenants"])
    assert writes == total(info.users, "writes"), "since the reset"
    assert before.status["version"] == info.status["version"]


@pytest.mark.redis
@pytest.mark.parametrize("tenant, arguments", [("app1", ()), ("team", ("groups", "team=app1"))], ids=["a user", "a group"])
def test_keys_that_were_there_before_the_module_are_no_growth(launch, tenant, arguments):
    """Which they seem to be as long as they are counted: nobody knows then what has grown."""
    server = launch(loading=None)
    admin = server.admin
    admin.call("ACL", "SETUSER", "app1", "on", ">secret", "~app1:*", "+@all")
    for start in range(0, 60_000, 10_000):
        admin.pipeline([("SET", f"app1:{number}", "x" * 200) for number in range(start, start + 10_000)])
    assert server.load_module("sweep-cpu-percent", 3, "burst-cpu-percent", 0, *arguments) == b"OK"
    check = lambda: tool("-p", server.port, "check", "--growth", "any > 1MB in 5m")  # noqa: E731
    result = check()
    assert result.code == 3 and "growth is not known" in result.out, result.out

    def counted():
        top = resp3(admin, "TENANTS.TOP", "BY", "keys_change", "OVER", 300, "COUNT", 100)
        assert [row for row in top["tenants"] if row.get("keys_change")] == []
        assert all(recent.get("keys_change", 0) == 0 for recent in resp3(admin, "TENANTS.GET", tenant)["recent"])
        return "changes_seconds" in top

    wait_until(counted, "all keys to be counted")
    listed = json.loads(ok("-p", server.port, "list", "--sort", "growth", "-o", "json"))
    assert next(row for row in listed["rows"] if row["name"] == tenant)["bytes_change_5m"] < 1_000_000
    admin.pipeline([("SET", f"app1:new{number}", "x" * 2000) for number in range(1000)])
    wait_until(lambda: check().code == 2, lambda: f"the growth to be seen, {check()}")


def test_top_as_csv_says_what_the_maps_say(server, admin):
    top = lambda *words: resp3(admin, "TENANTS.TOP", "BY", "keys_change", "OVER", 300, "COUNT", 100, *words)["tenants"]  # noqa: E731
    changes = lambda: {row["name"]: row["keys_change"] for row in top() if row.get("keys_change")}  # noqa: E731
    sessions = {name: user(server, name, f"~{name}:*") for name in ("app1", "a,b", 'q"')}
    sessions["app1"].pipeline([("SET", f"app1:{number}", "x") for number in range(30)])
    wait_until(lambda: "changes_seconds" in resp3(admin, "TENANTS.TOP", "OVER", 300), "TOP to know a time before the others")
    for name in ("a,b", 'q"'):
        sessions[name].pipeline([("SET", f"{name}:{number}", "x") for number in range(len(name) * 10)])
    sessions["app1"].pipeline([("DEL", f"app1:{number}") for number in range(25)])
    wait_until(lambda: (changes().get(b"a,b"), changes().get(b'q"')) == (30, 20), lambda: f"TOP to tell of the keys that came, {changes()}")
    settle = {"cpu_usec", "bytes_in", "bytes_out", "commands", "reads", "admin"}  # of this connection, too

    def same():
        maps, text = top(), top("FORMAT", "csv").decode()
        rows = [{name: value if name in ("name", "kind") else int(value) for name, value in row.items() if value != ""} for row in csv.DictReader(io.StringIO(text))]
        plain = [{name: value.decode() if isinstance(value, bytes) else value for name, value in row.items()} for row in maps]
        drop = lambda found: [{name: value for name, value in row.items() if name not in settle} for row in found]  # noqa: E731
        return drop(rows) == drop(plain)

    wait_until(same, "the two to say the same")
    assert top("FORMAT", "MAP")[0]["name"] == b"a,b"


@pytest.mark.parametrize(
    "words, why",
    [(("BY", "nothing"), "invalid column, allowed are"), (("OVER", 5), "10, 60 and 300"), (("OVER",), "no value"), (("FORMAT", "json"), "MAP and CSV"), (("FORMAT",), "no value"), (("COUNT", 0), "1 to 1000")]
    + [(("COUNT", 2**63), "1 to 1000"), (("commands",), "BY, OVER, COUNT and FORMAT"), (("BY", "commands", "LIMIT", 5), "BY, OVER, COUNT and FORMAT"), (("OVER", 2**64 - 1), "10, 60 and 300"), (("OVER", -10), "10, 60 and 300")],
)
def test_top_refuses_what_it_does_not_know(server, words, why):
    assert why in str(server.admin.outcome("TENANTS.TOP", *words))
