"""What a create, an update or a delete does to the store.

Values arrive parsed; here CDMS's own rules apply: which it sets itself, which
it refuses, how long and how precise a value may be, what must exist.
"""

import uuid

from . import model
from .errors import (DUPLICATE_KEY, INVALID_ARGUMENT, OPTION_RANGE,
                     STATUS_FOR_STATE, VALUE_RANGE, bad_request,
                     does_not_exist, platform)
from .values import EARLIEST, LATEST, rounded, sort_key

ANYBODY = ("5784bd4a-0000-4000-8000-000000000001", "systemuser")
STATUSES = {0: 1, 1: 2}  # the one status of each state
MONEY_LIMIT = 922337203685477  # what SQL Server's money holds


class Writer:
    """Writes as one user at the clock's time."""

    def __init__(self, store, switches, clock):
        self.store = store
        self.switches = switches
        self.clock = clock

    # -- the four verbs; the caller holds the store's lock --------------------

    def create(self, entity, values, who=ANYBODY):
        """The stored row; `values` maps Property to value."""
        values = self._taken(entity, values, creating=True)
        guid = values.pop(entity.key, None) or str(uuid.uuid4())
        if self.store.exists((guid, entity.logical_name)):
            raise platform(DUPLICATE_KEY, "Cannot insert duplicate key.")
        row = [None] * len(entity.properties)
        row[0] = guid
        if entity.state is not None:
            row[entity.state.slot], row[entity.status.slot] = 0, 1
        self._fill(entity, row, values)
        self._default_owner(entity, row, who)
        return self._save(entity, row, who, created=True, action=1)

    def merge(self, entity, guid, values, who=ANYBODY):
        old = self._existing(entity, guid)
        self._refuse_inactive(entity, old)
        values = self._taken(entity, values, creating=False)
        row = list(old)
        self._fill(entity, row, values)
        return self._save(entity, row, who, action=2)

    def replace(self, entity, guid, values, who=ANYBODY):
        """PUT: what is not sent goes back to nothing (OData v2)."""
        old = self._existing(entity, guid)
        self._refuse_inactive(entity, old)
        values = self._taken(entity, values, creating=False)
        kept = {entity.key, entity.state, entity.status}
        row = [value if prop in kept or prop.server or prop.create_only
               else None for prop, value in zip(entity.properties, old)]
        self._fill(entity, row, values)
        return self._save(entity, row, who, action=2)

    def delete(self, entity, guid, who=ANYBODY):
        row = self._existing(entity, guid)
        self._unlink(entity, guid, who)
        self.store.remove(entity, sort_key(guid))
        self._audit(entity, row, who, 3)

    # -- what a client may send -----------------------------------------------

    def _taken(self, entity, values, creating):
        """The values to store, each in CDMS's own form.

        The key in an update's body is not looked at, as wcf/48 suggests.
        """
        taken = {}
        for prop, value in values.items():
            if prop is entity.key and not creating:
                continue
            if prop.server or prop.name == "OverriddenCreatedOn" \
                    and not creating:
                self._refuse_server_set(prop)
            elif prop is entity.state:
                if self._state_allowed(entity, prop, value, creating):
                    taken[prop] = value
            elif prop.create_only and not creating \
                    and self.switches["state-owner-writes"] == "refuse":
                raise not_for_update(entity, prop)
            else:
                taken[prop] = self._stored(entity, prop, value)
        return taken

    def _refuse_server_set(self, prop):
        if self.switches["read-only-writes"] == "refuse":
            raise bad_request("The property '%s' is set by the server and "
                              "can't be written." % prop.name)

    def _state_allowed(self, entity, prop, value, creating):
        """A state changes by SetState only (protocol notes 5)."""
        if self.switches["state-owner-writes"] == "accept":
            return True
        if creating and value == 0:
            return True
        raise not_for_update(entity, prop)

    def _stored(self, entity, prop, value):
        if value is None:
            return None
        if prop.kind == "Edm.String":
            return self._string(entity, prop, value)
        if prop.kind == "Edm.DateTime" and not EARLIEST <= value <= LATEST:
            raise platform(INVALID_ARGUMENT, "Date is less than the minimum "
                           "value supported by CrmDateTime. Minimum value "
                           "supported: 01/01/1753 00:00:00.")
        if prop.kind in ("Edm.Decimal", "Money"):
            return self._number(entity, prop, value)
        if prop.kind == "OptionSetValue":
            self._check_option(entity, prop, value)
        if prop.kind == "EntityReference" and not self.store.exists(value):
            raise does_not_exist(value[1], value[0])
        return value

    def _string(self, entity, prop, value):
        if value == "" and self.switches["empty-string"] == "null":
            return None
        # lengths count UTF-16 code units, as nvarchar does
        if prop.length and len(value.encode("utf-16-le", "surrogatepass")) \
                > 2 * prop.length:
            raise platform(VALUE_RANGE, "A validation error occurred. The "
                           "length of the '%s' attribute of the '%s' entity "
                           "exceeded the maximum allowed length of '%d'."
                           % (prop.name.lower(), entity.logical_name,
                              prop.length))
        return value

    @staticmethod
    def _number(entity, prop, value):
        if abs(value) > MONEY_LIMIT:
            raise platform(VALUE_RANGE, "A validation error occurred. The "
                           "value of '%s' on record of type '%s' is outside "
                           "the valid range." % (prop.name.lower(),
                                                 entity.logical_name))
        return rounded(value, prop.scale)

    def _check_option(self, entity, prop, value):
        if self.switches["option-values"] == "accept" or not prop.options:
            return
        if value not in prop.options:
            raise platform(OPTION_RANGE, "The value '%d' of '%s' on record of "
                           "type '%s' is outside the valid range. Accepted "
                           "Values: %s" % (value, prop.name.lower(),
                                           entity.logical_name,
                                           ",".join(map(str, prop.options))))

    def _existing(self, entity, guid):
        row = self.store.table(entity).find(guid)
        if row is None:
            raise does_not_exist(entity.logical_name, guid)
        return row

    def _refuse_inactive(self, entity, row):
        if entity.state is not None and row[entity.state.slot] == 1 \
                and self.switches["inactive-updates"] == "refuse":
            raise platform(INVALID_ARGUMENT, "The %s is inactive; activate it "
                           "before it is updated." % entity.logical_name)

    # -- putting a row together -----------------------------------------------

    def _fill(self, entity, row, values):
        for prop, value in values.items():
            row[prop.slot] = value
        self._check_status(entity, row)
        if entity is model.CONTACT:
            self._derive_contact(row)
        if entity is model.ACCOUNT:
            self._derive_account(row)

    def _check_status(self, entity, row):
        if entity.state is None:
            return
        state, status = row[entity.state.slot], row[entity.status.slot]
        if status is None:
            row[entity.status.slot] = STATUSES[state]
        elif STATUSES.get(state) != status \
                and self.switches["state-owner-writes"] == "refuse":
            raise platform(STATUS_FOR_STATE, "%d is not a valid status code "
                           "for state code %d on %s."
                           % (status, state, entity.logical_name))

    @staticmethod
    def _derive_contact(row):
        slot = model.CONTACT.slot
        names = [row[slot("FirstName")], row[slot("LastName")]]
        row[slot("FullName")] = " ".join(n for n in names if n) or None
        parent = row[slot("ParentCustomerId")]
        row[slot("AccountId")] = parent \
            if parent and parent[1] == "account" else None

    @staticmethod
    def _derive_account(row):
        slot = model.ACCOUNT.slot
        row[slot("Revenue_Base")] = row[slot("Revenue")]

    @staticmethod
    def _default_owner(entity, row, who):
        slot = entity.slot("OwnerId")
        if slot is not None and row[slot] is None:
            row[slot] = who

    def _save(self, entity, row, who, created=False, action=2, stamps=None):
        """Stamps the row and stores it; `stamps` overrides what is stamped."""
        now = self.clock.now()
        marks = {"VersionNumber": self.store.next_version(),
                 "ModifiedBy": who, "ModifiedOn": now}
        if created:
            marks.update(CreatedBy=who, CreatedOn=self._created_on(entity, row))
        elif self.switches["modified-on"] == "sticky":
            del marks["ModifiedOn"]
        marks.update(stamps or {})
        for name, value in marks.items():
            slot = entity.slot(name)
            if slot is not None:
                row[slot] = value
        self.store.put(entity, sort_key(row[0]), row)
        self._audit(entity, row, who, action)
        return row

    def _created_on(self, entity, row):
        """OverriddenCreatedOn changes places with it (protocol notes 5)."""
        now = self.clock.now()
        slot = entity.slot("OverriddenCreatedOn")
        if slot is None or row[slot] is None:
            return now
        wanted, row[slot] = row[slot], now
        return wanted

    # -- deleting -------------------------------------------------------------

    def _unlink(self, entity, guid, who):
        """No reference outlives its target; an account takes its contacts."""
        target = (guid, entity.logical_name)
        cascade = self.switches["delete-cascade"] == "cascade"
        for other in model.ENTITIES:
            table = self.store.table(other)
            for prop in other.properties:
                if entity.logical_name not in prop.targets \
                        or other.access != "write" or prop.server:
                    continue
                for key in table.pointing(prop, target):
                    row = table.get(key)
                    if row is None or row[0] == guid:
                        continue
                    if cascade and entity is model.ACCOUNT \
                            and prop.name == "ParentCustomerId":
                        self.delete(other, row[0], who)
                    else:
                        self._release(other, prop, row, who)

    def _release(self, entity, prop, row, who):
        row = list(row)
        row[prop.slot] = None
        self._fill(entity, row, {})
        self._save(entity, row, who)

    # -- behind the service's back: no rule but the store's own ---------------

    def force(self, entity, guid, values, stamps, who):
        """Somebody's edit or create in CDMS itself, SetState included."""
        old = self.store.table(entity).find(guid)
        row = list(old) if old else [None] * len(entity.properties)
        row[0] = guid
        if old is None and entity.state is not None:
            row[entity.state.slot], row[entity.status.slot] = 0, 1
        for prop, value in values.items():
            row[prop.slot] = value
            if prop is entity.state and entity.status not in values:
                row[entity.status.slot] = STATUSES.get(value)
        for prop in values:
            if prop.kind in ("Edm.Decimal", "Money") \
                    and row[prop.slot] is not None:
                row[prop.slot] = rounded(row[prop.slot], prop.scale)
        if entity is model.CONTACT:
            self._derive_contact(row)
        if entity is model.ACCOUNT:
            self._derive_account(row)
        self._default_owner(entity, row, who)
        return self._save(entity, row, who, created=old is None,
                          action=2 if old else 1, stamps=stamps)

    def _audit(self, entity, row, who, action):
        if self.switches["auditing"] != "on" \
                or entity not in (model.ACCOUNT, model.CONTACT):
            return
        audit = model.AUDIT
        entry = [None] * len(audit.properties)
        entry[0] = str(uuid.uuid4())
        for name, value in (("CreatedOn", self.clock.now()),
                            ("Operation", action), ("Action", action),
                            ("ObjectId", (row[0], entity.logical_name)),
                            ("UserId", who)):
            entry[audit.slot(name)] = value
        self.store.put(audit, sort_key(entry[0]), entry)


def not_for_update(entity, prop):
    special = "SetState" if prop is entity.state else "Assign"
    return platform(INVALID_ARGUMENT, "The property '%s' of '%s' is not valid "
                    "for update; it takes a %s request."
                    % (prop.name, entity.logical_name, special))
