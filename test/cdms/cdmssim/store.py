"""Tables of records, their indexes, and the journal that can undo a change.

Rows are lists, never altered once stored: a change stores a new list.  So a
row read under the lock may be serialised after it, and a cached text stays
true as long as the row is the same object.  Rows of the seed are made when
first wanted; until then a table holds their number only, which is why a
hundred thousand records cost nothing at the start.

Keys are `values.sort_key` bytes throughout: the order of a table's `order`
list is the order SQL Server would read the clustered index in.
"""

from bisect import bisect_left, bisect_right, insort
from threading import RLock

from . import model
from .values import sort_key


INDEXED = ("CreatedOn", "ModifiedOn", "VersionNumber")


class RangeIndex:
    """(value, key) pairs in order: what a ModifiedOn window asks for."""

    def __init__(self, pairs):
        self.pairs = sorted(pairs)

    def add(self, value, key):
        if value is not None:
            insort(self.pairs, (value, key))

    def remove(self, value, key):
        if value is not None:
            at = bisect_left(self.pairs, (value, key))
            del self.pairs[at]

    def span(self, low, high):
        """Positions of low <= value <= high; None leaves an end open."""
        start = 0 if low is None else bisect_left(self.pairs, (low,))
        if high is None:
            return start, len(self.pairs)
        return start, bisect_right(self.pairs, (high, b"\xff" * 17))

    def keys(self, start, end):
        return [key for _, key in self.pairs[start:end]]


class Table:
    """One entity's records.  `seed` makes row n of the data every run has."""

    def __init__(self, entity, seed):
        self.entity = entity
        self.seed = seed
        self.rows = {sort_key(guid): n for n, guid in enumerate(seed.keys())}
        self.order = sorted(self.rows)
        self.changes = 0
        # indexes, each made when first wanted
        self.indexed = {p.slot: p for p in entity.properties
                        if p.name in INDEXED}
        self.ranges = {}  # slot -> RangeIndex
        self.pointers = {}  # reference slot -> {(id, logical name): keys}

    def get(self, key):
        row = self.rows.get(key)
        if type(row) is int:
            row = self.rows[key] = self.seed.row(row)
        return row

    def find(self, guid):
        return self.get(sort_key(guid))

    def put(self, key, row):
        """Stores a row; returns the one it replaces."""
        old = self.get(key)
        if old is None:
            insort(self.order, key)
        self._index(key, old, row)
        self.rows[key] = row
        return old

    def remove(self, key):
        old = self.get(key)
        self._index(key, old, None)
        del self.rows[key]
        del self.order[bisect_left(self.order, key)]
        return old

    def pointing(self, prop, target):
        """Keys of the rows whose reference `prop` is target (id, logical)."""
        if prop.slot not in self.pointers:
            self.pointers[prop.slot] = self._point(prop)
        return sorted(self.pointers[prop.slot].get(target, ()))

    def _point(self, prop):
        pointers = {}
        for value, key in self._values(prop):
            pointers.setdefault(value, set()).add(key)
        return pointers

    def range(self, slot):
        """The RangeIndex of one of `indexed`."""
        if slot not in self.ranges:
            self.ranges[slot] = RangeIndex(self._values(self.indexed[slot]))
        return self.ranges[slot]

    def _values(self, prop):
        """(value, key) of all rows that have a value."""
        for key, row in self.rows.items():
            value = self.seed.value(row, prop) if type(row) is int \
                else row[prop.slot]
            if value is not None:
                yield value, key

    def _index(self, key, old, new):
        self.changes += 1
        for slot, index in self.ranges.items():
            if old is not None:
                index.remove(old[slot], key)
            if new is not None:
                index.add(new[slot], key)
        for slot, pointers in self.pointers.items():
            if old is not None and old[slot] is not None:
                pointers[old[slot]].discard(key)
            if new is not None and new[slot] is not None:
                pointers.setdefault(new[slot], set()).add(key)


class Store:
    """All tables; whoever reads or writes holds `lock`."""

    def __init__(self, dataset):
        self.dataset = dataset
        self.lock = RLock()
        self.journal = None
        self.changes = 0
        self.titles = 0
        self.names = {}  # what `title` has found since `titles` rose
        self.viewer = None  # who is asking just now
        self.hidden = set()  # (entity name, record's guid, user or None)
        self.reset()

    def reset(self):
        with self.lock:
            self.tables = {e.name: Table(e, self.dataset.of(e))
                           for e in model.ENTITIES}
            self.last_version = self.dataset.last_version
            self.hidden = set()
            self.changes += 1
            self._rename()

    def table(self, entity):
        return self.tables[entity.name]

    def next_version(self):
        """CDMS's VersionNumber is a rowversion: rising over all tables."""
        self.last_version += 1
        return self.last_version

    def put(self, entity, key, row):
        old = self.table(entity).put(key, row)
        self._changed(entity, key, old, row)

    def remove(self, entity, key):
        old = self.table(entity).remove(key)
        self._changed(entity, key, old, None)

    def title(self, target):
        """The Name of a reference: read from the record it points at."""
        name = self.names.get(target)
        if name is None:
            name = self._title(target)
            if name is not None:
                self.names[target] = name
        return name

    def _title(self, target):
        entity = model.BY_LOGICAL.get(target[1])
        if entity is None or entity.title is None:
            return None
        row = self.tables[entity.name].find(target[0])
        return None if row is None else row[entity.title.slot]

    def _rename(self):
        """Some reference's name is not what it was."""
        self.titles += 1
        self.names = {}

    def exists(self, target):
        entity = model.BY_LOGICAL.get(target[1])
        return entity is not None \
            and sort_key(target[0]) in self.tables[entity.name].rows

    # -- what the one who asks may not see ------------------------------------

    def visible(self, entity, row):
        return (entity.name, row[0], None) not in self.hidden \
            and (entity.name, row[0], self.viewer) not in self.hidden

    def veil(self, entity, test):
        """`test` so that it drops hidden rows; lists are trimmed silently."""
        if not any(name == entity.name for name, _, _ in self.hidden):
            return test

        def seen(row):
            return self.visible(entity, row) and (test is None or test(row))
        return seen

    # -- undo: a change set is all or nothing ---------------------------------

    def begin(self):
        self.journal = []

    def commit(self):
        self.journal = None

    def rollback(self):
        journal, self.journal = self.journal, None
        for entity, key, old in reversed(journal):
            if old is None:
                self.remove(entity, key)
            else:
                self.put(entity, key, old)

    def _changed(self, entity, key, old, new):
        if self.journal is not None:
            self.journal.append((entity, key, old))
        self.changes += 1
        title = entity.title
        if title is not None and old is not None and (
                new is None or old[title.slot] != new[title.slot]):
            self._rename()
