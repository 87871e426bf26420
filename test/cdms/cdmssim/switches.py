"""Points of the protocol nobody could confirm, each one a named switch.

A client that only works with one position of a switch depends on something
unproven.  README.md says which point each of them stands for.
"""


class Switch:
    def __init__(self, default, choices, meaning):
        self.default = default
        self.choices = choices  # a tuple of words, or int
        self.meaning = meaning

    def parse(self, text):
        if self.choices is int:
            if not str(text).isdigit():
                raise ValueError("a whole number is wanted")
            return int(text)
        if text not in self.choices:
            raise ValueError("one of %s is wanted" % ", ".join(self.choices))
        return text


SWITCHES = {
    "batch": Switch("off", ("off", "atomic", "not-atomic"),
                    "$batch: unsupported; change sets all or nothing; "
                    "accepted but each request on its own"),
    "page-size": Switch(50, int, "rows in a page"),
    "next-link": Switch("absolute", ("absolute", "relative"),
                        "form of the next link"),
    "last-page": Switch("exact", ("exact", "empty"),
                        "empty: a full last page links to an empty one"),
    "skip-limit": Switch(5000, int, "$skip + $top beyond it need a cookie"),
    "url-limit": Switch(2048, int, "longest URL; 0: any"),
    "json-results": Switch("object", ("object", "bare"),
                           "bare: {\"d\":[...]} where no page is cut"),
    "json-dates": Switch("escaped", ("escaped", "plain"),
                         "\\/Date(ms)\\/ or /Date(ms)/"),
    "json-numbers": Switch("string", ("string", "number"),
                           "how Edm.Int64 and Edm.Decimal are written"),
    "json-metadata": Switch("crm", ("crm", "wcf"),
                            "wcf: __metadata.id and odata=verbose"),
    "row-version": Switch("off", ("off", "on"),
                          "EntityReference has a RowVersion member"),
    "atom-order": Switch("wcf", ("wcf", "crm"),
                         "order of an entry's elements"),
    "string-compare": Switch("ci", ("ci", "ci-ai", "cs"),
                             "collation: no case; nor accents; exact case"),
    "like-wildcards": Switch("literal", ("literal", "live"),
                             "live: % _ [ in a pattern are wildcards"),
    "ne-null": Switch("drop", ("drop", "keep"),
                      "keep: 'ne' returns rows without a value too"),
    "empty-string": Switch("keep", ("keep", "null"),
                           "null: '' is stored as null"),
    "read-only-writes": Switch("ignore", ("ignore", "refuse"),
                               "a value sent for CreatedOn and the like"),
    "state-owner-writes": Switch("refuse", ("refuse", "accept"),
                                 "StateCode and OwnerId in an update"),
    "inactive-updates": Switch("refuse", ("refuse", "accept"),
                               "updates of a deactivated record"),
    "option-values": Switch("refuse", ("refuse", "accept"),
                            "option values outside the list"),
    "filter-version": Switch("accept", ("accept", "refuse"),
                             "VersionNumber in $filter and $orderby"),
    "filter-reference-name": Switch("refuse", ("refuse", "accept"),
                                    "Name, LogicalName of a reference in "
                                    "$filter"),
    "guid-ranges": Switch("refuse", ("refuse", "accept"),
                          "gt ge lt le between Guids"),
    "fractional-seconds": Switch("refuse", ("refuse", "accept"),
                                 "datetime'...:01.5' literals"),
    "modified-on": Switch("every-write", ("every-write", "sticky"),
                          "sticky: a MERGE leaves ModifiedOn alone"),
    "delete-cascade": Switch("cascade", ("cascade", "null"),
                             "an account's contacts: deleted, or unlinked"),
    "errors": Switch("document", ("document", "html"),
                     "html: error bodies are not documents"),
    "gzip": Switch("off", ("off", "on"),
                   "answers compressed where the client accepts it"),
    "date-header": Switch("on", ("on", "off", "300000"),
                          "the Date header; 300000: its year"),
    "auditing": Switch("off", ("off", "on"), "writes leave an Audit record"),
    "login": Switch("basic", ("basic", "ntlm", "adfs", "header"),
                    "how those who have a password log in"),
    "login-lost": Switch("redirect", ("redirect", "401", "page"),
                         "adfs: answer to who is not logged in (any longer)"),
    "login-form": Switch("adfs2", ("adfs2", "adfs3"), "ADFS's edition"),
    "login-hops": Switch(1, int, "2: an STS between ADFS and CDMS"),
    "login-sts": Switch("adfs", ("adfs", "door"),
                        "where that is: ADFS's host; the second port"),
}


class Switches:
    """The present position of each switch; `start` is what reset goes to."""

    def __init__(self, start=()):
        self.start = {name: s.default for name, s in SWITCHES.items()}
        for name, text in dict(start).items():
            self.start[name] = self._parse(name, text)
        self.reset()

    def __getitem__(self, name):
        return self.now[name]

    def set(self, name, text):
        self.now[name] = self._parse(name, text)
        self.changes += 1

    def reset(self):
        self.now = dict(self.start)
        self.changes = getattr(self, "changes", 0) + 1

    @staticmethod
    def _parse(name, text):
        if name not in SWITCHES:
            raise ValueError("no switch named %s" % name)
        try:
            return SWITCHES[name].parse(text)
        except ValueError as why:
            raise ValueError("switch %s: %s" % (name, why)) from None
