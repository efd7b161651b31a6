"""The truth, computed from outside the module: from what the server itself answers, and the ACL rule written a second time."""

import collections
import re

# Sizes of the keys in ARGV; a script, because 100,000 replies in Python take too long.
SIZES = """local sizes = {}
for i, key in ipairs(ARGV) do sizes[i] = redis.call('MEMORY', 'USAGE', key, 'SAMPLES', '0') or 0 end
return sizes"""
PAGE = 5000

# Commands that the module runs through the server for itself; commandstats shows them beside the clients'.
OWN_COMMANDS = {b"memory|usage", b"memory|stats", b"acl|users", b"acl|getuser", b"acl|dryrun", b"client|list", b"command", b"command|info", b"info",
                b"config|get"}  # which 9.1's Lua engine calls, too, when the server loads


def connections_by_user(client_list):
    """{user: open connections} of a CLIENT LIST reply. A link that has no user is the module's `(internal)`."""
    users = re.findall(rb"^id=.* user=(\S+)", client_list, re.MULTILINE)
    return collections.Counter("(internal)" if user == b"(superuser)" else user for user in users)


def databases(session):
    return [int(number) for number in re.findall(rb"db(\d+):keys", session.call("INFO", "keyspace"))]


def key_names(session):
    """{database: its key names}, by SCAN. Leaves the session in database 0."""
    names = {}
    for database in databases(session):
        session.call("SELECT", database)
        found, cursor = set(), b"0"
        while True:
            cursor, page = session.call("SCAN", cursor, "COUNT", PAGE)
            found.update(page)
            if cursor == b"0":
                break
        names[database] = found
    session.call("SELECT", 0)
    return names


LITERAL = re.compile(rb"(?:\\.|[^\\*?\[])*", re.DOTALL)


def literal_head(pattern):
    """What every key that matches the glob begins with."""
    head = LITERAL.match(pattern)[0]
    return re.sub(rb"\\(.)", rb"\1", head, flags=re.DOTALL)


ELEMENT = re.compile(rb"\\(.)|\[(\^?)((?:\\.|[^\]\\]-.|[^\]])*)(?:\]|$)|(.)", re.DOTALL)  # a dash before ] makes a range to it
IN_CLASS = re.compile(rb"\\(.)|(.)-(.)|(.)", re.DOTALL)


def regex_of(pattern):
    """A glob as a regular expression. Backslashes at the ends of classes are not for this."""
    text = b""
    for escaped, negated, members, plain in ELEMENT.findall(pattern):
        if plain in (b"*", b"?"):
            text += {b"*": b".*", b"?": b"."}[plain]
        elif escaped or plain:
            text += re.escape(escaped or plain)
        else:
            ranges = [sorted((low, high)) if low else (one, one) for one, low, high in ((e or o, low, high) for e, low, high, o in IN_CLASS.findall(members))]
            text += b"(?!)" if not ranges and not negated else b"." if not ranges else b"[" + (b"^" if negated else b"") + b"".join(re.escape(low) + b"-" + re.escape(high) for low, high in ranges) + b"]"
    return re.compile(text, re.DOTALL)


class PrefixRule:
    """Which prefix a key belongs to: of the writable ACL patterns that match it the one with the longest literal head, then that of
    the key itself, then the longest pattern; else its first segment including the separator. A pattern that is a head and a star is
    named by its head, one without a wildcard by its key, any other as it is. A name of tenants.prefixes takes what begins with it from a
    shorter head or from an orphan."""

    def __init__(self, patterns, separators=b":", named=()):
        self.names, self.heads, matching = set(), [], []
        for pattern in patterns:
            head, rest = literal_head(pattern), pattern[LITERAL.match(pattern).end() :]
            if not rest:
                self.names.add(head)
            elif rest.strip(b"*"):
                name = re.sub(rb"(?<!\\)\*+$", b"*", pattern)
                matching.append((len(head), len(name), name, regex_of(pattern)))
            elif head:
                self.heads.append(head)
        self.heads.sort(key=len, reverse=True)
        self.matching = sorted(matching, key=lambda row: (-row[0], -row[1], row[2]))
        self.named = sorted(named, key=len, reverse=True)
        self._first_segment = re.compile(rb".[^" + re.escape(separators) + rb"]*[" + re.escape(separators) + rb"]", re.DOTALL)

    def prefix_of(self, key):
        if key in self.names:
            return key
        below = next((head for head in self.heads if key.startswith(head)), b"")
        for head, _, name, regex in self.matching:
            if head < len(below):
                break
            if regex.fullmatch(key):
                return name
        below = next((name for name in self.named if key.startswith(name) and len(name) >= len(below)), below)
        if below:
            return below
        segment = self._first_segment.match(key)
        return segment[0] if segment else "(none)"


def writable_patterns(session):
    """{user: key patterns it may write}, from ACL GETUSER, selectors included."""
    patterns = {}
    for user in session.call("ACL", "USERS"):
        about = pairs(session.call("ACL", "GETUSER", user))
        texts = [about[b"keys"], *(pairs(selector)[b"keys"] for selector in about[b"selectors"])]
        rules = [re.fullmatch(rb"(?:~|%(R?W)~)(.*)", word, re.DOTALL) for text in texts for word in text.split()]
        patterns[user] = {rule[2] for rule in rules if rule}
    return patterns


def pairs(flat):
    return flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2]))


def rule_of(session, separators=b":", named=()):
    return PrefixRule(set().union(*writable_patterns(session).values()), separators, named)


def keys_by_prefix(session, separators=b":", named=()):
    """{prefix: keys over all databases}."""
    rule = rule_of(session, separators, named)
    return dict(collections.Counter(rule.prefix_of(key) for names in key_names(session).values() for key in names))


def bytes_by_prefix(session):
    """{prefix: Σ MEMORY USAGE key SAMPLES 0 over all databases}."""
    rule, sizes = rule_of(session), collections.Counter()
    for database, names in key_names(session).items():
        session.call("SELECT", database)
        names = list(names)
        for start in range(0, len(names), PAGE):
            page = names[start : start + PAGE]
            for name, size in zip(page, session.call("EVAL", SIZES, 0, *page)):
                sizes[rule.prefix_of(name)] += size
    session.call("SELECT", 0)
    return dict(sizes)


def calls_by_command(session):
    """{full command name: calls} of INFO commandstats, without those that nobody called."""
    return calls_in(session.call("INFO", "commandstats"))


def calls_in(info_text):
    found = re.findall(rb"cmdstat_([^:]+):calls=(\d+)", info_text)
    return collections.Counter({name: int(calls) for name, calls in found if int(calls)})


def keys_in_total(session):
    return sum(int(keys) for keys in re.findall(rb":keys=(\d+)", session.call("INFO", "keyspace")))


def stat(session, name, section="stats"):
    """A number of the server's INFO."""
    return int(re.search(name.encode() + rb":(\d+)", session.call("INFO", section))[1])


def server_milliseconds(session):
    seconds, microseconds = session.call("TIME")
    return int(seconds) * 1000 + int(microseconds) // 1000
