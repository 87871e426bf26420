"""Entities and their properties, by CDMS's own names and letter case.

The names come from the schema of the real organisation.  Lengths, scales and
option ranges are CRM's defaults where known; $metadata never shows them.
"""

NAMESPACE = "Microsoft.Crm.Sdk.Data.Services"

COMPLEX_TYPES = {
    "EntityReference": (("Id", "Edm.Guid"), ("LogicalName", "Edm.String"),
                        ("Name", "Edm.String")),
    "OptionSetValue": (("Value", "Edm.Int32"),),
    "Money": (("Value", "Edm.Decimal"),),
    "BooleanManagedProperty": (("CanBeChanged", "Edm.Boolean"),
                               ("ManagedPropertyLogicalName", "Edm.String"),
                               ("Value", "Edm.Boolean")),
}


class Property:
    """One property; `slot` is where a row keeps its value."""

    def __init__(self, name, kind, *, length=None, scale=10, targets=(),
                 options=None, server=False, create_only=False):
        self.name = name
        self.kind = kind
        self.length = length
        self.scale = 4 if kind == "Money" else scale
        self.targets = targets
        self.options = options
        self.server = server  # set by CDMS; what a client sends is not taken
        self.create_only = create_only
        self.slot = None

    @property
    def members(self):
        """Members of a complex type, None for a primitive."""
        return COMPLEX_TYPES.get(self.kind)

    @property
    def type_name(self):
        return "%s.%s" % (NAMESPACE, self.kind) if self.members else self.kind


class Navigation:
    """A navigation property: along `reference`, or back to a collection."""

    def __init__(self, name, relationship, target, reference, many):
        self.name = name
        self.relationship = relationship
        self.target = target  # an Entity
        self.reference = reference  # property name, on the many side
        self.many = many


class Entity:
    def __init__(self, name, properties, *, title=None, access="write",
                 state_names=("StateCode", "StatusCode")):
        self.name = name
        self.logical_name = name.lower()
        self.set_name = name + "Set"
        self.type_name = "%s.%s" % (NAMESPACE, name)
        self.properties = properties
        self.by_name = {p.name: p for p in properties}
        self.key = properties[0]
        self.title = self.by_name.get(title)
        self.access = access  # write, read, or intersect
        state, status = state_names
        self.state = self.by_name.get(state)
        self.status = self.by_name.get(status)
        self.navigation = {}
        for slot, prop in enumerate(properties):
            prop.slot = slot

    def slot(self, name):
        prop = self.by_name.get(name)
        return None if prop is None else prop.slot


# -- shorthand for the tables below -------------------------------------------

def guid(name):
    return Property(name, "Edm.Guid")


def string(name, length=100, **more):
    return Property(name, "Edm.String", length=length, **more)


def boolean(name):
    return Property(name, "Edm.Boolean")


def int32(name):
    return Property(name, "Edm.Int32")


def double(name):
    return Property(name, "Edm.Double")


def date(name, **more):
    return Property(name, "Edm.DateTime", **more)


def money(name, **more):
    return Property(name, "Money", **more)


def option(name, *options, **more):
    return Property(name, "OptionSetValue", options=options, **more)


def reference(name, *targets, **more):
    return Property(name, "EntityReference", targets=targets, **more)


def owner():
    return reference("OwnerId", "systemuser", "team", create_only=True)


def stamps():
    """What CDMS writes on each record by itself."""
    return [reference("CreatedBy", "systemuser", server=True),
            reference("ModifiedBy", "systemuser", server=True),
            date("CreatedOn", server=True), date("ModifiedOn", server=True)]


def version():
    return Property("VersionNumber", "Edm.Int64", server=True)


def state(name="StateCode", status="StatusCode"):
    return [option(name, 0, 1, create_only=True), option(status, 1, 2)]


ACCOUNT = Entity("Account", [
    guid("AccountId"), string("Name", 160), string("AccountNumber", 20),
    string("optevia_Alias"), boolean("optevia_ukorganisation"),
    reference("optevia_Country", "optevia_country"),
    string("optevia_PostCode", 50), string("optevia_Address1"),
    string("optevia_Address2"), string("optevia_Address3"),
    string("optevia_Address4"), string("optevia_TownCity"),
    string("optevia_StateCounty"),
    reference("optevia_UKRegion", "optevia_ukregion"),
    string("optevia_CountryCode", 10), string("optevia_AreaCode", 10),
    string("optevia_TelephoneNumber", 50), string("EMailAddress1"),
    string("WebSiteURL", 200), reference("optevia_Sector", "optevia_sector"),
    boolean("optevia_PAFOverride"),
    string("optevia_CompaniesHouseNumber", 20), string("Description", 10000),
    int32("NumberOfEmployees"), money("Revenue"),
    money("Revenue_Base", server=True), money("CreditLimit"),
    Property("ExchangeRate", "Edm.Decimal", server=True),
    double("Address1_Latitude"), double("Address1_Longitude"),
    option("IndustryCode", *range(1, 34)), option("OwnershipCode", 1, 2, 3, 4),
    option("CustomerTypeCode", *range(1, 13)),
    option("AccountCategoryCode", 1, 2), boolean("CreditOnHold"),
    boolean("DoNotPhone"), boolean("DoNotEMail"), date("LastUsedInCampaign"),
    date("optevia_LastVerified"), date("OpenDeals_Date"),
    string("Telephone1", 50), option("CustomerSizeCode", 1),
    string("Address1_City", 80), string("Address1_Country", 80),
    string("Address1_PostalCode", 20), reference("ParentAccountId", "account"),
    reference("PrimaryContactId", "contact"), owner(), *stamps(),
    date("OverriddenCreatedOn", create_only=True), *state(), version(),
], title="Name")

CONTACT = Entity("Contact", [
    guid("ContactId"), string("FirstName", 50), string("LastName", 50),
    string("FullName", 160, server=True), string("EMailAddress1"),
    string("Telephone1", 50), string("MobilePhone", 50), string("JobTitle"),
    date("BirthDate"), string("Address1_City", 80), int32("NumberOfChildren"),
    boolean("DoNotEMail"), money("CreditLimit"), option("GenderCode", 1, 2),
    reference("ParentCustomerId", "account", "contact"),
    reference("AccountId", "account", server=True), owner(), *stamps(),
    *state(), version(),
], title="FullName")

SECTOR = Entity("optevia_sector", [
    guid("optevia_sectorId"), string("optevia_name"), string("optevia_Sector"),
    reference("optevia_ParentSector", "optevia_sector"),
    int32("optevia_SortIndex"), *stamps(), *state("statecode", "statuscode"),
    version(),
], title="optevia_name", state_names=("statecode", "statuscode"))

COUNTRY = Entity("optevia_country", [
    guid("optevia_countryId"), string("optevia_Country"),
    string("optevia_Description", 200), string("optevia_ISOCountry2", 2),
    string("optevia_ISOCountry3", 3), int32("optevia_TelephoneCode"),
    boolean("detica_eu"), *stamps(), *state("statecode", "statuscode"),
    version(),
], title="optevia_Country", state_names=("statecode", "statuscode"))

UKREGION = Entity("optevia_ukregion", [
    guid("optevia_ukregionId"), string("optevia_name"),
    string("optevia_UKRegionCode", 10), int32("optevia_SortIndex"),
    boolean("optevia_AddressUse"), *stamps(),
    *state("statecode", "statuscode"), version(),
], title="optevia_name", state_names=("statecode", "statuscode"))

SYSTEM_USER = Entity("SystemUser", [
    guid("SystemUserId"), string("FirstName"), string("LastName"),
    string("FullName", 200), string("DomainName", 1024), string("JobTitle"),
    string("InternalEMailAddress"), boolean("IsDisabled"), *stamps(),
    version(),
], title="FullName", access="read")

# A set behind an N:N relationship: no ModifiedOn, can't be written directly.
ACCOUNT_LEADS = Entity("AccountLeads", [
    guid("AccountLeadId"), guid("LeadId"), guid("AccountId"), version(),
], access="intersect")

AUDIT = Entity("Audit", [
    guid("AuditId"), date("CreatedOn"), option("Operation"), option("Action"),
    string("AttributeMask", 10000), guid("TransactionId"),
    reference("ObjectId", "account", "contact"),
    reference("UserId", "systemuser"),
    reference("CallingUserId", "systemuser"),
], access="read")

# Writable, with a VersionNumber but without ModifiedOn.
ACTIVITY_PARTY = Entity("ActivityParty", [
    guid("ActivityPartyId"), reference("PartyId", "account", "contact"),
    option("ParticipationTypeMask", *range(1, 12)), string("AddressUsed", 200),
    boolean("DoNotEmail"), boolean("DoNotPhone"), double("Effort"),
    date("ScheduledStart"), date("ScheduledEnd"),
    string("ExchangeEntryId", 1024), version(),
], title="AddressUsed")

# Not CDMS's: it exists so that every Edm type, and every complex type, is met,
# and a name that is not ASCII.
PROBE = Entity("optevia_attachmentprobe", [
    guid("optevia_attachmentprobeId"), string("optevia_name"),
    Property("optevia_Content", "Edm.Binary"),
    Property("optevia_Small", "Edm.Int16"),
    Property("optevia_Size", "Edm.Int64"),
    Property("optevia_Ratio", "Edm.Decimal", scale=5),
    double("optevia_Weight"), int32("optevia_Count"),
    boolean("optevia_Checked"), date("optevia_Taken"), guid("optevia_Marker"),
    money("optevia_Price"), option("optevia_Kind", 1, 2, 3),
    reference("optevia_Account", "account"),
    reference("optevia_Regarding", "account", "contact"),
    string("optevia_Größe"),
    Property("IsCustomizable", "BooleanManagedProperty", server=True),
    *stamps(), *state("statecode", "statuscode"), version(),
], title="optevia_name", state_names=("statecode", "statuscode"))

ENTITIES = [ACCOUNT, CONTACT, SECTOR, COUNTRY, UKREGION, SYSTEM_USER,
            ACCOUNT_LEADS, AUDIT, ACTIVITY_PARTY, PROBE]
BY_NAME = {e.name: e for e in ENTITIES}
BY_SET = {e.set_name: e for e in ENTITIES}
BY_LOGICAL = {e.logical_name: e for e in ENTITIES}

# (relationship, many side, its reference, one side); a relationship of an
# entity with itself has Referencing/Referenced names, as CRM gives them.
RELATIONSHIPS = [
    ("account_primary_contact", "Account", "PrimaryContactId", "Contact"),
    ("contact_customer_accounts", "Contact", "ParentCustomerId", "Account"),
    ("account_parent_account", "Account", "ParentAccountId", "Account"),
    ("contact_customer_contacts", "Contact", "ParentCustomerId", "Contact"),
    ("optevia_account_Sector", "Account", "optevia_Sector", "optevia_sector"),
    ("optevia_optevia_country_account_Country", "Account", "optevia_Country",
     "optevia_country"),
    ("optevia_ukregion_account", "Account", "optevia_UKRegion",
     "optevia_ukregion"),
    ("optevia_sector_sector", "optevia_sector", "optevia_ParentSector",
     "optevia_sector"),
    ("lk_accountbase_createdby", "Account", "CreatedBy", "SystemUser"),
    ("lk_accountbase_modifiedby", "Account", "ModifiedBy", "SystemUser"),
    ("lk_contactbase_createdby", "Contact", "CreatedBy", "SystemUser"),
    ("lk_contactbase_modifiedby", "Contact", "ModifiedBy", "SystemUser"),
    ("account_activity_parties", "ActivityParty", "PartyId", "Account"),
    ("contact_activity_parties", "ActivityParty", "PartyId", "Contact"),
    ("optevia_account_attachmentprobe", "optevia_attachmentprobe",
     "optevia_Account", "Account"),
]


def _relate():
    for name, many, prop, one in RELATIONSHIPS:
        to_one, to_many = name, name
        if many == one:
            to_one, to_many = "Referencing" + name, "Referenced" + name
        BY_NAME[many].navigation[to_one] = \
            Navigation(to_one, name, BY_NAME[one], prop, False)
        BY_NAME[one].navigation[to_many] = \
            Navigation(to_many, name, BY_NAME[many], prop, True)


_relate()
