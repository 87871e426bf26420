"""The control commands: what a test tells the simulator, as words.

`control.py` sends its arguments as they are; the answer is lines of text.
The same commands run inside a fault (do-before, do-after).
"""

import json
import shlex
import uuid
from decimal import Decimal

from . import json_format, model
from .faults import Rule
from .switches import SWITCHES
from .values import (GUID, TEXT_WRITERS, iso_date, parse_iso,
                     parse_json_date)
from .writer import ANYBODY


class CommandError(Exception):
    """A command nobody can carry out; its words go to whoever typed it."""


def take_options(words, flags=(), values=()):
    """(positional words, {option: value}); --header may come repeatedly."""
    rest, options = [], {}
    words = list(words)
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            rest.append(word)
        elif word[2:] in flags:
            options[word[2:]] = True
        elif values and word[2:] not in values or not words:
            raise CommandError("unknown or incomplete option %s" % word)
        elif word == "--header":
            options.setdefault("header", []).append(words.pop(0))
        else:
            options[word[2:]] = words.pop(0)
    return rest, options


class Commands:
    def __init__(self, application):
        self.app = application

    def run(self, words):
        """The lines a command answers with."""
        if not words:
            raise CommandError("no command; there are %s" % ", ".join(NAMES))
        name = words[0].replace("-", "_")
        if words[0] not in NAMES:
            raise CommandError("no command %s; there are %s"
                               % (words[0], ", ".join(NAMES)))
        try:
            return getattr(self, "do_" + name)(list(words[1:]))
        except (ValueError, IndexError, KeyError) as why:
            raise CommandError("%s: %s" % (words[0], why)) from None

    def run_line(self, line):
        return self.run(shlex.split(line))

    # -- the log --------------------------------------------------------------

    def do_log(self, words):
        rest, options = take_options(words, ("count", "raw", "json", "long",
                                             "users"),
                                     ("verb", "path"))
        if rest == ["clear"]:
            self.app.log.clear()
            return []
        if rest:
            raise CommandError("log takes 'clear' or options")
        entries = self.app.log.select(options.get("verb"), options.get("path"))
        if "count" in options:
            return [str(len(entries))]
        if "json" in options:
            return [json.dumps(e.record(), ensure_ascii=False)
                    for e in entries]
        if "raw" in options:
            return [line for e in entries for line in raw_lines(e)]
        if "long" in options:
            return ["#%d c%d %db %s" % (e.number, e.connection, e.bytes,
                                        e.line()) for e in entries]
        if "users" in options:
            return ["%s: %s" % (e.user, e.line()) for e in entries]
        return [e.line() for e in entries]

    # -- records, behind the client's back ------------------------------------

    def do_edit(self, words):
        entity, guid, values, stamps, who = self._record(words)
        if self.app.store.table(entity).find(guid) is None:
            raise CommandError("no %s %s" % (entity.name, guid))
        self.app.writer.force(entity, guid, values, stamps, who)
        return []

    def do_edit_many(self, words):
        """A change of the first N records of a set, all in one moment."""
        count = int(words[1])
        for key in self.do_keys([words[0], str(count)]):
            self.do_edit([words[0], key, words[2]])
        return []

    def do_create(self, words):
        if len(words) == 2:
            words.insert(1, "-")
        entity, guid, values, stamps, who = self._record(words)
        if self.app.store.table(entity).find(guid) is not None:
            raise CommandError("%s %s is there already" % (entity.name, guid))
        self.app.writer.force(entity, guid, values, stamps, who)
        return [guid]

    def do_delete(self, words):
        entity, guid = self._entity(words[0]), words[1].lower()
        with self.app.store.lock:
            if self.app.store.table(entity).find(guid) is None:
                raise CommandError("no %s %s" % (entity.name, guid))
            self.app.writer.delete(entity, guid)
        return []

    def do_get(self, words):
        """One property a line, or the one asked for."""
        entity, guid = self._entity(words[0]), words[1].lower()
        with self.app.store.lock:
            row = self.app.store.table(entity).find(guid)
            if row is None:
                raise CommandError("no %s %s" % (entity.name, guid))
            if len(words) > 2:
                return [self._text(self._prop(entity, words[2]), row)]
            return ["%s=%s" % (p.name, self._text(p, row))
                    for p in entity.properties]

    def do_count(self, words):
        return [str(len(self.app.store.table(self._entity(words[0])).order))]

    def do_keys(self, words):
        """The first keys of a set, or all, in the server's order."""
        table = self.app.store.table(self._entity(words[0]))
        most = int(words[1]) if len(words) > 1 else None
        with self.app.store.lock:
            return [table.get(key)[0] for key in table.order[:most]]

    def _entity(self, name):
        entity = model.BY_SET.get(name) or model.BY_NAME.get(name)
        if entity is None:
            raise CommandError("no entity set %s" % name)
        return entity

    @staticmethod
    def _prop(entity, name):
        if name not in entity.by_name:
            raise CommandError("%s has no property %s" % (entity.name, name))
        return entity.by_name[name]

    def _record(self, words):
        if len(words) < 3:
            raise CommandError("SET KEY JSON are wanted")
        entity, guid = self._entity(words[0]), words[1].lower()
        body = json.loads(words[2], parse_float=Decimal)
        if not isinstance(body, dict):
            raise CommandError("a JSON object is wanted")
        values, stamps = {}, {}
        for name, raw in body.items():
            prop = self._prop(entity, name)
            value = forced_value(prop, raw)
            if prop.name in ("CreatedOn", "ModifiedOn", "CreatedBy",
                             "ModifiedBy", "VersionNumber"):
                stamps[name] = value
            elif prop is entity.key:
                guid = value
            else:
                values[prop] = value
        if guid == "-":
            guid = str(uuid.uuid4())
        if not GUID.match(guid):
            raise CommandError("%s is not a key" % guid)
        return entity, guid, values, stamps, stamps.get("ModifiedBy", ANYBODY)

    def _text(self, prop, row):
        value = row[prop.slot]
        if value is None:
            return "null"
        if prop.kind == "EntityReference":
            return "%s %s" % (value[1], value[0])
        if prop.kind == "BooleanManagedProperty":
            return json.dumps(value)
        kind = prop.members[0][1] if prop.members else prop.kind
        return TEXT_WRITERS[kind](value)

    # -- time, switches, faults -----------------------------------------------

    def do_latency(self, words):
        if words:
            self.app.latency = float(words[0]) / 1000
            return []
        return ["%g" % (self.app.latency * 1000)]

    def do_clock(self, words):
        clock = self.app.clock
        verb = words[0] if words else "show"
        if verb == "set":
            clock.freeze(parse_iso(words[1]))
        elif verb == "offset":
            clock.shift(int(words[1]))
        elif verb == "step":
            clock.step(int(words[1]))
        elif verb == "real":
            clock.reset()
        elif verb != "show":
            raise CommandError("clock takes set ISO, offset S, step S, real")
        return [iso_date(clock.now())]

    def do_switch(self, words):
        switches = self.app.switches
        if len(words) == 2:
            switches.set(*words)
            return []
        if words:
            return [str(switches[words[0]])]
        return ["%s=%s" % (name, switches[name]) for name in SWITCHES]

    def do_fault(self, words):
        if words == ["clear"]:
            self.app.faults.clear()
            return []
        if words == ["list"]:
            return [rule.line() for rule in list(self.app.faults.rules)]
        rest, options = take_options(words, ("forever",))
        times = None if options.pop("forever", False) \
            else int(options.pop("times", 1))
        skip = int(options.pop("skip", 0))
        known = {name: options.pop(name) for name in ("verb", "path", "regex")
                 if name in options}
        check_fault_options(rest[0], options)
        self.app.faults.add(Rule(rest[0], skip=skip, times=times, **known,
                                 **options))
        return []

    def do_user(self, words):
        """user NAME PASSWORD asks for a login from now on; user off ends it."""
        if words == ["off"]:
            self.app.passwords = {}
        elif len(words) == 2:
            self.app.users[words[0]] = system_user(self.app, words[0])
            self.app.passwords[words[0]] = words[1]
        else:
            raise CommandError("NAME PASSWORD or off are wanted")
        return []

    def do_logins(self, words):
        """What became of each password: "name accepted", "name refused"."""
        rest, options = take_options(words, ("pages", "door", "clear"), ("",))
        if rest:
            raise CommandError("logins takes options only")
        lines = list(self.app.logins.log)
        if "pages" in options:
            lines = [e.line() for e in self.app.log.select(login=True)
                     if e.by_door or "door" not in options] + lines
        if "clear" in options:
            self.app.logins.log.clear()
            self.app.log.clear()
        return lines

    def do_expire(self, words):
        """expire [USER]: CDMS has forgotten that he, or anybody, logged in."""
        self.app.logins.expire(*words)
        return []

    def do_hide(self, words):
        """hide SET KEY [USER]: not to be seen by that user, or by nobody."""
        self.app.store.hidden.add(self._veiled(words))
        return []

    def do_ration(self, words):
        """ration SET N USER: of all there are he sees every Nth only."""
        entity, user = self._entity(words[0]), self.app.users[words[2]][0]
        table = self.app.store.table(entity)
        for number, key in enumerate(table.order, 1):
            if number % int(words[1]):
                self.app.store.hidden.add((entity.name, table.get(key)[0],
                                           user))
        return []

    def do_show(self, words):
        self.app.store.hidden.discard(self._veiled(words))
        return []

    def _veiled(self, words):
        user = self.app.users[words[2]][0] if len(words) > 2 else None
        return (self._entity(words[0]).name, words[1].lower(), user)

    def do_reset(self, words):
        self.app.reset()
        return []

    def do_connections(self, words):
        server = self.app.server
        with server.guard:
            numbers = set(server.connections) - self.app.control_connections
        return ["%d open, %d accepted"
                % (len(numbers), server.accepted
                   - self.app.control_count)]

    def do_door(self, words):
        if words[:1] == ["close"]:
            self.app.server.close_door()
            return []
        return [str(self.app.server.open_door())]

    def do_ping(self, words):
        return ["pong"]


def system_user(app, name):
    """A login's SystemUser record, made when there is none yet."""
    entity, store = model.SYSTEM_USER, app.store
    login = "UKTI\\" + name
    table = store.table(entity)
    for key in table.order:
        row = table.get(key)
        if (row[entity.slot("DomainName")] or "").lower() == login.lower():
            return (row[0], entity.logical_name)
    guid = str(uuid.uuid5(uuid.NAMESPACE_URL, login))
    values = {entity.by_name[n]: v for n, v in (
        ("FirstName", name), ("FullName", name), ("DomainName", login),
        ("IsDisabled", False))}
    app.writer.force(entity, guid, values, {}, ANYBODY)
    return (guid, entity.logical_name)


NAMES = [name[3:].replace("_", "-") for name in vars(Commands) if name.startswith("do_")]
FAULT_OPTIONS = {
    "status": {"status", "body", "content-type", "header", "retry-after"},
    "raw": {"body"}, "echo": {"status", "as", "part"}, "drip": {"ms"}, "delay": {"ms"}, "cut": {"bytes"},
    "length": {"delta"}, "huge": {"mb"}, "do-before": {"command"},
    "do-after": {"command"},
}


def check_fault_options(action, options):
    for name in options:
        if name not in FAULT_OPTIONS.get(action, ()):
            raise CommandError("fault %s takes no --%s" % (action, name))
    if action.startswith("do-") and "command" not in options:
        raise CommandError("fault %s wants --command" % action)


def forced_value(prop, raw):
    """A JSON value as a row keeps it; simpler forms than the service's.

    A number stands for an option or an amount, null for any null, an ISO text
    for a date.
    """
    if raw is None:
        return None
    if prop.kind == "Edm.DateTime":
        return parse_json_date(raw)
    if prop.kind in ("OptionSetValue", "Money") and not isinstance(raw, dict):
        raw = {"Value": raw}
    try:
        return json_format.parse_value(prop, raw)
    except Exception as why:
        raise CommandError("%s: %s" % (prop.name, why)) from None


def raw_lines(entry):
    lines = ["%s %s" % (entry.raw_verb, entry.target)]
    lines += ["%s: %s" % header for header in entry.headers]
    text = entry.body.decode("utf-8", "replace")
    return lines + [""] + text.splitlines() + ["-> %s" % entry.status, ""]
