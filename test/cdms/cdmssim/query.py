"""Which rows a list request means, and the page of them it gets.

Pages follow the clustered key, or $orderby and then the key.  The skip token
is CRM's own (odata/02, 09): the number of the page just returned, then for
each attribute of the order its name, last and first value on that page.  A
page starts behind the last value, so rows that appear or vanish meanwhile
neither repeat nor hide others; a `$skip` counts and does both.
"""

from bisect import bisect_right
from decimal import Decimal
from urllib.parse import quote, unquote_plus

from .conditions import Context
from .errors import PAGING_COOKIE, bad_request, platform
from .grammar import (FilterParser, Selection, parse_expand, parse_orderby)
from .values import GUID, sort_key

KNOWN = ("$select", "$filter", "$orderby", "$expand", "$top", "$skip",
         "$skiptoken")
ONLY_LISTS = ("$orderby", "$top", "$skip", "$skiptoken")


def split_options(raw):
    """[(decoded name, decoded value, raw text)] of a query string."""
    options = []
    for part in raw.split("&") if raw else ():
        if part:
            name, _, value = part.partition("=")
            options.append((unquote_plus(name), unquote_plus(value), part))
    return options


def check_options(options, single):
    """Refuses what CRM doesn't know; names without $ mean nothing to it."""
    seen = {}
    for name, value, _ in options:
        if not name.startswith("$"):
            continue
        if name not in KNOWN:
            raise bad_request("The query parameter '%s' begins with a system-"
                              "reserved '$' character but is not recognized."
                              % name)
        if name in seen:
            raise bad_request("Query parameter '%s' is specified, but it "
                              "should be specified exactly once." % name)
        seen[name] = value.strip()
    if single and any(name in seen for name in ONLY_LISTS):
        raise bad_request("Query options $orderby, $inlinecount, $skip and "
                          "$top cannot be applied to the requested resource.")
    if single and "$filter" in seen:
        raise bad_request("Query option $filter cannot be applied to the "
                          "requested resource.")
    return seen


def whole_number(options, name):
    if name not in options:
        return None
    if not options[name].isdigit():
        raise bad_request("Incorrect format for %s argument '%s'."
                          % (name, options[name]))
    return int(options[name])


class Shape:
    """The projection: $select and $expand."""

    def __init__(self, options, entity):
        self.entity = entity
        self.expanded = parse_expand(options["$expand"], entity) \
            if "$expand" in options else []
        if options.get("$select"):
            self.selection = Selection.parse(options["$select"], entity,
                                             self.expanded)
            chosen = [link.name for link in self.selection.links]
            for name in self.expanded:
                if name not in chosen:
                    raise bad_request("'%s' in $expand must also be in "
                                      "$select." % name)
        else:
            self.selection = Selection(entity)


class Descending:
    """A value that sorts the other way round."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        return other.value < self.value

    def __eq__(self, other):
        return self.value == other.value


class Order:
    """$orderby made comparable: nulls first, the key as the last word."""

    def __init__(self, terms, context):
        self.terms = terms
        self.context = context
        self.getters = [path.getter(context.store) for path, _ in terms]

    def values(self, row):
        return [get(row) for get in self.getters]

    def rank(self, values, key):
        parts = []
        for (path, descending), value in zip(self.terms, values):
            if value is None:
                parts.append((descending,))  # nulls are smallest
                continue
            if path.kind == "Edm.String":
                value = self.context.fold(value.rstrip(" "))
            elif path.kind == "Edm.Guid":
                value = sort_key(value)
            if descending:
                value = Descending(value) if isinstance(value, (str, bytes)) \
                    else -value
            parts.append((not descending, value))
        return (*parts, key)


class Query:
    """A list request's options, parsed; `run` gives the page."""

    def __init__(self, raw, entity, store, switches, within=None):
        self.raw = raw
        self.entity = entity
        self.store = store
        self.switches = switches
        self.within = within  # keys, when a navigation was followed
        self.options = split_options(raw)
        known = check_options(self.options, single=False)
        self.shape = Shape(known, entity)
        self.context = Context(store, switches)
        self.top = whole_number(known, "$top")
        self.skip = whole_number(known, "$skip")
        self.condition = FilterParser(
            known["$filter"], entity, self.shape.expanded,
            switches).parse() if known.get("$filter") else None
        self.order = Order(parse_orderby(known["$orderby"], entity, switches)
                           if known.get("$orderby") else [], self.context)
        self.token = SkipToken.parse(known["$skiptoken"], self.order) \
            if "$skiptoken" in known else None
        self._check_skip()

    @property
    def paged(self):
        """Whether the server's page size plays a part (DataServiceVersion)."""
        return self.top is None or self.top > self.switches["page-size"]

    def _check_skip(self):
        if self.skip is None:
            return
        size = self.top if self.top is not None else self.switches["page-size"]
        if self.skip + size > self.switches["skip-limit"]:
            raise platform(PAGING_COOKIE, "[%d]: Paging cookie required to "
                           "retrieve more records. Update your query to "
                           "retrieve with total records below 5000"
                           % PAGING_COOKIE)

    def run(self):
        """(rows of this page, raw query of the next one or None)."""
        size = self.switches["page-size"]
        if self.top is not None:
            size = min(size, self.top)
        skip = self.skip or 0
        table = self.store.table(self.entity)
        keys = self._keys(table, skip + size + 1)[skip:]
        rows = [table.get(key) for key in keys[:size]]
        rest = None if self.top is None else self.top - size
        more = len(keys) > size or (
            self.switches["last-page"] == "empty" and len(rows) == size)
        if not more or not rows or rest == 0:
            return rows, None
        return rows, self._next(rows, rest)

    # -- which keys, in order, at least `wanted` of them if there are ---------

    def _keys(self, table, wanted):
        test = self.store.veil(self.entity, self.condition.compile(
            self.context) if self.condition else None)
        if self.order.terms:
            return self._sorted_keys(table, test, wanted)
        keys = RESULTS.get(self, table, lambda: self._few(table, test))
        if keys is None:
            keys = table.order
        else:
            test = None
        at = bisect_right(keys, self.token.key) if self.token else 0
        if test is None:
            return keys[at:at + wanted]
        found, get = [], table.get
        for position in range(at, len(keys)):
            if test(get(keys[position])) is True:
                found.append(keys[position])
                if len(found) == wanted:
                    break
        return found

    def _candidates(self, table):
        """Keys among which all are that are meant; None: any."""
        if self.within is None and self.condition is not None:
            return self.condition.keys(table)
        return self.within

    def _few(self, table, test):
        """All keys that are meant, where not each row must be looked at."""
        candidates = self._candidates(table)
        if candidates is None or test is None:
            return None if candidates is None else sorted(candidates)
        return sorted(key for key in candidates if test(table.get(key)) is True)

    def _sorted_keys(self, table, test, wanted):
        ranked = RESULTS.get(self, table, lambda: self._rank_all(table, test))
        at = 0
        if self.token is not None:
            last = self.order.rank(self.token.last, self.token.key)
            at = bisect_right(ranked, last)
        return [rank[-1] for rank in ranked[at:at + wanted]]

    def _rank_all(self, table, test):
        get, order = table.get, self.order
        candidates = self._candidates(table)
        ranked = []
        for key in table.order if candidates is None else candidates:
            row = get(key)
            if test is None or test(row) is True:
                ranked.append(order.rank(order.values(row), key))
        ranked.sort()
        return ranked

    # -- the next link --------------------------------------------------------

    def _next(self, rows, rest):
        page = self.token.page + 1 if self.token else 1
        token = SkipToken.write(page, self.order, rows[-1], rows[0],
                                self.entity)
        parts = []
        for name, _, raw in self.options:
            if name == "$top":
                parts.append("$top=%d" % rest)
            elif name not in ("$skip", "$skiptoken"):
                # blanks come back as blanks, other escapes as they were sent
                parts.append(raw.replace("%20", " ").replace("+", " "))
        return "&".join(parts + ["$skiptoken=" + token])


class SkipToken:
    """page,'attribute','LAST','FIRST'[,...]; the key is the last attribute."""

    def __init__(self, page, last, key):
        self.page = page
        self.last = last
        self.key = key

    @staticmethod
    def write(page, order, last, first, entity):
        parts = [str(page)]
        for (path, _), a, b in zip(order.terms, order.values(last),
                                   order.values(first)):
            parts += ["'%s'" % path.name.lower(), token_text(a), token_text(b)]
        parts += ["'%s'" % entity.key.name.lower()]
        parts += ["'%%7B%s%%7D'" % row[0].upper() for row in (last, first)]
        return ",".join(parts)

    @classmethod
    def parse(cls, text, order):
        parts = split_token(text)
        wanted = 1 + 3 * (len(order.terms) + 1)
        if len(parts) != wanted or not parts[0].isdigit():
            raise bad_request("The skip token '%s' is not valid." % text)
        guid = parts[-2].strip("{}")
        if not GUID.match(guid):
            raise bad_request("The skip token '%s' is not valid." % text)
        last = [token_value(path.kind, part) for (path, _), part
                in zip(order.terms, parts[2:-3:3])]
        return cls(int(parts[0]), last, sort_key(guid))


def token_text(value):
    if value is None:
        return "null"
    return "'%s'" % quote(str(value).replace("'", "''"), safe="")


def split_token(text):
    """The comma-separated parts; quoted ones without their quotes."""
    parts, at = [], 0
    while at <= len(text):
        if text[at:at + 1] == "'":
            end = at + 1
            while end < len(text) and (text[end] != "'"
                                       or text[end:end + 2] == "''"):
                end += 2 if text[end] == "'" else 1
            parts.append(text[at + 1:end].replace("''", "'"))
            at = end + 2
        else:
            end = text.find(",", at)
            end = len(text) if end < 0 else end
            part = text[at:end]
            parts.append(None if part == "null" else part)
            at = end + 1
    return parts


def token_value(kind, text):
    if text is None:
        return None
    try:
        if kind == "Edm.Boolean":
            return text == "True"
        if kind == "Edm.Decimal":
            return Decimal(text)
        if kind == "Edm.Double":
            return float(text)
        if kind in ("Edm.String", "Edm.Guid"):
            return text
        return int(text)
    except (ValueError, ArithmeticError):
        raise bad_request("The skip token is not valid.") from None


class ResultCache:
    """The last results, for the pages that follow, until something changes."""

    SIZE = 64

    def __init__(self):
        self.kept = {}

    def get(self, query, table, make):
        known = {name: value for name, value, _ in query.options}
        store, switches = query.store, query.switches
        key = (id(table), store.changes, switches.changes,
               known.get("$filter"), known.get("$orderby"),
               None if query.within is None else tuple(query.within),
               store.viewer, len(store.hidden))
        result = self.kept.pop(key, None)
        if result is None:
            result = make()
        self.kept[key] = result
        while len(self.kept) > self.SIZE:
            del self.kept[next(iter(self.kept))]
        return result


RESULTS = ResultCache()
