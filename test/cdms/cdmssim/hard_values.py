"""Records with values that break naive clients, at fixed keys.

Accounts are aaaaaaaa-0000-4000-8000-0000000000NN and contacts
cccccccc-0000-4000-8000-0000000000NN; README.md lists them.
"""

from decimal import Decimal

from .values import seconds

LONG_TEXT = ("Exports to %d markets; visited by the regional team. " * 200)
LONG_TEXT = (LONG_TEXT % tuple(range(1, 201)))[:7999] + "\u2713"


def account_key(number):
    return "aaaaaaaa-0000-4000-8000-%012d" % number


def contact_key(number):
    return "cccccccc-0000-4000-8000-%012d" % number


def _account(number):
    return (account_key(number), "account")


def _contact(number):
    return (contact_key(number), "contact")


# number -> properties that differ from an ordinary record's
ACCOUNTS = {
    1: {"Name": "O'Neil & Sons", "optevia_TownCity": "King's Lynn",
        "PrimaryContactId": _contact(1)},
    2: {"Name": "100%_ Wool", "optevia_Alias": "50% [off]_sale"},
    3: {"Name": "&lt;b&gt; Literally", "Description": "&amp;amp; &#65;"},
    4: {"Name": "<b>Bold</b> & Co", "Description": "]]> <!-- x --> <?pi?>"},
    5: {"Name": "Lines and Tabs Ltd",
        "Description": "first\nsecond\r\nthird\rfourth\tafter a tab"},
    6: {"Name": "Rocket \U0001F680 Ltd",
        "optevia_Alias": "\U0001F469\u200D\U0001F52C"},
    7: {"Name": "\u6771\u4eac\u8cbf\u6613\u682a\u5f0f\u4f1a\u793e",
        "Address1_City": "\u6771\u4eac"},
    8: {"Name": "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
        "optevia_Alias": "\u202Eright to left\u202C"},
    9: {"Name": "Cafe\u0301 Combining", "optevia_Alias": "Caf\u00e9"},
    10: {"Name": "Trailing Blanks   ", "optevia_Alias": "one "},
    11: {"Name": "   Leading Blanks", "optevia_Alias": " one"},
    12: {"Name": "Empty String", "optevia_Alias": "", "Description": ""},
    13: {"Name": "Null Values", "optevia_Alias": None, "Description": None,
         "optevia_Sector": None, "optevia_Country": None,
         "optevia_UKRegion": None, "IndustryCode": None, "Revenue": None,
         "NumberOfEmployees": None, "CreditOnHold": None,
         "Address1_Latitude": None, "optevia_LastVerified": None,
         "EMailAddress1": None, "PrimaryContactId": None},
    14: {"Name": "Before 1970 Ltd", "optevia_LastVerified":
         seconds(1969, 12, 31, 23, 59, 59),
         "LastUsedInCampaign": seconds(1950, 6, 1)},
    15: {"Name": "Before 1900 Ltd",
         "optevia_LastVerified": seconds(1753, 1, 1),
         "LastUsedInCampaign": seconds(1899, 12, 31, 12, 30, 15)},
    16: {"Name": "\u212Aelvin Sign Ltd", "optevia_Alias": "kelvin"},
    17: {"Name": "\u0130stanbul Trading", "optevia_Alias": "istanbul"},
    18: {"Name": "Back\\slash \\n Ltd", "optevia_Alias": "\\"},
    19: {"Name": 'Double "Quotes" Ltd', "optevia_Alias": "''"},
    20: {"Name": "Very Long Description Ltd", "Description": LONG_TEXT},
    21: {"Name": "Largest Numbers Ltd", "NumberOfEmployees": 2147483647,
         "Revenue": Decimal("922337203685477.5807"),
         "CreditLimit": Decimal("100000000000.0000")},
    22: {"Name": "Smallest Numbers Ltd", "NumberOfEmployees": -2147483648,
         "Revenue": Decimal("-1234.5600"), "CreditLimit": Decimal("0.0001"),
         "Address1_Latitude": -90.0, "Address1_Longitude": 1e-7},
    23: {"Name": "Deactivated Ltd", "StateCode": 1, "StatusCode": 2},
    24: {"Name": "NULL"},
    25: {"Name": "\\N", "optevia_Alias": "\\."},
    26: {"Name": "a,b;c\"d'e", "optevia_Alias": "x=1&y=2#z+%20?"},
    27: {"Name": "Stra\u00dfe GmbH", "optevia_Alias": "STRASSE"},
    28: {"Name": "Far Future Ltd",
         "optevia_LastVerified": seconds(9999, 12, 31, 23, 59, 59)},
    29: {"Name": "Subsidiary Ltd", "ParentAccountId": _account(1)},
    30: {"Name": "/Date(0)/", "optevia_Alias": "guid'x'"},
}

CONTACTS = {
    1: {"FirstName": "Sinéad", "LastName": "O'Neil",
        "ParentCustomerId": _account(1)},
    2: {"FirstName": "Ada", "LastName": "Of-Contact",
        "ParentCustomerId": _contact(1)},
    3: {"FirstName": "Nobody", "LastName": "Employed",
        "ParentCustomerId": None},
    4: {"FirstName": None, "LastName": "Mononym", "BirthDate": None,
        "GenderCode": None},
    5: {"FirstName": "Old", "LastName": "Timer",
        "BirthDate": seconds(1899, 2, 28), "ParentCustomerId": _account(15)},
    6: {"FirstName": "Leap", "LastName": "Day",
        "BirthDate": seconds(1968, 2, 29, 23)},
    7: {"FirstName": "\U0001F600", "LastName": "\u5f20\u4f1f"},
    8: {"FirstName": "In Debt", "LastName": "Person",
        "CreditLimit": Decimal("-0.0100")},
    9: {"FirstName": "Gone", "LastName": "Away", "StateCode": 1,
        "StatusCode": 2},
    10: {"FirstName": " Padded ", "LastName": "  Name  "},
}
