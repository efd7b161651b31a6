"""The rights that the documents give to the user of valkey-tenants: each is needed for something, and no other is."""

import re

import pytest
from redis.exceptions import ResponseError

from cluster import Cluster
from conftest import REPOSITORY
from tenants import full_pass, quick_passes
from test_tool import OPERATOR
from tool import tool
from traffic import create_users

pytestmark = pytest.mark.newest_server("the rights are the same for all")

RIGHTS = {"tenants.status", "tenants.list", "tenants.users", "tenants.prefixes", "tenants.get", "tenants.top", "tenants.bigkeys", "info", "cluster|shards"}
EVERYWHERE = {"tenants.status", "info"}
# What each needs, on one server; in a cluster cluster|shards, too.
NEEDS = {
    ("list",): {"tenants.list"},
    ("list", "users"): {"tenants.users"},
    ("list", "prefixes"): {"tenants.prefixes"},
    ("show", "app1"): {"tenants.get"},
    ("top", "-b", "-n", "1", "-d", "0.1"): {"tenants.list"},
    ("check", "--keys", "any > 1000000"): {"tenants.list"},
    ("check", "--cpu", "any > 100%"): {"tenants.list", "tenants.top"},
}


def allow(server, rights):
    server.admin.call("ACL", "SETUSER", "ops", "reset", "on", ">secret", "-@all", *("+" + right for right in sorted(rights)))


@pytest.fixture
def ops(launch, tmp_path):
    """A cluster of one node, and how to ask it as the user ops."""
    server = Cluster(launch, 1).nodes[0]
    create_users(server.admin)
    server.session("app1").pipeline([("SET", f"app1:{number}", "x" * 100) for number in range(50)])
    quick_passes(server.admin)
    full_pass(server.admin)
    (tmp_path / "secret").write_text("secret\n")
    return server, ["-p", server.port, "-t", "60", "--user", "ops", "--password-file", tmp_path / "secret"]


@pytest.mark.parametrize("where", [[], ["-c"]], ids=["server", "cluster"])
def test_a_command_needs_these_rights_and_no_other_and_says_which_it_lacks(ops, where):
    server, login = ops
    for command, rights in NEEDS.items():
        needed = EVERYWHERE | rights | ({"cluster|shards"} if where else set())
        allow(server, needed)
        with_all = tool(*login, *where, *command)
        assert with_all.code == 0, with_all
        for right in needed:
            allow(server, needed - {right})
            result = tool(*login, *where, *command)
            assert result.code not in (0, 1) and f"'{right}'" in (result.out + result.err).replace("%7C", "|"), (right, result)
            assert "secret" not in result.out + result.err


def test_without_bigkeys_no_name_of_a_key_is_shown_and_all_else_is(ops):
    server, login = ops
    allow(server, RIGHTS)
    assert re.search(r"app1%3A\d", tool(*login, "show", "app1").out)
    allow(server, RIGHTS - {"tenants.bigkeys"})
    result = tool(*login, "show", "app1")
    assert result.code == 0 and "app1" in result.out and not re.search(r"app1%3A\d", result.out)


@pytest.mark.every_server
def test_a_scrape_needs_these_rights_and_tells_which_it_lacks(ops, export):
    server, login = ops
    needed = EVERYWHERE | {"tenants.list", "tenants.prefixes"}
    for right in [None, *sorted(needed)]:
        allow(server, needed - {right})
        exporter = export(connection=[*login])
        assert exporter.metrics().one("valkey_tenant_up") == (right is None)
        if right:
            assert f"&#39;{right}&#39;" in exporter.text("/tenants") or f"'{right}'" in exporter.text("/tenants")
            assert f"'{right}'" in exporter.log()
        assert "secret" not in exporter.text("/tenants") + exporter.log() + exporter.metrics().text


HARMLESS = {"tenants.databases", "tenants.me", "tenants.help"}  # nobody needs them here, and they show nothing of others
EVERYBODYS = {"auth", "hello", "reset", "quit"}


def words_of_all(commands):
    """Every command and subcommand with as many words as it wants."""
    for command in commands:
        if command[9]:
            yield from words_of_all(command[9])
        else:
            words = bytes(command[0]).split(b"|")
            yield [*words, *[b"1"] * (abs(command[1]) - len(words))]


def test_the_documents_give_these_rights_and_no_other(ops):
    server, _ = ops
    server.admin.call("ACL", "SETUSER", "ops", "reset", "on", ">secret", *OPERATOR.split())
    commands = list(words_of_all(server.admin.call("COMMAND")))
    replies = server.admin.pipeline(("ACL", "DRYRUN", "ops", *words) for words in commands)
    assert not [reply for reply in replies if isinstance(reply, ResponseError)]
    allowed = {b"|".join(words[:2] if words[0] in (b"cluster", b"acl", b"config", b"client") else words[:1]).decode() for words, reply in zip(commands, replies) if reply == b"OK"}
    assert allowed - EVERYBODYS == RIGHTS | HARMLESS


@pytest.mark.parametrize("path", ["docs/tool.md", "docs/operating.md", "docs/monitoring.md", "deploy/valkey.conf", "docs/valkey-tenants.1.in"])
def test_the_documents_agree_on_the_rights(path):
    text = (REPOSITORY / path).read_text().replace("\\", "")
    assert OPERATOR.removeprefix("-@all ") in text


def test_the_page_of_the_exporter_gives_what_a_scrape_needs():
    rights = re.search(r"ACL SETUSER watcher on >secret -@all ([^`]+)`", (REPOSITORY / "docs/exporter.md").read_text())[1]
    assert {right.lstrip("+") for right in rights.split()} == EVERYWHERE | {"tenants.list", "tenants.prefixes", "cluster|shards"}


@pytest.mark.redis
@pytest.mark.every_server
@pytest.mark.parametrize("rule", ["+@all -@admin", "+@all -@dangerous", "+@read +@write -@tenants +tenants.me +tenants.help"])
def test_who_lacks_the_commands_of_administrators_may_ask_for_itself_only(server, rule):
    server.admin.call("ACL", "SETUSER", "app1", "on", "nopass", "~app1:*", "-@all", *rule.split())
    calls = {"LIST": (), "USERS": (), "PREFIXES": (), "GET": ("app1",), "TOP": (), "BIGKEYS": (), "STATUS": (), "RESETSTAT": (), "ME": (), "HELP": ()}
    allowed = {name for name, words in calls.items() if server.admin.outcome("ACL", "DRYRUN", "app1", f"TENANTS.{name}", *words) == b"OK"}
    assert allowed == {"ME", "HELP"}


@pytest.fixture
def lacking(launch, module):
    """A server without the module, and the words that load it there as if the server lacked something (tests/modules/lacking.cc)."""
    server = launch(loading=None)
    return server, lambda *what: ("MODULE", "LOAD", module.with_name("lacking.so"), module, *what)


@pytest.mark.redis
@pytest.mark.every_server
def test_who_may_ask_for_itself_only_stays_so_where_a_module_can_add_no_category(lacking):
    """As on Redis 7.2, where it could call them all once: a category that the server does not know, and a command got none."""
    server, load = lacking
    assert server.admin.call(*load("without:AddACLCategory")) == b"OK"
    assert isinstance(server.admin.outcome("ACL", "CAT", "tenants"), ResponseError)
    commands = {bytes(about[0]): set(about[6]) for about in server.admin.call("COMMAND") if about[0].startswith(b"tenants.")}
    assert len(commands) == 11
    assert {name for name, categories in commands.items() if not {b"@admin", b"@dangerous"} <= categories} == {b"tenants.me", b"tenants.help"}
    for rule in ("-@admin", "-@dangerous", "-@admin -@dangerous"):
        server.admin.call("ACL", "SETUSER", "app1", "reset", "on", ">secret", "~app1:*", "+@all", *rule.split())
        session = server.session("app1")
        refused = {name for name in commands if "no permissions" in str(session.outcome(name, *[b"app1"] * (name == b"tenants.get")))}
        assert refused == commands.keys() - {b"tenants.me", b"tenants.help"}


@pytest.mark.redis
@pytest.mark.every_server
def test_where_its_commands_can_be_given_no_category_the_module_is_not_loaded_and_the_log_says_why(lacking):
    server, load = lacking
    assert isinstance(server.admin.outcome(*load("failing:SetCommandACLCategories")), ResponseError)
    assert "tenants: not loaded: the server refused the ACL categories of the commands" in server.log()
    assert b"tenants" not in {about[1] for about in server.admin.call("MODULE", "LIST")} and isinstance(server.admin.outcome("TENANTS.LIST"), ResponseError)
    assert server.admin.call(*load()) == b"OK"
