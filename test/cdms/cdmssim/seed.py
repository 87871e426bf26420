"""The data every run starts from: made from numbers, never stored.

Record n of an entity is a pure function of n (and of the run's --seed), so a
reset, a restart and another machine give the same keys and values.  A `value`
that an index needs costs microseconds; whole rows are made on demand.
"""

from decimal import Decimal

from . import hard_values, model, places
from .values import seconds

MASK = (1 << 64) - 1
FIRST_STAMP = seconds(2012, 1, 1)
STAMP_SPAN = 4 * 365 * 86400
FIRST_VERSION = 1000000
STERLING = Decimal("1.0000000000")

USERS = [("First name", "Last name"), ("Helen", "Marsh"), ("Ravi", "Shah"),
         ("Integration", "Service"), ("Gareth", "Pugh")]


def mix(seed, n):
    """SplitMix64: a well-spread 64-bit number for record n."""
    z = (seed + n * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def pick(words, bits):
    return words[bits % len(words)]


def reference_key(prefix, n):
    return "%s-0000-4000-8000-%012d" % (prefix, n)


def user(n):
    return (reference_key("5784bd4a", n % len(USERS) + 1), "systemuser")


class EntitySeed:
    """Rows of one entity; subclasses say how many and what is in them."""

    salt = 0

    def __init__(self, dataset, entity, first_version):
        self.dataset = dataset
        self.entity = entity
        self.first_version = first_version
        self.salt = mix(dataset.seed, sum(entity.name.encode()))

    def bits(self, n):
        return mix(self.salt, n)

    def stamps(self, n):
        """(created, modified) in whole seconds."""
        bits = self.bits(n)
        created = FIRST_STAMP + bits % STAMP_SPAN
        return created, created + (bits >> 32) % (300 * 86400)

    def keys(self):
        return [self.key(n) for n in range(self.count())]

    def value(self, n, prop):
        """One property of row n, cheaply if there is a way."""
        if prop.name == "VersionNumber":
            return self.first_version + n
        return self.row(n)[prop.slot]

    def row(self, n):
        entity = self.entity
        row = [None] * len(entity.properties)
        row[0] = self.key(n)
        if entity.slot("CreatedOn") is not None:
            self._stamp(row, n)
        if entity.state is not None:
            row[entity.state.slot] = 0
            row[entity.status.slot] = 1
        self._set(row, "VersionNumber", self.first_version + n)
        for name, value in self.fields(n).items():
            row[entity.by_name[name].slot] = value
        return row

    def _stamp(self, row, n):
        created, modified = self.stamps(n)
        self._set(row, "CreatedOn", created)
        self._set(row, "ModifiedOn", modified)
        self._set(row, "CreatedBy", user(n))
        self._set(row, "ModifiedBy", user(n // 5))

    def _set(self, row, name, value):
        slot = self.entity.slot(name)
        if slot is not None:
            row[slot] = value


class ListSeed(EntitySeed):
    """A small entity written out as a list of property dictionaries."""

    def __init__(self, dataset, entity, first_version, prefix, items):
        super().__init__(dataset, entity, first_version)
        self.prefix = prefix
        self.items = items

    def count(self):
        return len(self.items)

    def key(self, n):
        return reference_key(self.prefix, n + 1)

    def fields(self, n):
        return self.items[n]


class MassSeed(EntitySeed):
    """Ordinary records by the thousand after the hard values."""

    hard = {}
    hard_key = None

    def value(self, n, prop):
        if prop.name in ("CreatedOn", "ModifiedOn") and n >= len(self.hard):
            return self.stamps(n)[prop.name == "ModifiedOn"]
        return super().value(n, prop)

    def count(self):
        return max(self.size, len(self.hard))

    def key(self, n):
        if n < len(self.hard):
            return type(self).hard_key(n + 1)
        bits = self.bits(n)
        node = (n * 0x9E3779 + self.first_version) & 0xFFFFFF
        return "%08x-%04x-e111-%04x-00155d%06x" % (
            bits >> 32, bits >> 16 & 0xFFFF, 0x9000 | bits & 0xFFF, node)

    def fields(self, n):
        fields = self.ordinary(n)
        if n < len(self.hard):
            fields.update(self.hard[n + 1])
        return self.derived(fields)

    def derived(self, fields):
        return fields


class AccountSeed(MassSeed):
    hard = hard_values.ACCOUNTS
    hard_key = staticmethod(hard_values.account_key)

    @property
    def size(self):
        return self.dataset.accounts

    def value(self, n, prop):
        if prop.name == "PrimaryContactId" and n >= len(self.hard):
            return self.primary_contact(n)
        if prop.name == "ParentAccountId" and n >= len(self.hard):
            return self.parent(n)
        return super().value(n, prop)

    def primary_contact(self, n):
        """The first of the contacts that ContactSeed gives this account."""
        contact = n + len(hard_values.CONTACTS)
        contacts = self.dataset.of(model.CONTACT)
        if contact >= contacts.count():
            return None
        return (contacts.key(contact), "contact")

    def parent(self, n):
        if n % 9 or n < 7:
            return None
        return (self.key(n - n % 7 - 1), "account")

    def name(self, bits):
        return "%s %s %s" % (pick(places.SURNAMES, bits),
                             pick(places.TRADES, bits >> 8),
                             pick(places.FORMS, bits >> 16))

    def ordinary(self, n):
        bits = self.bits(n)
        place = pick(places.TOWNS, bits >> 5)
        fields = {
            "Name": self.name(bits), "AccountNumber": "AC-%06d" % n,
            "optevia_Alias": None if bits & 3 else
            pick(places.TRADES, bits >> 8) + " House",
            "Description": None if n % 4 else
            "Registered through the regional office.",
            "optevia_Sector": self.dataset.sector(bits >> 11),
            "OwnerId": user(n), "PrimaryContactId": self.primary_contact(n),
            "ParentAccountId": self.parent(n),
        }
        fields.update(self.address(n, bits, place))
        fields.update(self.contact_details(n, bits, place))
        fields.update(self.codes(n, bits))
        return fields

    def address(self, n, bits, place):
        town, county, region, area, _, latitude, longitude = place
        postcode = "%s%d %d%s%s" % (area, bits % 20 + 1, bits >> 3 & 7,
                                    "ABDEFGHJLNPQRSTUWXYZ"[bits % 20],
                                    "ABDEFGHJLNPQRSTUWXYZ"[(bits >> 6) % 20])
        street = "%d %s" % (bits % 240 + 1, pick(places.STREETS, bits >> 9))
        return {
            "optevia_ukorganisation": True,
            "optevia_Country": self.dataset.country(0),
            "optevia_PostCode": postcode, "optevia_Address1": street,
            "optevia_Address2": None if bits & 4 else "Unit %d" % (n % 30 + 1),
            "optevia_TownCity": town, "optevia_StateCounty": county,
            "optevia_UKRegion": self.dataset.region(region),
            "optevia_PAFOverride": bool(bits & 8),
            "Address1_City": town, "Address1_Country": "United Kingdom",
            "Address1_PostalCode": postcode,
            "Address1_Latitude": round(latitude + (bits % 97) / 1000, 4),
            "Address1_Longitude": round(longitude + (bits % 89) / 1000, 4),
        }

    def contact_details(self, n, bits, place):
        site = "www.%s-%d.example" % (pick(places.TRADES, bits >> 8).lower(), n)
        number = "496 0%03d" % (n % 1000)
        return {
            "optevia_CountryCode": "44", "optevia_AreaCode": place[4],
            "optevia_TelephoneNumber": number,
            "Telephone1": "%s %s" % (place[4], number),
            "EMailAddress1": "enquiries@%s" % site[4:],
            "WebSiteURL": "http://%s/?a=%d&b=1" % (site, n),
            "optevia_CompaniesHouseNumber": "%08d" % (bits % 10**8),
        }

    def codes(self, n, bits):
        return {
            "NumberOfEmployees": None if n % 11 == 0 else bits % 2000,
            "Revenue": None if n % 6 == 0 else
            Decimal(bits % 10**11).scaleb(-4),
            "CreditLimit": Decimal(bits % 50 * 1000).quantize(STERLING)
            .quantize(Decimal("1.0000")),
            "ExchangeRate": STERLING,
            "IndustryCode": None if n % 5 == 0 else bits % 33 + 1,
            "OwnershipCode": bits % 4 + 1, "CustomerTypeCode": bits % 12 + 1,
            "AccountCategoryCode": bits % 2 + 1, "CreditOnHold": n % 50 == 0,
            "CustomerSizeCode": 1, "DoNotPhone": bool(bits & 1),
            "DoNotEMail": bool(bits & 2),
            "LastUsedInCampaign": None if n % 3 else
            seconds(2012, 1, 1) + n % 1000 * 86400,
            "optevia_LastVerified": seconds(2013, 6, 1) + bits % 86400,
        }

    def derived(self, fields):
        fields["Revenue_Base"] = fields["Revenue"]
        return fields


class ContactSeed(MassSeed):
    hard = hard_values.CONTACTS
    hard_key = staticmethod(hard_values.contact_key)

    @property
    def size(self):
        return self.dataset.contacts

    def value(self, n, prop):
        if prop.name in ("ParentCustomerId", "AccountId") \
                and n >= len(self.hard):
            return self.parent(n)
        return super().value(n, prop)

    def parent(self, n):
        """Contacts go round the ordinary accounts, one each in turn."""
        accounts = self.dataset.of(model.ACCOUNT)
        ordinary = accounts.count() - len(accounts.hard)
        if not ordinary:
            return None
        turn = (n - len(self.hard)) % ordinary
        return (accounts.key(len(accounts.hard) + turn), "account")

    def ordinary(self, n):
        bits = self.bits(n)
        first = pick(places.FIRST_NAMES, bits)
        last = pick(places.SURNAMES, bits >> 8)
        place = pick(places.TOWNS, bits >> 5)
        return {
            "FirstName": first, "LastName": last,
            "EMailAddress1": "%s.%s%d@mail.example" % (first.lower(),
                                                       last.lower(), n),
            "Telephone1": "%s 496 0%03d" % (place[4], n % 1000),
            "MobilePhone": None if n % 3 else "07700 900%03d" % (n % 1000),
            "JobTitle": pick(places.JOBS, bits >> 16),
            "BirthDate": seconds(1940, 1, 1) + bits % 20000 * 86400,
            "Address1_City": place[0], "NumberOfChildren": bits % 4,
            "DoNotEMail": bool(bits & 16),
            "CreditLimit": None if n % 10 else
            Decimal(bits % 10**7).scaleb(-2).quantize(Decimal("1.0000")),
            "GenderCode": bits % 2 + 1, "ParentCustomerId": self.parent(n)
            if n >= len(self.hard) else None, "OwnerId": user(n),
        }

    def derived(self, fields):
        parts = [fields["FirstName"], fields["LastName"]]
        fields["FullName"] = " ".join(p for p in parts if p)
        parent = fields["ParentCustomerId"]
        fields["AccountId"] = parent if parent and parent[1] == "account" \
            else None
        return fields


class Dataset:
    """The seeds of all entities, sized as the command line asked."""

    def __init__(self, accounts=500, contacts=800, seed=2011):
        self.accounts = accounts
        self.contacts = contacts
        self.seed = seed
        self.last_version = FIRST_VERSION
        self.seeds = {}
        for name, items in self._lists():
            self._add(ListSeed, model.BY_NAME[name], *items)
        self._add(ContactSeed, model.CONTACT)
        self._add(AccountSeed, model.ACCOUNT)

    def of(self, entity):
        return self.seeds[entity.name]

    def sector(self, n):
        return (reference_key("5ec70000", n % len(places.SECTORS) + 1),
                "optevia_sector")

    def country(self, n):
        return (reference_key("c0f70000", n + 1), "optevia_country")

    def region(self, name):
        return (reference_key("4e610000", places.UKREGIONS.index(name) + 1),
                "optevia_ukregion")

    def _add(self, kind, entity, *more):
        seed = kind(self, entity, self.last_version + 1, *more)
        self.seeds[entity.name] = seed
        self.last_version += seed.count()

    def _lists(self):
        return [
            ("SystemUser", ("5784bd4a", [self._user(*u) for u in USERS])),
            ("optevia_sector", ("5ec70000", [
                {"optevia_name": name, "optevia_Sector": name,
                 "optevia_SortIndex": n + 1}
                for n, name in enumerate(places.SECTORS)])),
            ("optevia_country", ("c0f70000", [
                dict(zip(("optevia_Country", "optevia_ISOCountry2",
                          "optevia_ISOCountry3", "optevia_TelephoneCode",
                          "detica_eu"), country))
                for country in places.COUNTRIES])),
            ("optevia_ukregion", ("4e610000", [
                {"optevia_name": name, "optevia_UKRegionCode": "R%02d" % n,
                 "optevia_SortIndex": n, "optevia_AddressUse": True}
                for n, name in enumerate(places.UKREGIONS, 1)])),
            ("AccountLeads", ("1ead0000", [
                {"LeadId": reference_key("1ead1111", n),
                 "AccountId": hard_values.account_key(n)}
                for n in range(1, 11)])),
            ("Audit", ("a0d10000", [self._audit(n) for n in range(60)])),
            ("ActivityParty", ("ac710000", [self._party(n)
                                            for n in range(60)])),
            ("optevia_attachmentprobe", ("b1000000", self._probes())),
        ]

    @staticmethod
    def _user(first, last):
        login = "UKTI\\" + first.split()[0].lower()
        return {"FirstName": first, "LastName": last, "DomainName": login,
                "FullName": "%s %s" % (first, last), "IsDisabled": False,
                "JobTitle": "Adviser"}

    @staticmethod
    def _audit(n):
        return {"CreatedOn": FIRST_STAMP + n * 3600, "Operation": n % 3 + 1,
                "Action": n % 3 + 1, "AttributeMask": "%d,%d" % (n, n + 7),
                "ObjectId": (hard_values.account_key(n % 30 + 1), "account"),
                "UserId": user(n)}

    @staticmethod
    def _party(n):
        party = (hard_values.contact_key(n % 10 + 1), "contact") if n % 2 \
            else (hard_values.account_key(n % 30 + 1), "account")
        return {"PartyId": party, "ParticipationTypeMask": n % 11 + 1,
                "AddressUsed": "party%d@mail.example" % n, "Effort": n / 4,
                "DoNotEmail": n % 7 == 0, "DoNotPhone": n % 5 == 0,
                "ScheduledStart": FIRST_STAMP + n * 7200}

    @staticmethod
    def _probes():
        def probe(name, content, small, size, ratio, weight):
            return {"optevia_name": name, "optevia_Content": content,
                    "optevia_Small": small, "optevia_Size": size,
                    "optevia_Ratio": ratio, "optevia_Weight": weight,
                    "IsCustomizable": (True, "canbechanged", True)}
        return [
            probe("bytes", bytes(range(256)), 32767, 9223372036854775807,
                  Decimal("12345678901234.56789"), 0.1),
            probe("empty", b"", -32768, -9223372036854775808,
                  Decimal("-0.00001"), 1e300),
            probe("null", None, None, None, None, None),
            probe("zero", b"\0", 0, 0, Decimal("0.00000"), -0.0),
            probe("large", b"\xff\xfe" * 5000, 1, 9007199254740993,
                  Decimal("1.00000"), 123456789.12345679),
        ]
