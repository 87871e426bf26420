"""Atom: rows to entries and feeds, and entries to values.

Element by element the form of wcf/03, 25, 32 and 37; the switch atom-order
puts an entry's elements in the order CRM itself was seen to use (odata/07).
"""

import xml.etree.ElementTree as ElementTree

from .errors import bad_request, no_property, unprocessable
from .json_format import complex_value, related
from .values import TEXT_WRITERS, from_text, iso_date

ATOM = "http://www.w3.org/2005/Atom"
DATA = "http://schemas.microsoft.com/ado/2007/08/dataservices"
META = DATA + "/metadata"
PROLOGUE = '<?xml version="1.0" encoding="utf-8"?>'
NAMESPACES = 'xmlns="%s" xmlns:d="%s" xmlns:m="%s"' % (ATOM, DATA, META)
FEED = "application/atom+xml;type=feed;charset=utf-8"
ENTRY = "application/atom+xml;type=entry;charset=utf-8"
XML = "application/xml;charset=utf-8"

# What XML 1.0 has no character for goes out as WCF's writer sends it.
_TEXT = {c: "&#x%X;" % c for c in range(32) if c not in (9, 10)}
_TEXT.update({ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"})
_ATTRIBUTE = dict(_TEXT)
_ATTRIBUTE.update({9: "&#x9;", 10: "&#xA;", ord('"'): "&quot;"})


def escape(text):
    return text.translate(_TEXT)


def quote_attribute(text):
    return text.translate(_ATTRIBUTE)


# -- properties ---------------------------------------------------------------

def element(name, kind, value):
    """<d:Name m:type="...">value</d:Name>; a string has no m:type."""
    kind_text = "" if kind == "Edm.String" else ' m:type="%s"' % kind
    if value is None:
        return '<d:%s%s m:null="true" />' % (name, kind_text)
    text = escape(TEXT_WRITERS[kind](value))
    if kind == "Edm.String" and (text[:1].isspace() or text[-1:].isspace()):
        kind_text = ' xml:space="preserve"'
    return "<d:%s%s>%s</d:%s>" % (name, kind_text, text, name)


def property_element(prop, value, store):
    if prop.members is None:
        return element(prop.name, prop.kind, value)
    inner = "".join(element(name, kind, member) for (name, kind), member
                    in zip(prop.members, members_of(prop, value, store)))
    return '<d:%s m:type="%s">%s</d:%s>' % (prop.name, prop.type_name, inner,
                                            prop.name)


def members_of(prop, value, store):
    if prop.kind == "EntityReference":
        return (None,) * 3 if value is None else (*value, store.title(value))
    if prop.kind == "BooleanManagedProperty":
        return value or (None,) * 3
    return (value,)


# -- entries and feeds --------------------------------------------------------

class Serialiser:
    """One shape of one entity: its rows as Atom entries."""

    def __init__(self, base, entity, selection, expanded, store, switches,
                 clock):
        self.base = base
        self.entity = entity
        self.selection = selection
        self.store = store
        self.switches = switches
        self.clock = clock
        self.inner = {
            name: Serialiser(base, entity.navigation[name].target,
                             selection.of(entity.navigation[name]), (), store,
                             switches, clock) for name in expanded}

    def entry(self, row, root=False):
        """An entry; as the document's root it declares the namespaces."""
        path = "%s(guid'%s')" % (self.entity.set_name, row[0])
        head = ' xml:base="%s/" %s' % (self.base, NAMESPACES) if root else ""
        parts = self._parts(row, path)
        order = ("id", "title", "updated", "author", "edit", "links",
                 "category", "content") \
            if self.switches["atom-order"] == "crm" else \
            ("id", "category", "edit", "links", "title", "updated", "author",
             "content")
        return "<entry%s>%s</entry>" % (head, "".join(parts[k] for k in order))

    def _parts(self, row, path):
        title = self.entity.title
        text = row[title.slot] if title else None
        return {
            "id": "<id>%s/%s</id>" % (self.base, path),
            "category": '<category term="%s" scheme="%s/scheme" />'
                        % (self.entity.type_name, DATA),
            "edit": '<link rel="edit" title="%s" href="%s" />'
                    % (self.entity.name, path),
            "links": "".join(self._link(row, link, path)
                             for link in self.selection.links),
            "title": '<title type="text">%s</title>' % escape(text)
                     if text else '<title type="text" />',
            "updated": "<updated>%s</updated>" % iso_date(self.clock.now()),
            "author": "<author><name /></author>",
            "content": '<content type="application/xml"><m:properties>%s'
                       "</m:properties></content>" % self._properties(row),
        }

    def _properties(self, row):
        store = self.store
        return "".join(property_element(p, row[p.slot], store)
                       for p in self.selection.properties)

    def _link(self, row, link, path):
        kind = "feed" if link.many else "entry"
        head = ('<link rel="%s/related/%s" type="application/atom+xml;type=%s"'
                ' title="%s" href="%s/%s"' % (DATA, link.name, kind, link.name,
                                              path, link.name))
        inner = self.inner.get(link.name)
        if inner is None:
            return head + " />"
        rows = related(self.store, self.entity, row, link)
        if link.many:
            rows = rows[:self.switches["page-size"]]  # the rest is never told
            body = inner.feed_body(rows, link.name, "%s/%s" % (path, link.name))
            body = "<feed>%s</feed>" % body
        else:
            body = inner.entry(rows[0]) if rows else ""
        return head + "><m:inline>%s</m:inline></link>" % body

    def feed_body(self, rows, title, path):
        return (
            '<title type="text">%s</title><id>%s/%s</id><updated>%s</updated>'
            '<link rel="self" title="%s" href="%s" />%s'
            % (title, self.base, path, iso_date(self.clock.now()), title, path,
               "".join(map(self.entry, rows))))

    # documents

    def list(self, rows, next_link, title, path):
        body = self.feed_body(rows, title, path)
        if self.switches["atom-order"] == "wcf":  # wcf/03: id before title
            at = body.index("<id>")
            end = body.index("</id>") + 5
            body = body[at:end] + body[:at] + body[end:]
        if next_link is not None:
            body += '<link rel="next" href="%s" />' % quote_attribute(next_link)
        return '%s<feed xml:base="%s/" %s>%s</feed>' % (
            PROLOGUE, self.base, NAMESPACES, body)

    def single(self, row):
        return PROLOGUE + self.entry(row, root=True)

    def property(self, row, prop):
        text = property_element(prop, row[prop.slot], self.store)
        return PROLOGUE + text.replace(
            "<d:" + prop.name, '<d:%s xmlns:d="%s" xmlns:m="%s"'
            % (prop.name, DATA, META), 1)


def error_document(error):
    code = "<m:code>%s</m:code>" % error.code if error.code else "<m:code />"
    return ('%s<m:error xmlns:m="%s">%s<m:message xml:lang="%s">%s</m:message>'
            "</m:error>" % (PROLOGUE, META, code, error.lang,
                            escape(error.message)))


# -- bodies -------------------------------------------------------------------

class _NoDoctype(ElementTree.TreeBuilder):
    def doctype(self, name, pubid, system):
        raise ValueError("a DTD is not accepted")


def parse_body(text, entity):
    """{Property: value} of an entity in an Atom entry, or a 400."""
    try:
        parser = ElementTree.XMLParser(target=_NoDoctype())
        parser.feed(text)
        root = parser.close()
    except (ElementTree.ParseError, ValueError):
        raise unprocessable() from None
    if root.tag != "{%s}entry" % ATOM:
        raise unprocessable()
    _check_category(root, entity)
    properties = root.find("{%s}content/{%s}properties" % (ATOM, META))
    values = {}
    for child in properties if properties is not None else ():
        name = _data_name(child)
        prop = entity.by_name.get(name)
        if prop is None:
            raise no_property(name, entity)
        if prop in values:
            raise unprocessable()
        values[prop] = _value(prop, child)
    return values


def _check_category(root, entity):
    for category in root.findall("{%s}category" % ATOM):
        if category.get("scheme") == DATA + "/scheme" \
                and category.get("term") != entity.type_name:
            raise bad_request("The type name '%s' does not match '%s'."
                              % (category.get("term"), entity.type_name))


def _data_name(child):
    if not child.tag.startswith("{%s}" % DATA):
        raise unprocessable()
    return child.tag[len(DATA) + 2:]


def _value(prop, child):
    _check_kind(child, prop.type_name)
    if prop.members is None:
        return _scalar(prop.kind, child)
    if _is_null(child):
        raise unprocessable()  # a complex value is never null itself
    members = dict(prop.members)
    values = {}
    for inner in child:
        name = _data_name(inner)
        if name not in members:
            if name == "RowVersion":
                continue
            raise bad_request("Could not find a property named '%s' on type "
                              "'%s'." % (name, prop.type_name))
        _check_kind(inner, members[name])
        values[name] = _scalar(members[name], inner)
    return complex_value(prop, values)


def _check_kind(child, wanted):
    kind = child.get("{%s}type" % META)
    if kind is not None and kind != wanted:
        raise unprocessable()


def _is_null(child):
    return child.get("{%s}null" % META) in ("true", "1")


def _scalar(kind, child):
    if len(child):
        raise unprocessable()
    if _is_null(child):
        return None
    text = child.text or ""
    return from_text(kind, text if kind == "Edm.String" else text.strip())
