"""Conditions of a $filter, compiled to closures over a row.

SQL Server's logic: a comparison with a null is neither true nor false, it is
None here, and `not` of it is None again.  Strings compare without case and
without trailing blanks.  A condition also says which keys could satisfy it
when an index knows (`keys`), so that a key lookup or a ModifiedOn window
never walks a hundred thousand rows.
"""

import operator
import re
import unicodedata

from .values import sort_key

OPERATORS = {"eq": operator.eq, "ne": operator.ne, "gt": operator.gt,
             "ge": operator.ge, "lt": operator.lt, "le": operator.le}
MEMBER_AT = {"Id": 0, "LogicalName": 1, "CanBeChanged": 0,
             "ManagedPropertyLogicalName": 1}


class Context:
    """What a condition needs to know when it is compiled."""

    def __init__(self, store, switches):
        self.store = store
        self.fold = FOLDS[switches["string-compare"]]
        self.wildcards = switches["like-wildcards"] == "live"
        self.keep_nulls = switches["ne-null"] == "keep"


def strip_accents(text):
    return "".join(c for c in unicodedata.normalize("NFKD", text)
                   if not unicodedata.combining(c))


FOLDS = {
    "cs": lambda text: text,
    "ci": str.casefold,
    "ci-ai": lambda text: strip_accents(text).casefold(),
}


class Path:
    """[navigation/]property[/member]; `kind` is the Edm type or None."""

    def __init__(self, navigation, prop, member, followed=None):
        self.navigation = navigation
        self.followed = followed  # the root's reference `navigation` follows
        self.prop = prop
        self.member = member
        self.kind = dict(prop.members)[member] if member else \
            None if prop.members else prop.kind

    @property
    def name(self):
        return "/".join(p for p in (self.prop.name, self.member) if p)

    def getter(self, store):
        """row -> value."""
        get = self._own_getter(store)
        if self.navigation is None:
            return get
        table = store.table(self.navigation.target)
        logical = self.navigation.target.logical_name
        slot = self.followed.slot

        def follow(row):
            target = row[slot]
            if target is None or target[1] != logical:
                return None
            other = table.find(target[0])
            return None if other is None else get(other)
        return follow

    def _own_getter(self, store):
        slot = self.prop.slot
        if self.prop.kind not in ("EntityReference", "BooleanManagedProperty"):
            return operator.itemgetter(slot)
        if self.member == "Name":
            return lambda row: row[slot] and store.title(row[slot])
        at = MEMBER_AT.get(self.member, 2)
        return lambda row: row[slot] and row[slot][at]


class Condition:
    def keys(self, table):
        """Keys that could satisfy this, or None when no index knows."""
        return None

    def conjuncts(self):
        """The conditions of which each must be true."""
        return [self]

    def window_slot(self, table):
        """The property of which this is a window with an index, or None."""
        return None


def window(table, comparisons):
    """Keys that satisfy comparisons with one indexed property, or None.

    A window worth its index: not most of the table.
    """
    low = [c.value for c in comparisons if c.word in ("eq", "gt", "ge")]
    high = [c.value for c in comparisons if c.word in ("eq", "lt", "le")]
    index = table.range(comparisons[0].path.prop.slot)
    start, end = index.span(max(low, default=None), min(high, default=None))
    if (end - start) * 4 > len(table.order):
        return None
    return index.keys(start, end)


class And(Condition):
    def __init__(self, left, right):
        self.left, self.right = left, right

    def compile(self, context):
        left = self.left.compile(context)
        right = self.right.compile(context)

        def both(row):
            a = left(row)
            if a is False:
                return False
            b = right(row)
            return b if a or b is False else None
        return both

    def keys(self, table):
        windows, found = {}, []
        for term in self.conjuncts():
            slot = term.window_slot(table)
            if slot is None:
                found.append(term.keys(table))
            else:
                windows.setdefault(slot, []).append(term)
        found += [window(table, terms) for terms in windows.values()]
        return min((k for k in found if k is not None), key=len, default=None)

    def conjuncts(self):
        return self.left.conjuncts() + self.right.conjuncts()


class Or(Condition):
    def __init__(self, left, right):
        self.left, self.right = left, right

    def compile(self, context):
        left = self.left.compile(context)
        right = self.right.compile(context)

        def either(row):
            a = left(row)
            if a:
                return True
            b = right(row)
            return b if b or a is False else None
        return either

    def keys(self, table):
        left = self.left.keys(table)
        if left is None:
            return None
        right = self.right.keys(table)
        return None if right is None else list({*left, *right})


class Not(Condition):
    def __init__(self, inner):
        self.inner = inner

    def compile(self, context):
        if context.keep_nulls and isinstance(self.inner, Comparison) \
                and self.inner.word == "eq":
            return Comparison(self.inner.path, "ne",
                              self.inner.value).compile(context)
        inner = self.inner.compile(context)

        def negated(row):
            a = inner(row)
            return None if a is None else not a
        return negated


class NullTest(Condition):
    def __init__(self, path, is_null):
        self.path = path
        self.is_null = is_null

    def compile(self, context):
        get, is_null = self.path.getter(context.store), self.is_null
        return lambda row: (get(row) is None) is is_null


class Comparison(Condition):
    def __init__(self, path, word, value):
        self.path = path
        self.word = word
        self.value = value

    def compile(self, context):
        get = self.path.getter(context.store)
        test, value = OPERATORS[self.word], self.value
        if self.path.kind == "Edm.String":
            return self._compile_string(context, get, test)
        if self.path.kind == "Edm.Guid" and self.word not in ("eq", "ne"):
            get, value = self._in_guid_order(get), sort_key(value)
        of_null = True if self.word == "ne" and context.keep_nulls else None

        def compare(row):
            a = get(row)
            return of_null if a is None else test(a, value)
        return compare

    def _compile_string(self, context, get, test):
        fold = context.fold
        value = fold(self.value.rstrip(" "))
        of_null = True if self.word == "ne" and context.keep_nulls else None

        def compare(row):
            a = get(row)
            return of_null if a is None else test(fold(a.rstrip(" ")), value)
        return compare

    @staticmethod
    def _in_guid_order(get):
        def key(row):
            guid = get(row)
            return guid and sort_key(guid)
        return key

    def keys(self, table):
        if self.path.navigation is not None:
            return None
        prop = self.path.prop
        if prop is table.entity.key and self.word == "eq":
            key = sort_key(self.value)
            return [key] if key in table.rows else []
        if prop.kind == "EntityReference" and self.path.member == "Id" \
                and self.word == "eq":
            return [key for logical in prop.targets
                    for key in table.pointing(prop, (self.value, logical))]
        if self.window_slot(table) is not None:
            return window(table, [self])
        return None

    def window_slot(self, table):
        slot = self.path.prop.slot
        if self.path.navigation is None and slot in table.indexed \
                and self.word != "ne":
            return slot
        return None


class Match(Condition):
    """substringof, startswith, endswith: SQL's LIKE underneath."""

    def __init__(self, path, function, text):
        self.path = path
        self.function = function
        self.text = text

    def compile(self, context):
        get = self.path.getter(context.store)
        test = self._live(context) if context.wildcards \
            else self._literal(context)

        def match(row):
            a = get(row)
            return None if a is None else test(a)
        return match

    def _literal(self, context):
        fold, text = context.fold, context.fold(self.text)
        if self.function == "startswith":
            return lambda a: fold(a).startswith(text)
        if self.function == "endswith":
            return lambda a: fold(a).endswith(text)
        return lambda a: text in fold(a)

    def _live(self, context):
        pattern = like_pattern(context.fold(self.text))
        if self.function != "startswith":
            pattern = ".*" + pattern
        if self.function != "endswith":
            pattern += ".*"
        fullmatch = re.compile(pattern, re.DOTALL).fullmatch
        return lambda a: fullmatch(context.fold(a)) is not None


def like_pattern(text):
    """A LIKE pattern's % _ [...] as a regular expression."""
    parts, at = [], 0
    while at < len(text):
        char, close = text[at], text.find("]", at)
        if char == "[" and close > at + 1:
            parts.append("[%s]" % re.sub(r"([\\\[&~|])", r"\\\1",
                                         text[at + 1:close]))
            at = close
        else:
            parts.append({"%": ".*", "_": "."}.get(char, re.escape(char)))
        at += 1
    return "".join(parts)
