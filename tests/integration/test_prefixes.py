"""Which prefix a key belongs to, and who owns it."""

import collections
import itertools
import random
import re

import pytest

import truth
from checks import wrong_keys
from info import keys_by_prefix, read_info, rows_that_do_not_add_up
from tenants import acl_taken_in, full_pass, pages, quick_passes, settled_info
from waiting import wait_until


@pytest.fixture
def admin(server):
    quick_passes(server.admin)
    return server.admin


def create(session, *keys):
    for key in keys:
        session.call("SET", key, "x")


def user(session, name, *rules):
    session.call("ACL", "SETUSER", name, "on", "nopass", *rules)


def owners(info):
    return {prefix: row.get("owner") for prefix, row in info.prefixes.items() if row["keys"]}


# ACL rules of the users, keys, and what is expected: {prefix: (owner, keys)}.
RULES = {
    "a_prefix": ({"app1": "~app1:* +@all"}, ["app1:a", "app1:b:c", "app2:a"], {b"app1:": (b"app1", 2), b"app2:": (None, 1)}),
    "several_patterns": ({"app1": "~a:* ~b:* +@all"}, ["a:1", "b:1", "b:2"], {b"a:": (b"app1", 1), b"b:": (b"app1", 2)}),
    "the_longest_match": (
        {"app1": "~app1:* +@all", "app2": "~app1:sub:* +@all", "app3": "~app1:sub:deep:* +@all"},
        ["app1:a", "app1:sub:a", "app1:sub:b", "app1:sub:deep:a", "app1:subway"],
        {b"app1:": (b"app1", 2), b"app1:sub:": (b"app2", 2), b"app1:sub:deep:": (b"app3", 1)},
    ),
    "the_writer_owns_not_the_reader": (
        {"aaa": "%R~data:* +@all", "writer": "%W~data:* +@all", "zzz": "%R~* +@all"},
        ["data:1", "data:2"],
        {b"data:": (b"writer", 2)},
    ),
    "read_and_write": ({"app1": "%RW~rw:* +@all"}, ["rw:1"], {b"rw:": (b"app1", 1)}),
    "a_selector_that_reads_owns_nothing": ({"app1": "~app1:* +@all (~sel:* +get)"}, ["sel:1", "app1:1"], {b"sel:": (None, 1), b"app1:": (b"app1", 1)}),
    "a_selector_that_writes_owns": ({"app1": "~app1:* +@read (~sel:* +lpop) (~own:* +@all)"}, ["sel:1", "app1:1", "own:1"], {b"sel:": (b"app1", 1), b"app1:": (None, 1), b"own:": (b"app1", 1)}),
    "whose_commands_only_read_owns_nothing": ({"analytics": "~shop:* +@read +ping", "shop": "~shop:* +@all"}, ["shop:1"], {b"shop:": (b"shop", 1)}),
    "nobody_writes": ({"analytics": "~shop:* +@read +ping", "idle": "~shop:*"}, ["shop:1"], {b"shop:": (None, 1)}),
    "one_command_that_writes_is_enough": ({"aaa": "~q:* +@read", "bbb": "~q:* +brpop", "ccc": "~r:* -@all +xack +ping"}, ["q:1", "r:1"], {b"q:": (b"bbb", 1), b"r:": (b"ccc", 1)}),
    "most_commands_but_not_the_dangerous": ({"app1": "~app1:* ~b?:* +@all -@dangerous -set"}, ["app1:1", "bx:1"], {b"app1:": (b"app1", 1), b"b?:*": (b"app1", 1)}),
    "a_subcommand_is_enough": ({"app1": "~s:* -@all +xgroup|create +ping", "app2": "~b:* -@all +bitop|and", "app3": "~x:* -@all +config|get"}, ["s:1", "b:1", "x:1"], {b"s:": (b"app1", 1), b"b:": (b"app2", 1), b"x:": (None, 1)}),
    "commands_that_wait_write": ({"worker": "~queue:* -@all +@blocking +@connection"}, ["queue:1"], {b"queue:": (b"worker", 1)}),
    "a_selector_beside_many_patterns": (
        {"many": f"{' '.join(f'~a{number}:*' for number in range(20))} +@all (~invoices:* +get)", "bill": f"~invoices:* {' '.join(f'~b{number}:*' for number in range(30))} +@all"},
        ["invoices:1", "a19:1"],
        {b"invoices:": (b"bill", 1), b"a19:": (b"many", 1)},
    ),
    "a_selector_reads_what_all_else_may_write": ({"app1": "~a:* +@all (~a:b:* +get)"}, ["a:b:1", "a:1"], {b"a:b:": (b"app1", 1), b"a:": (b"app1", 1)}),
    "a_class_that_matches_nothing": ({"app1": "~[]:* ~real:* +@all -@dangerous"}, ["real:1", "]:1"], {b"real:": (b"app1", 1), b"]:": (None, 1)}),
    "a_class_that_ends_with_a_dash_goes_on": ({"app1": "~[a-z_-]*:x:* ~cls:* +@all -@dangerous"}, ["cls:1", "_", "_:x:1"], {b"cls:": (b"app1", 1), b"[a-z_-]*:x:*": (b"app1", 1), b"_:": (None, 1)}),
    "a_class_in_the_pattern": ({"app1": "~[^ab]x* ~c[a-c]:* +@write"}, ["ca:1", "cd:1"], {b"c[a-c]:*": (b"app1", 1), b"cd:": (None, 1)}),
    "a_hash_tag": ({"app1": "~{app1}:* +@all"}, ["{app1}:1", "{app1}:2:3", "{app2}:1"], {b"{app1}:": (b"app1", 2), b"{app2}:": (None, 1)}),
    "all_keys_own_nothing": ({"app1": "~* +@all", "app2": "allkeys +@all"}, ["foo:1", "bar"], {b"foo:": (None, 1), "(none)": (None, 1)}),
    "an_exact_key": ({"app1": "~counter +@all"}, ["counter", "other"], {b"counter": (b"app1", 1), "(none)": (None, 1)}),
    "no_separator_in_the_head": ({"app1": "~app1* +@all"}, ["app1:a", "app1_b", "app12", "app2"], {b"app1": (b"app1", 3), "(none)": (None, 1)}),
    "escaped_wildcards": ({"app1": r"~a\*b:* +@all"}, ["a*b:1", "axb:1"], {b"a*b:": (b"app1", 1), b"axb:": (None, 1)}),
    "a_wildcard_in_the_middle": ({"app1": "~app1:*:cache +@all"}, ["app1:x:cache", "app1:y"], {b"app1:*:cache": (b"app1", 1), b"app1:": (None, 1)}),
    "a_question_mark_and_a_class": ({"a": "~q:?x +@all", "b": "~c:[ab]x +@all"}, ["q:1x", "q:1y", "c:ax"], {b"q:?x": (b"a", 1), b"q:": (None, 1), b"c:[ab]x": (b"b", 1)}),
    "the_whole_pattern": ({"cache": "~t:*:cache:* +@all", "queue": "~t:*:queue:* +@all"}, ["t:1:cache:a", "t:1:queue:a", "t:2:cache:b", "t:1:other"], {b"t:*:cache:*": (b"cache", 2), b"t:*:queue:*": (b"queue", 1), b"t:": (None, 1)}),
    "the_longest_head_then_the_longest_pattern": ({"a": "~t:*:cache:* +@all", "b": "~t:1:* +@all", "c": "~t:*:cache:hot:* +@all", "d": "~t:* +@all"}, ["t:1:cache:a", "t:2:cache:a", "t:2:cache:hot:a", "t:2:a"], {b"t:1:": (b"b", 1), b"t:*:cache:*": (b"a", 1), b"t:*:cache:hot:*": (b"c", 1), b"t:": (b"d", 1)}),
    "a_pattern_without_a_head": ({"celery": "~celery* ~*.reply.celery.* ~_kombu.binding.* +@all"}, ["h1.reply.celery.pidbox", "_kombu.binding.celery", "celery", "h1.reply"], {b"*.reply.celery.*": (b"celery", 1), b"_kombu.binding.": (b"celery", 1), b"celery": (b"celery", 1), "(none)": (None, 1)}),
    "a_star_that_is_meant_as_it_is": ({"app1": r"~a:?\** +@all"}, ["a:x*1", "a:xx1"], {rb"a:?\**": (b"app1", 1), b"a:": (None, 1)}),
    "a_user_that_is_off_still_owns": ({"app1": "off ~app1:* +@all"}, ["app1:1"], {b"app1:": (b"app1", 1)}),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_rules(server, admin, rule):
    users, keys, expected = RULES[rule]
    for name, rules in users.items():
        user(admin, name, *rules.split())
    create(admin, *keys)
    info = settled_info(admin)
    found = {prefix: (row.get("owner"), row["keys"]) for prefix, row in {**info.prefixes, **info.keys, **info.patterns}.items() if row["keys"]}
    assert found == expected
    assert not rows_that_do_not_add_up(info)
    assert not wrong_keys(server), "prefix: (module, SCAN)"


COMMANDS = ["+@all", "+@all", "+@all -@dangerous", "+@all -set -del", "+@read", "+@read +ping", "+@write", "+@write -@all", "+lpop", "+get +expire", "+@hash -hset", "+@string", "+@list -rpush", "+@all -@write", "+@connection", ""]


def random_rules(rng):
    patterns = [f"{rng.choice(['~', '~', '~', '%R~', '%W~'])}p{rng.randrange(6)}:{rng.choice(['*', '*', '*:x', '[a-c]*'])}" for _ in range(rng.randrange(1, 4))]
    selectors = [f"({rng.choice(['~', '%R~', '%W~'])}p{rng.randrange(6)}:{rng.choice(['*', 's:*'])} {rng.choice(COMMANDS)})" for _ in range(rng.choice([0, 0, 0, 1, 2]))]
    return ["reset", rng.choice(["on", "on", "off"]), *patterns, *rng.choice(COMMANDS).split(), *selectors]


def writes(session, key):
    """Every command that, with these words, writes this key, as the server says."""
    commands = [[command[0], *[key] * max(abs(command[1]) - 1, 1)] for command in session.call("COMMAND") if b"write" in {bytes(flag) for flag in command[2]}]
    found = zip(commands, session.pipeline([("COMMAND", "GETKEYSANDFLAGS", *words) for words in commands]))
    return [words for words, keys in found if isinstance(keys, list) and any(each[0] == key.encode() and {b"update", b"insert", b"delete"} & {bytes(flag) for flag in each[1]} for each in keys)]


def may_write(session, name, key):
    return any(reply == b"OK" for reply in session.pipeline([("ACL", "DRYRUN", name, *words) for words in writes(session, key)]))


def test_owners_are_those_of_whom_the_server_says_that_they_may_write(admin, seed):
    rng = random.Random(seed)
    for round in range(6):
        users, names = {}, [f"user{number}" for number in range(rng.randrange(1, 8))]
        for name in names:
            users[name] = random_rules(rng)
            admin.call("ACL", "SETUSER", name, *users[name])
        writers = {}
        for name in names:
            about = truth.pairs(admin.call("ACL", "GETUSER", name))  # where what one pattern says twice is one
            patterns = b" ".join([about[b"keys"], *(truth.pairs(selector)[b"keys"] for selector in about[b"selectors"])]).decode().split()
            for pattern in patterns:
                glob = pattern[pattern.index("~") + 1 :]
                if not pattern.startswith("%R") and may_write(admin, name, glob.replace("[a-c]", "a").replace("*", "")):
                    head = re.sub(r"^(p\d:(?:s:)?)\*$", r"\1", glob).encode()
                    writers.setdefault(head, set()).add(("off" in users[name], len(patterns), name.encode()))
        acl_taken_in(admin)
        info = read_info(admin)
        found = {name: row["owner"] for name, row in [*info.prefixes.items(), *info.patterns.items()] if isinstance(name, bytes) and "owner" in row}
        assert found == {head: min(those)[2] for head, those in writers.items()}, f"seed {seed}, round {round}: {users}"
        admin.call("ACL", "DELUSER", *names)


# Words by which commands write the key K that need more than keys.
EXAMPLES = {
    "bitfield": "K SET u8 0 1", "bitop": "AND K K", "blmpop": "1 1 K LEFT", "bzmpop": "1 1 K MIN", "georadius": "K 1 1 1 m STORE K", "georadiusbymember": "K x 1 m STORE K",
    "lmpop": "1 K LEFT", "migrate": "host 1 K 0 1", "msetex": "1 K x", "pfmerge": "K K", "sort": "K STORE K", "xreadgroup": "GROUP g c STREAMS K >", "zdiffstore": "K 1 K", "zinterstore": "K 1 K",
    "zmpop": "1 K MIN", "zunionstore": "K 1 K",
}  # fmt: skip
ACCESS = ["~", "%W~", "%RW~"]


def example(command, key):
    name = bytes(command[0]).decode()
    words = name.split("|")
    return words + (EXAMPLES[name].replace("K", key).split() if name in EXAMPLES else [key] * (abs(command[1]) - len(words)))


def test_who_may_run_one_command_owns_what_the_server_lets_it_write(admin):
    commands = [command for container in admin.call("COMMAND") for command in [container, *container[9]] if b"write" in {bytes(flag) for flag in command[2]}]
    expected = {}
    for number, command in enumerate(commands):
        for access in ACCESS:
            name = bytes(command[0]).decode()
            user_name = f"{access.strip('%~')}{number}"
            words = example(command, f"k{user_name}:a")
            user(admin, user_name, f"{access}k{user_name}:*", "-@all", f"+{name}")
            keys = admin.outcome("COMMAND", "GETKEYSANDFLAGS", *words)
            flags = {bytes(flag) for _, flags in keys for flag in flags} if isinstance(keys, list) else set()
            writes_it = bool({b"update", b"insert", b"delete"} & flags) or not flags and name in EXAMPLES  # the server does not tell of all
            expected[user_name] = writes_it and admin.call("ACL", "DRYRUN", user_name, *words) == b"OK", f"{access} {name}"
    assert len(expected) > 300 and sum(writes_it for writes_it, _ in expected.values()) > 150
    assert_owners(admin, expected)


def test_who_may_run_a_category_or_all_but_one_owns_what_the_server_lets_it_write(admin):
    expected = {}
    for category in map(bytes.decode, admin.call("ACL", "CAT")):
        for access, sign in itertools.product(ACCESS, "+-"):
            user_name = f"{access.strip('%~')}{sign}{category}"
            rules = ["-@all"] if sign == "+" else ["+@all"]
            user(admin, user_name, f"{access}k{user_name}:*", *rules, f"{sign}@{category}")
            expected[user_name] = may_write(admin, user_name, f"k{user_name}:a"), f"{access} {sign}{category}"
    assert {writes_it for writes_it, _ in expected.values()} == {True, False}
    assert_owners(admin, expected)


def assert_owners(admin, expected):
    admin.call("CONFIG", "SET", "tenants.info-rows", 10000)
    prefixes = acl_taken_in(admin).prefixes
    wrong = {about: writes_it for name, (writes_it, about) in expected.items() if (prefixes.get(f"k{name}:".encode(), {}).get("owner") == name.encode()) != writes_it}
    assert not wrong, "rules: what the server says"


def test_patterns_with_one_head_that_are_too_many_wait_until_others_go(admin):
    names = [f"w{number}" for number in range(70)]
    for name in names:
        user(admin, name, f"~*:{name}", "+@all")
    admin.pipeline([("SET", f"k:{name}", "x") for name in names])
    info = settled_info(admin)
    assert (sum(row["keys"] for row in info.patterns.values()), info.status["orphan_keys"]) == (64, 6)
    gone = [row["owner"] for row in info.patterns.values()][:10]
    admin.call("ACL", "DELUSER", *gone)

    def all_have_theirs():
        info = settled_info(admin)
        return {row["owner"] for row in info.patterns.values() if row["keys"]} == {name.encode() for name in names} - set(gone) and info.status["orphan_keys"] == 10

    wait_until(all_have_theirs, lambda: f"the patterns that waited: {read_info(admin).patterns}")
    assert not rows_that_do_not_add_up(read_info(admin))


def random_glob(rng):
    literal = lambda: "".join(rng.choices("abt:.", k=rng.randrange(4)))
    return literal() + "".join(rng.choice(["*", "*", "?", "[ab]", "[^a-b]", "**", r"\*", ""]) + literal() for _ in range(rng.randrange(4)))


def rank(glob):
    """The longest head first, the key itself before others, then the longest pattern, a head and a star last."""
    literal = truth.LITERAL.match(glob.encode())
    rest, name = glob[literal.end() :], re.sub(r"(?<!\\)\*+$", "*", glob)
    return -len(truth.literal_head(glob.encode())), rest != "", rest.strip("*") == "", -len(name), name


def test_a_key_belongs_to_the_best_pattern_of_which_the_server_says_that_it_matches(admin, seed):
    """Each user has one pattern, so that ACL DRYRUN says what that one matches."""
    rng = random.Random(seed)
    keys = {"".join(rng.choices("abt:.*", k=rng.randrange(1, 9))) for _ in range(150)}
    admin.pipeline([("SET", key, "x") for key in keys])
    for round in range(4):
        globs = [glob for glob in {random_glob(rng) for _ in range(12)} if glob.strip("*")]
        for number, glob in enumerate(globs):
            user(admin, f"u{number}", f"~{glob}", "+@all")
        expected, orphans = {}, 0
        for key in keys:
            best = [(*rank(glob), number) for number, glob in enumerate(globs) if admin.call("ACL", "DRYRUN", f"u{number}", "SET", key, "x") == b"OK"]
            if best:
                owner = f"u{min(best)[-1]}".encode()
                expected[owner] = expected.get(owner, 0) + 1
            else:
                orphans += 1
        info = settled_info(admin)
        found = {name: row["keys"] for name, row in info.tenants.items() if row["keys"]}
        assert found.pop("(orphans)", 0) == orphans, f"seed {seed}, round {round}: {globs}"
        assert found == expected, f"seed {seed}, round {round}: {globs}"
        assert keys_by_prefix(info) == truth.keys_by_prefix(admin), f"seed {seed}, round {round}: {globs}"
        assert not rows_that_do_not_add_up(info)
        admin.call("ACL", "DELUSER", *[f"u{number}" for number in range(len(globs))])


def need_users_limited_to_databases(admin):
    if admin.outcome("ACL", "SETUSER", "probe", "db=0") != b"OK":
        pytest.skip("servers before 9.1 limit no user to databases")


def rank_in_databases(glob, databases):
    """As above; of those with the same head one that holds in some databases only before others, but for the key itself."""
    head, has_rest, is_below, longest, name = rank(glob)
    limited = "db=" + ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs(databases)) + " ~" + name if databases else name
    kind = 0 if not has_rest and not databases else 1 if databases else 3 if is_below else 2
    return head, kind, longest, len(limited), limited


def runs(numbers):
    """[0, 1, 2, 7] → [0, 1, 2], [7]"""
    return [[number for _, number in run] for _, run in itertools.groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0])]


@pytest.mark.parametrize("keys_first", [False, True], ids=["keys_after_the_rules", "keys_before_the_rules"])
def test_a_pattern_that_holds_in_some_databases_has_keys_of_these_only(admin, seed, keys_first):
    """Each user has one pattern and its databases; ACL DRYRUN speaks of the database that is selected."""
    need_users_limited_to_databases(admin)
    rng = random.Random(seed)
    keys = {db: {"".join(rng.choices("abt:.*", k=rng.randrange(1, 9))) for _ in range(40)} for db in range(4)}

    def in_each_database(commands):
        for db in range(4):
            admin.call("SELECT", db)
            yield db, admin.pipeline(commands(db))
        admin.call("SELECT", 0)

    def write():
        list(in_each_database(lambda db: [("SET", key, "x") for key in keys[db]]))

    if keys_first:
        write()
    for round in range(3):
        rules = {}  # {(pattern, databases): user}
        for _ in range(12):
            glob, databases = random_glob(rng), tuple(sorted(rng.sample(range(4), rng.choice([0, 0, 1, 1, 2, 4]))))
            if glob.strip("*") or databases:
                rules.setdefault((re.sub(r"(?<!\\)\*+$", "*", glob), databases), f"u{len(rules)}")
        for (glob, databases), name in rules.items():
            user(admin, name, f"~{glob}", "+@all", *(["db=" + ",".join(map(str, databases))] if databases else []))
        if round == 0 and not keys_first:
            write()
        if round == 2:
            admin.call("SWAPDB", 1, 3)
            keys[1], keys[3] = keys[3], keys[1]
        best = {(db, key): [] for db, names in keys.items() for key in names}
        for (glob, databases), name in rules.items():
            for db, replies in in_each_database(lambda db: [("ACL", "DRYRUN", name, "SET", key, "x") for key in keys[db]]):
                for key, reply in zip(keys[db], replies):
                    if reply == b"OK":
                        best[db, key].append((rank_in_databases(glob, databases), name))
        expected = collections.Counter(min(ranked)[1].encode() if ranked else "(orphans)" for ranked in best.values())
        info = settled_info(admin)
        assert {name: row["keys"] for name, row in info.tenants.items() if row["keys"]} == expected, f"seed {seed}, round {round}: {rules}"
        assert not rows_that_do_not_add_up(info)
        admin.call("ACL", "DELUSER", *rules.values())


def test_a_pattern_of_some_databases_is_shown_by_its_plain_name_where_that_is_its_own(admin):
    need_users_limited_to_databases(admin)
    user(admin, "app1", "~app1:*", "~app1:lock", "~a?b", "+@all", "db=0")
    create(admin, "app1:1", "app1:2", "app1:lock", "axb")
    admin.pipeline([("SELECT", 1), ("SET", "app1:stray", "x"), ("SELECT", 0)])
    info = settled_info(admin)
    assert {name: (row["owner"], row["keys"]) for rows in (info.prefixes, info.keys, info.patterns) for name, row in rows.items() if row["keys"]} == {
        b"app1:": (b"app1", 2),
        b"app1:lock": (b"app1", 1),
        b"a?b": (b"app1", 1),
    }
    assert info.elsewhere[b"app1:"]["keys"] == 1 and "owner" not in info.elsewhere[b"app1:"]
    rows = {(row[b"name"], row[b"kind"]) for row in pages(admin, "TENANTS.PREFIXES", 100)[0]}
    assert {(b"app1:", b"prefix"), (b"app1:", b"elsewhere"), (b"app1:lock", b"key"), (b"a?b", b"pattern")} <= rows
    full_pass(admin)
    assert {truth.pairs(row)[b"key"] for row in admin.call("TENANTS.BIGKEYS", "app1:")} == {b"app1:1", b"app1:2", b"app1:stray"}
    user(admin, "app2", "~app1:*", "+@all", "db=1")
    info = settled_info(admin)
    assert {name: (row["owner"], row["keys"]) for name, row in info.patterns.items()} == {b"db=0 ~app1:*": (b"app1", 2), b"db=1 ~app1:*": (b"app2", 1), b"a?b": (b"app1", 1)}
    admin.call("ACL", "DELUSER", "app1")
    info = settled_info(admin)
    assert info.prefixes[b"app1:"]["owner"] == b"app2" and (info.prefixes[b"app1:"]["keys"], info.elsewhere[b"app1:"]["keys"]) == (1, 3)
    assert not rows_that_do_not_add_up(info)


def test_who_is_limited_to_a_database_and_has_all_keys_owns_what_lies_there(server, admin):
    need_users_limited_to_databases(admin)
    for number in range(3, 16):
        user(admin, f"app{number}", "~*", "+@all", f"db={number}")
    user(admin, "both", "(~x:* db=1,2 +@all)")
    for number in range(16):
        session = server.session(f"app{number}", "any") if number > 2 else admin
        session.call("SELECT", number)
        create(session, *[f"k{key}" for key in range(number)], "x:1")
    admin.call("SELECT", 0)
    info = settled_info(admin)
    assert {name: row["keys"] for name, row in info.tenants.items() if row["keys"]} == {"(orphans)": 4, b"both": 2, **{f"app{number}".encode(): number + 1 for number in range(3, 16)}}
    row = info.patterns[b"db=5 ~*"]
    assert row["owner"] == b"app5" and row["keys"] == 6
    full_pass(admin)
    keys = [truth.pairs(key) for key in admin.call("TENANTS.BIGKEYS", "db=5 ~*")]
    assert {key[b"db"] for key in keys} == {5} and len(keys) == 6
    (prefix,) = truth.pairs(admin.call("TENANTS.GET", "app5"))[b"prefixes"]
    prefix = truth.pairs(prefix)
    assert (prefix[b"name"], prefix[b"kind"], prefix[b"keys"]) == (b"db=5 ~*", b"pattern", 6) and prefix[b"bytes"] == sum(key[b"bytes"] for key in keys)


def test_a_prefix_and_a_key_of_the_same_name_have_lines_of_their_own(admin):
    user(admin, "app1", "~a:*", "~a:", "+@all")
    create(admin, "a:", "a:1", "a:2")
    info = settled_info(admin)
    assert (info.prefixes[b"a:"]["keys"], info.keys[b"a:"]["keys"]) == (2, 1)
    assert not rows_that_do_not_add_up(info)


@pytest.mark.parametrize("keys_first", [False, True], ids=["keys_after_the_rule", "keys_before_the_rule"])
def test_a_shared_prefix_is_counted_once_and_has_one_owner(server, admin, keys_first):
    if keys_first:
        create(admin, "shared:1", "shared:2")
    user(admin, "app1", "~shared:*", "+@all")
    user(admin, "app2", "~shared:*", "+@all")
    if not keys_first:
        create(admin, "shared:1", "shared:2")
    info = settled_info(admin)
    assert keys_by_prefix(info) == {b"shared:": 2}
    owner = owners(info)[b"shared:"]
    assert owner in (b"app1", b"app2")
    assert {name: row["keys"] for name, row in info.tenants.items() if row["keys"]} == {owner: 2}


def test_acl_changes_take_effect_without_a_restart(server, admin):
    create(admin, "app1:1", "app1:sub:1", "app1:sub:2", "new:1")
    assert owners(settled_info(admin)) == {b"app1:": None, b"new:": None}
    user(admin, "app1", "~app1:*", "+@all")
    assert owners(settled_info(admin)) == {b"app1:": b"app1", b"new:": None}
    user(admin, "app2", "~app1:sub:*", "+@all")
    info = settled_info(admin)
    assert keys_by_prefix(info) == {b"app1:": 1, b"app1:sub:": 2, b"new:": 1}
    assert owners(info) == {b"app1:": b"app1", b"app1:sub:": b"app2", b"new:": None}
    user(admin, "app1", "resetkeys", "~new:*")
    assert owners(settled_info(admin)) == {b"app1:": None, b"app1:sub:": b"app2", b"new:": b"app1"}
    admin.call("ACL", "DELUSER", "app1", "app2")
    info = settled_info(admin)
    assert keys_by_prefix(info) == {b"app1:": 3, b"new:": 1}
    assert owners(info) == {b"app1:": None, b"new:": None}
    assert info.status["orphan_keys"] == 4


def test_acl_changes_inside_transactions_and_scripts_of_names_take_effect(server, admin):
    create(admin, "app1:1", "app2:1")
    admin.transaction(("ACL", "SETUSER", "app1", "~app1:*", "+@all"), ("acl", "setuser", "app2", "~app2:*", "+@all"))
    assert owners(settled_info(admin)) == {b"app1:": b"app1", b"app2:": b"app2"}
    admin.transaction(("ACL", "DELUSER", "app1"))
    assert owners(settled_info(admin)) == {b"app1:": None, b"app2:": b"app2"}


def name_prefixes(session, text):
    session.call("CONFIG", "SET", "tenants.prefixes", text)


def test_a_named_prefix_has_a_row_and_is_billed_to_whom_covers_it(server, admin):
    user(admin, "app1", "~user:*", "+@all")
    user(admin, "cache", "~user:*:tmp", "+@all")
    create(admin, "user:profile:1", "user:profile:2", "user:session:1", "user:1", "user:profile:1:tmp", "lost:a:1", "lost:b:1")
    name_prefixes(admin, "user:profile: user:session:* lost:a:")
    info = settled_info(admin)
    assert {prefix: (row.get("owner"), row["keys"]) for prefix, row in {**info.prefixes, **info.patterns}.items() if row["keys"]} == {
        b"user:profile:": (b"app1", 2), b"user:session:": (b"app1", 1), b"user:": (b"app1", 1), b"user:*:tmp": (b"cache", 1), b"lost:a:": (None, 1), b"lost:": (None, 1),
    }  # fmt: skip
    assert (info.tenants[b"app1"]["keys"], info.tenants[b"cache"]["keys"], info.tenants["(orphans)"]["keys"]) == (4, 1, 2), "billing is as without them"
    assert not rows_that_do_not_add_up(info)
    user(admin, "app2", "~user:profile:*", "+@all")
    user(admin, "app3", "~lost:*", "+@all")
    info = settled_info(admin)
    assert (info.prefixes[b"user:profile:"]["owner"], info.prefixes[b"lost:a:"]["owner"]) == (b"app2", b"app3")
    admin.call("ACL", "DELUSER", "app2")
    assert settled_info(admin).prefixes[b"user:profile:"]["owner"] == b"app1"
    name_prefixes(admin, "")
    assert keys_by_prefix(settled_info(admin)) == {b"user:": 4, b"user:*:tmp": 1, b"lost:": 2}


def test_named_prefixes_may_change_at_any_time(server, admin, seed):
    rng = random.Random(seed)
    for round in range(12):
        words = sorted({rng.choice(["p1:a", "p1:", "p2:", "p2:a:", "p3", "q:", "p1:a:b"]) for _ in range(rng.randrange(4))})
        if rng.random() < 0.7:
            user(admin, f"app{rng.randrange(3)}", "resetkeys", *{rng.choice(["~p1:*", "~p1:a:*", "~p2:*:a", "~p*", "~p1:a", "~p2:a:*"]) for _ in range(2)}, "+@all")
        for _ in range(3):
            create(admin, *[f"{rng.choice(['p1', 'p2', 'p3', 'q'])}:{rng.choice('ab')}:{rng.choice('ab')}{rng.randrange(20)}" for _ in range(20)])
            name_prefixes(admin, " ".join(words))
        info = settled_info(admin)
        assert keys_by_prefix(info) == truth.keys_by_prefix(admin, named=[word.encode() for word in words]), f"seed {seed}, round {round}: {words}"
        assert not rows_that_do_not_add_up(info), f"seed {seed}, round {round}"
        assert info.status["drift"] == 0


def test_named_prefixes_are_refused_with_a_reason_and_survive_a_restart(launch):
    server = launch(loading="conf")
    for text, why in {"~user:*": "without ~", "a:*:b": "at the end", "a: a:*": "twice", "*": "1 to 256 bytes", "a%2": "two digits", "x" * 300: "1 to 256 bytes"}.items():
        assert why in str(server.admin.outcome("CONFIG", "SET", "tenants.prefixes", text)), text
    name_prefixes(server.admin, "user:profile: a%20b:")
    server.admin.call("CONFIG", "REWRITE")
    server.restart()
    quick_passes(server.admin)
    create(server.admin, "user:profile:1", "user:1", "a b:1")
    assert server.admin.call("CONFIG", "GET", "tenants.prefixes")[1] == b"user:profile: a%20b:"
    assert keys_by_prefix(settled_info(server.admin)) == {b"user:profile:": 1, b"user:": 1, b"a b:": 1}


def test_a_separator_in_front_of_a_key_ends_nothing(launch):
    server = launch(module_arguments=["separators", "/:"])
    quick_passes(server.admin)
    create(server.admin, "/telescope/1", "/telescope/2/x", "/other:1", "/plain", "//a/b", "/", ":", "a/b")
    assert keys_by_prefix(settled_info(server.admin)) == {b"/telescope/": 2, b"/other:": 1, b"//": 1, b"a/": 1, "(none)": 3} == truth.keys_by_prefix(server.admin, b"/:")


def test_acl_load_takes_effect(launch, tmp_path):
    acl_file = tmp_path / "users.acl"
    acl_file.write_text("user default on nopass ~* &* +@all\nuser app1 on nopass ~app1:* +@all\n")
    server = launch(lines=[f"aclfile {acl_file}"])
    quick_passes(server.admin)
    create(server.admin, "app1:1", "app2:1")
    assert owners(settled_info(server.admin)) == {b"app1:": b"app1", b"app2:": None}
    acl_file.write_text("user default on nopass ~* &* +@all\nuser app2 on nopass ~app2:* +@all\n")
    server.admin.call("ACL", "LOAD")
    assert owners(settled_info(server.admin)) == {b"app1:": None, b"app2:": b"app2"}
    assert not wrong_keys(server), "prefix: (module, SCAN)"


@pytest.mark.fault(12)
def test_many_acl_changes_during_writes_end_with_right_counts(server, admin):
    for number in range(300):
        user(admin, f"app{number % 7}", "resetkeys", ("~p{}:*", "~p{}:*", "~p{}:?", "~*{}", "~p[1{}]*1")[number % 5].format(number % 11), "+@all")
        create(admin, f"p{number % 13}:{number}")
    assert not wrong_keys(server), "prefix: (module, SCAN)"
    assert not rows_that_do_not_add_up(read_info(admin))


def test_orphans_are_counted_by_their_first_segment_and_as_a_tenant(server, admin):
    user(admin, "app1", "~app1:*", "+@all")
    create(admin, "foo:1", "foo:2:3", "bar:1", "app1:1", "plain", "")
    info = settled_info(admin)
    assert keys_by_prefix(info) == {b"foo:": 2, b"bar:": 1, b"app1:": 1, "(none)": 2}
    assert info.tenants["(orphans)"]["keys"] == 5 == info.status["orphan_keys"]
    assert info.tenants[b"app1"]["keys"] == 1
    assert not rows_that_do_not_add_up(info)


HOSTILE = [
    b"", b":", b"::", b"a\r\nb:1", b"\r\ntenants_keys:1", b"a=1,b=2:x", b"%:1", b"%41:1", b"#:1", b"\x00:1", b"\x00", b"\xff\xfe:1",
    b'"q":1', b"(other):1", b"(none):1", b"sp ace:1", b"\\:1", b"\xe2\x82\xac:1", b"a_b:1", b"a.b:1", b"{x}:1",
]  # fmt: skip


@pytest.mark.fault(19)
def test_any_bytes_in_names_are_counted_and_come_back_unchanged(server, admin):
    create(admin, *HOSTILE)
    info = settled_info(admin)
    assert keys_by_prefix(info) == truth.keys_by_prefix(admin)
    assert info.status["keys"] == len(HOSTILE)
    assert len(info.text.split(b"\r\ntenants_keys:")) == 2, "a name forged a line"


@pytest.mark.fault(19)
def test_a_segment_too_long_for_a_name_goes_to_other(server, admin):
    create(admin, b"x" * 300 + b":1", b"x" * 300 + b":2", b"y" * 70000 + b":1", b"short:1")
    assert keys_by_prefix(settled_info(admin)) == {"(other)": 3, b"short:": 1}
    admin.call("DEL", b"x" * 300 + b":1")
    assert keys_by_prefix(settled_info(admin)) == {"(other)": 2, b"short:": 1}


def test_prefixes_beyond_the_table_share_the_row_other(launch):
    server = launch(module_arguments=["max-prefixes", "16"])
    admin = server.admin
    quick_passes(admin)
    user(admin, "app1", "~app1:*", "+@all")
    create(admin, *[f"p{number}:{key}" for number in range(100) for key in range(3)], "app1:1", "app1:2")
    info = settled_info(admin)
    assert info.status["keys"] == 302 == truth.keys_in_total(admin)
    assert info.prefixes["(other)"]["keys"] >= 3 * (100 - 16)
    assert info.prefixes[b"app1:"].get("owner") == b"app1"
    assert info.prefixes[b"app1:"]["keys"] == 2
    assert info.status["prefixes_dropped"] > 0
    assert not rows_that_do_not_add_up(info)


def test_heavy_prefixes_displace_light_ones(launch):
    server = launch(module_arguments=["max-prefixes", "16"])
    admin = server.admin
    quick_passes(admin)
    create(admin, *[f"light{number}:{key}" for number in range(40) for key in range(3)])
    settled_info(admin)
    heavy = [f"heavy{number}:{key}" for number in range(5) for key in range(100 + number)]
    create(admin, *heavy)
    names = [b"heavy%d:" % number for number in range(5)]
    info = wait_until(lambda: _has(admin, *names), lambda: f"rows for the heavy ones, {read_info(admin).prefixes}")
    assert [info.prefixes[name]["keys"] for name in names] == [100 + number for number in range(5)]
    assert info.status["keys"] == 120 + len(heavy) == truth.keys_in_total(admin)
    assert info.status["drift"] == 0
    assert not rows_that_do_not_add_up(info)
    admin.pipeline([("DEL", key) for key in heavy[::2]])
    info = settled_info(admin)
    assert info.prefixes[b"heavy1:"]["keys"] in (50, 51) and info.status["keys"] == truth.keys_in_total(admin)


HOSTILE_PREFIXES = "for i = 1, ARGV[1] do redis.call('SET', ARGV[2] .. i .. ':k', 'v') end"


@pytest.mark.newest_server("what it takes is the module's")
@pytest.mark.fault(18)
def test_many_prefixes_cost_no_more_memory_than_few(launch):
    server = launch(module_arguments=["max-prefixes", "64"])
    admin = server.admin
    quick_passes(admin)
    user(admin, "app1", "~app1:*", "+@all")
    create(admin, *[f"app1:{number}" for number in range(50)], *[f"heavy:{number}" for number in range(5000)])
    memory = [settled_info(admin).status["memory_bytes"]]
    for name in ("one", "two", "three"):
        admin.call("EVAL", HOSTILE_PREFIXES, 0, 10_000, name)
        full_pass(admin)
        memory.append(settled_info(admin).status["memory_bytes"])
    info = settled_info(admin)
    print(memory)
    assert max(memory) < memory[0] + 600_000
    assert info.status["prefixes"] <= 64 and info.status["keys"] == 35_050
    assert info.prefixes["(other)"]["keys"] >= 30_000 - 64
    assert (info.prefixes[b"app1:"]["keys"], info.prefixes[b"heavy:"]["keys"]) == (50, 5000)
    assert not rows_that_do_not_add_up(info)


def test_rows_of_prefixes_that_emptied_are_free_for_new_ones(launch):
    server = launch(module_arguments=["max-prefixes", "16"])
    admin = server.admin
    quick_passes(admin)
    for round_number in range(5):
        create(admin, *[f"r{round_number}p{number}:x" for number in range(100)])
        admin.call("FLUSHALL")
    create(admin, "new:1", "new:2")
    info = wait_until(lambda: _has(admin, b"new:"), lambda: f"a row for new:, {read_info(admin).prefixes}")
    assert info.prefixes[b"new:"]["keys"] == 2
    assert info.status["keys"] == 2


def _has(session, *prefixes):
    info = settled_info(session)
    return info if info.prefixes.keys() >= set(prefixes) else None


@pytest.mark.fault(25)
def test_changing_the_separators_recounts(server, admin):
    create(admin, "a:b/c:1", "a/b:1", "x|y", "a:c")
    assert keys_by_prefix(settled_info(admin)) == {b"a:": 2, b"a/b:": 1, "(none)": 1}
    admin.call("CONFIG", "SET", "tenants.separators", "/|")
    assert keys_by_prefix(settled_info(admin)) == {b"a:b/": 1, b"a/": 1, b"x|": 1, "(none)": 1}
    assert not wrong_keys(server, b"/|"), "prefix: (module, SCAN)"


def test_every_user_is_a_tenant_even_without_keys_or_connections(server, admin):
    user(admin, "idle", "~idle:*", "+@all")
    acl_taken_in(admin)
    row = read_info(admin).tenants[b"idle"]
    assert (row["users"], row["prefixes"], row["connections"], row["keys"]) == (1, 1, 0, 0)
