"""Values: how they are kept in a row, read from a body and written out.

In a row a value is plain Python: str, bool, int, Decimal, float, bytes, a Guid
as its lower-case text, a DateTime as whole seconds since 1970 (CRM keeps no
fractions), an EntityReference as (id, logical name), an OptionSetValue and a
Money as the bare number.  None is null; a complex value is never null on the
wire, its members are.
"""

import base64
import binascii
import re
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from .errors import unprocessable

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)
EARLIEST = -6847804800  # 1753-01-01: SQL Server's datetime begins there
LATEST = 253402300799  # 9999-12-31T23:59:59

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
JSON_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/\Z")
US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})"
                     r"(?: (\d{1,2}):(\d\d)(?::(\d\d))?)?\Z")
ISO_DATE = re.compile(r"(-?\d{4})-(\d\d)-(\d\d)"
                      r"(?:T(\d\d):(\d\d):(\d\d)(?:\.\d{1,7})?"
                      r"(Z|[+-]\d\d:\d\d)?)?\Z")
INTEGER = re.compile(r"[+-]?\d+\Z")
INTEGER_BITS = {"Edm.Int16": 15, "Edm.Int32": 31, "Edm.Int64": 63}


# -- dates --------------------------------------------------------------------

def seconds(*fields):
    """Seconds since 1970 of UTC year, month, day[, hour, minute, second]."""
    return (datetime(*fields, tzinfo=timezone.utc) - EPOCH) // SECOND


def iso_date(value):
    moment = EPOCH + timedelta(seconds=value)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def parse_iso(text):
    """ISO 8601 as XmlConvert reads it; fractions are cut, no zone is UTC."""
    match = ISO_DATE.match(text)
    if not match:
        raise ValueError(text)
    fields = [int(part or 0) for part in match.groups()[:6]]
    value = seconds(*fields)
    zone = match.group(7)
    if zone and zone != "Z":
        sign = -1 if zone[0] == "+" else 1
        value += sign * (int(zone[1:3]) * 3600 + int(zone[4:6]) * 60)
    return value


def parse_json_date(text):
    """/Date(ms)/, or what a US server's DateTime.Parse takes (odata/03)."""
    match = JSON_DATE.match(text)
    if match:
        return int(match.group(1)) // 1000
    match = US_DATE.match(text)
    if match:
        month, day, year, *clock = [int(part or 0) for part in match.groups()]
        return seconds(year, month, day, *clock)
    return parse_iso(text)


# -- from a body --------------------------------------------------------------

def parse_integer(text, kind):
    if not INTEGER.match(text):
        raise ValueError(text)
    value = int(text)
    bits = INTEGER_BITS[kind]
    if not -(1 << bits) <= value < 1 << bits:
        raise ValueError(text)
    return value


def parse_decimal(text):
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if not value.is_finite():
        raise ValueError(text)
    return value


def parse_guid(text):
    if not GUID.match(text):
        raise ValueError(text)
    return text.lower()


def parse_boolean(text):
    try:
        return {"true": True, "false": False, "1": True, "0": False}[text]
    except KeyError:
        raise ValueError(text) from None


def parse_binary(text):
    return base64.b64decode(text, validate=True)


def parse_string(text):
    text.encode("utf-8")  # half a surrogate pair is no text
    return text


TEXT_PARSERS = {
    "Edm.String": parse_string,
    "Edm.Guid": parse_guid,
    "Edm.Boolean": parse_boolean,
    "Edm.Int16": lambda text: parse_integer(text, "Edm.Int16"),
    "Edm.Int32": lambda text: parse_integer(text, "Edm.Int32"),
    "Edm.Int64": lambda text: parse_integer(text, "Edm.Int64"),
    "Edm.Decimal": parse_decimal,
    "Edm.Double": float,
    "Edm.DateTime": parse_iso,
    "Edm.Binary": parse_binary,
}

# JSON has types of its own; a value of another one is refused, not converted.
JSON_TYPES = {
    "Edm.String": (str,),
    "Edm.Guid": (str,),
    "Edm.Boolean": (bool,),
    "Edm.Int16": (int,),
    "Edm.Int32": (int,),
    "Edm.Int64": (int, str),
    "Edm.Decimal": (int, Decimal, str),
    "Edm.Double": (int, Decimal, str),
    "Edm.DateTime": (str,),
    "Edm.Binary": (str,),
}


def from_text(kind, text):
    """An Atom element's text as a value of an Edm type, or a 400."""
    try:
        return TEXT_PARSERS[kind](text)
    except (ValueError, OverflowError, binascii.Error):
        raise unprocessable() from None


def from_json(kind, raw):
    """A JSON scalar (numbers parsed to int or Decimal) as a value, or a 400."""
    allowed = JSON_TYPES[kind]
    if isinstance(raw, bool) != (kind == "Edm.Boolean") \
            or not isinstance(raw, allowed):
        raise unprocessable()
    try:
        if kind == "Edm.DateTime":
            return parse_json_date(raw)
        if kind == "Edm.Boolean":
            return raw
        return TEXT_PARSERS[kind](raw if isinstance(raw, str) else str(raw))
    except (ValueError, OverflowError, binascii.Error):
        raise unprocessable() from None


# -- to text ------------------------------------------------------------------

def decimal_text(value):
    return format(value, "f")


def double_text(value):
    """.NET's shortest round-trip form: -89.9, 1E+20, INF."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "INF" if value > 0 else "-INF"
    text = repr(value)
    if "e" in text:
        mantissa, exponent = text.split("e")
        mantissa = mantissa[:-2] if mantissa.endswith(".0") else mantissa
        sign = "-" if exponent[0] == "-" else "+"
        return "%sE%s%s" % (mantissa, sign, exponent.lstrip("+-").zfill(2))
    return text[:-2] if text.endswith(".0") else text


def base64_text(value):
    return base64.b64encode(value).decode("ascii")


def boolean_text(value):
    return "true" if value else "false"


TEXT_WRITERS = {
    "Edm.String": str,
    "Edm.Guid": str,
    "Edm.Boolean": boolean_text,
    "Edm.Int16": str,
    "Edm.Int32": str,
    "Edm.Int64": str,
    "Edm.Decimal": decimal_text,
    "Edm.Double": double_text,
    "Edm.DateTime": iso_date,
    "Edm.Binary": base64_text,
}


def rounded(value, scale):
    return value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)


# -- keys in SQL Server's order -----------------------------------------------

def sort_key(guid):
    """Bytes that sort as SQL Server sorts a uniqueidentifier.

    The last six bytes weigh most, the first four least and right to left.
    odata/02 shows it: its first row, 7A48..., precedes its last, 2215...
    """
    raw = bytes.fromhex(guid.replace("-", ""))
    return raw[10:] + raw[8:10] + raw[7::-1]


def guid_text(key):
    """The Guid whose sort_key this is."""
    h = (key[:7:-1] + key[6:8] + key[:6]).hex()
    return "%s-%s-%s-%s-%s" % (h[:8], h[8:12], h[12:16], h[16:20], h[20:])
