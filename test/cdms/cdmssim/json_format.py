"""Verbose JSON: rows to text, and bodies to values.

Shapes are those of odata/01-05 (CRM's) and wcf/51 (the framework's); where
the two differ a switch chooses.  A serialiser is compiled for each shape and
remembers each row's text for as long as the row is the same object.
"""

import json
from decimal import Decimal
from json.encoder import encode_basestring

from . import model
from .errors import bad_request, no_property, unprocessable
from .values import (base64_text, decimal_text, double_text, from_json)

CRM_TYPE = "application/json;charset=utf-8"
WCF_TYPE = "application/json;odata=verbose;charset=utf-8"
NULL = "null"


def content_type(switches):
    return WCF_TYPE if switches["json-metadata"] == "wcf" else CRM_TYPE


# -- values to text -----------------------------------------------------------

def _double(value):
    text = double_text(value)
    return '"%s"' % text if text in ("NaN", "INF", "-INF") else text


def _boolean(value):
    return "true" if value else "false"


def _quoted(text):
    return '"%s"' % text


class Writers:
    """Edm type -> function from a non-null value to JSON text."""

    def __init__(self, switches):
        slash = "\\/" if switches["json-dates"] == "escaped" else "/"
        date = '"%sDate(%%d)%s"' % (slash, slash)
        strings = switches["json-numbers"] == "string"
        self.of = {
            "Edm.String": encode_basestring,
            "Edm.Guid": _quoted,
            "Edm.Boolean": _boolean,
            "Edm.Int16": str,
            "Edm.Int32": str,
            "Edm.Int64": (lambda v: '"%d"' % v) if strings else str,
            "Edm.Decimal": (lambda v: '"%s"' % decimal_text(v)) if strings
            else decimal_text,
            "Edm.Double": _double,
            "Edm.DateTime": lambda v: date % (v * 1000),
            "Edm.Binary": lambda v: '"%s"' % base64_text(v),
        }

    def text(self, kind, value):
        return NULL if value is None else self.of[kind](value)


class Texts:
    """How many rows' texts may be kept, whatever their shapes.

    When they are too many all are forgotten; so they are when a name of a
    reference changes.
    """

    MOST = 400000

    def __init__(self, store):
        self.store = store
        self.count = 0
        self.forgotten = 0

    def count_one(self):
        self.count += 1
        if self.count > self.MOST:
            self.count = 0
            self.forgotten += 1

    def generation(self):
        return self.store.titles, self.forgotten


class Serialiser:
    """One shape of one entity: its rows as JSON objects."""

    def __init__(self, base, entity, selection, expanded, store, switches,
                 texts):
        self.base = base
        self.entity = entity
        self.selection = selection
        self.store = store
        self.switches = switches
        self.writers = Writers(switches)
        self.row_version = switches["row-version"] == "on"
        self.columns = [(p.slot, '"%s":' % p.name, self._column(p))
                        for p in selection.properties]
        self.inner = {
            name: Serialiser(base, entity.navigation[name].target,
                             selection.of(entity.navigation[name]), (), store,
                             switches, texts) for name in expanded}
        self.texts = texts
        self.kept = {}
        self.generation = None

    def row(self, row):
        if self.inner:
            return self._text(row)
        generation = self.texts.generation()
        if self.generation != generation:
            self.generation = generation
            self.kept = {}
        known = self.kept.get(row[0])
        if known is None or known[0] is not row:
            known = self.kept[row[0]] = (row, self._text(row))
            self.texts.count_one()
        return known[1]

    def _text(self, row):
        uri = "%s/%s(guid'%s')" % (self.base, self.entity.set_name, row[0])
        parts = [self._metadata(uri)]
        for link in self.selection.links:
            parts.append('"%s":%s' % (link.name, self._link(row, link, uri)))
        for slot, name, write in self.columns:
            parts.append(name + write(row[slot]))
        return "{%s}" % ",".join(parts)

    def _metadata(self, uri):
        if self.switches["json-metadata"] == "wcf":
            return '"__metadata":{"id":"%s","uri":"%s","type":"%s"}' % (
                uri, uri, self.entity.type_name)
        # CRM spells its own path in small letters here (odata/01)
        uri = uri.replace("/XRMServices/", "/xrmservices/")
        return '"__metadata":{"uri":"%s","type":"%s"}' % (
            uri, self.entity.type_name)

    def _link(self, row, link, uri):
        inner = self.inner.get(link.name)
        if inner is None:
            return '{"__deferred":{"uri":"%s/%s"}}' % (uri, link.name)
        rows = related(self.store, self.entity, row, link)
        if not link.many:
            return inner.row(rows[0]) if rows else NULL
        rows = rows[:self.switches["page-size"]]  # the rest is never told
        return '{"results":[%s]}' % ",".join(map(inner.row, rows))

    # columns: functions from what a row keeps to JSON text

    def _column(self, prop):
        if prop.members is None:
            write = self.writers.of[prop.kind]
            return lambda v: NULL if v is None else write(v)
        head = '{"__metadata":{"type":"%s"},' % prop.type_name
        if prop.kind == "EntityReference":
            return self._reference(head)
        if prop.kind == "BooleanManagedProperty":
            return self._managed(head, prop)
        write = self.writers.of[prop.members[0][1]]
        return lambda v: head + '"Value":%s}' % (
            NULL if v is None else write(v))

    def _reference(self, head):
        tail = ',"RowVersion":null}' if self.row_version else "}"
        null = head + '"Id":null,"LogicalName":null,"Name":null' + tail
        title = self.store.title

        def write(value):
            if value is None:
                return null
            name = title(value)
            return '%s"Id":"%s","LogicalName":"%s","Name":%s%s' % (
                head, value[0], value[1],
                NULL if name is None else encode_basestring(name), tail)
        return write

    def _managed(self, head, prop):
        def write(value):
            values = value or (None, None, None)
            return head + ",".join(
                '"%s":%s' % (name, self.writers.text(kind, v))
                for (name, kind), v in zip(prop.members, values)) + "}"
        return write

    # documents

    def list(self, rows, next_link, paged):
        body = "[%s]" % ",".join(map(self.row, rows))
        if self.switches["json-results"] == "bare" and not paged:
            return '{"d":%s}' % body
        if next_link is None:
            return '{"d":{"results":%s}}' % body
        return '{"d":{"results":%s,"__next":%s}}' % (
            body, encode_basestring(next_link))

    def single(self, row):
        return '{"d":%s}' % self.row(row)

    def property(self, row, prop):
        column = next(c for c in self.columns if c[0] == prop.slot)
        return '{"d":{%s%s}}' % (column[1], column[2](row[prop.slot]))


def related(store, entity, row, link):
    """Rows a navigation property leads to."""
    table = store.table(link.target)
    if link.many:
        prop = link.target.by_name[link.reference]
        keys = table.pointing(prop, (row[0], entity.logical_name))
        rows = [table.get(key) for key in keys]
        return [r for r in rows if store.visible(link.target, r)]
    target = row[entity.by_name[link.reference].slot]
    if target is None or target[1] != link.target.logical_name:
        return []
    found = table.find(target[0])
    return [] if found is None else [found]


def error_document(error):
    return json.dumps({"error": {
        "code": error.code, "message": {"lang": error.lang or "en-US",
                                        "value": error.message}}},
        ensure_ascii=False, separators=(",", ":"))


def service_document():
    return json.dumps({"d": {"EntitySets": [e.set_name
                                            for e in model.ENTITIES]}})


# -- bodies -------------------------------------------------------------------

def _no_duplicates(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate member")
    return found


def _refuse_constant(text):
    raise ValueError(text)


def parse_body(text, entity):
    """{Property: value} of an entity in verbose JSON, or a 400."""
    try:
        body = json.loads(text, parse_float=Decimal,
                          parse_constant=_refuse_constant,
                          object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError):
        raise unprocessable() from None
    if not isinstance(body, dict):
        raise unprocessable()
    values = {}
    for name, raw in body.items():
        if name == "__metadata":
            _check_type(raw, entity)
        elif name in entity.by_name:
            prop = entity.by_name[name]
            values[prop] = parse_value(prop, raw)
        elif name in entity.navigation:
            _check_deferred(raw)
        else:
            raise no_property(name, entity)
    return values


def _check_type(raw, entity):
    if isinstance(raw, dict) and raw.get("type", entity.type_name) \
            == entity.type_name:
        return
    raise unprocessable()


def _check_deferred(raw):
    """A link sent back as it was read says nothing; others are not taken."""
    if not isinstance(raw, dict) or set(raw) != {"__deferred"}:
        raise bad_request("Related entities can't be written here.")


def parse_value(prop, raw):
    if prop.members is None:
        return None if raw is None else from_json(prop.kind, raw)
    if not isinstance(raw, dict):
        raise unprocessable()  # a complex value is never null itself
    members = dict(prop.members)
    values = {}
    for name, value in raw.items():
        if name in members:
            values[name] = None if value is None \
                else from_json(members[name], value)
        elif name not in ("__metadata", "RowVersion"):
            raise bad_request("Could not find a property named '%s' on type "
                              "'%s'." % (name, prop.type_name))
    return complex_value(prop, values)


def complex_value(prop, members):
    """A complex value from the members sent, as a row keeps it.

    Null needs each member null (protocol notes 1.6); LogicalName may be left
    out only where the reference has one possible target (odata/05).
    """
    if prop.kind in ("OptionSetValue", "Money"):
        if "Value" not in members:
            raise unprocessable()
        return members["Value"]
    if prop.kind == "BooleanManagedProperty":
        return tuple(members.get(name) for name, _ in prop.members)
    if members.get("Id") is None:
        names = [name for name, _ in prop.members]
        if any(members.get(n, 0) is not None for n in names):
            raise unprocessable()
        return None
    logical = members.get("LogicalName")
    if logical is None:
        if len(prop.targets) != 1:
            raise bad_request("The reference '%s' has more than one possible "
                              "target; LogicalName is required." % prop.name)
        logical = prop.targets[0]
    if logical not in prop.targets:
        raise bad_request("'%s' is not a possible target of '%s'."
                          % (logical, prop.name))
    return (members["Id"], logical)
