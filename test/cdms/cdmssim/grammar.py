"""The language of $filter, $orderby, $select and $expand.

A tokenizer and a recursive-descent parser for the OData v2 grammar as WCF
Data Services speaks it, minus what CRM 2011's provider can't do (protocol
notes 1.5): no arithmetic, of the functions only substringof, startswith and
endswith, and a comparison is always a property against a literal.  The words
of refusals follow wcf/30 and wcf/31 and odata/10.
"""

import binascii
import re
from decimal import Decimal

from . import conditions
from .errors import bad_request, no_property, not_where
from .values import GUID, seconds

TOKEN = re.compile(r"""
    (?P<blank>\s+)
  | (?P<typed>(?i:guid|datetimeoffset|datetime|time|binary|x)'(?:[^']|'')*')
  | (?P<string>'(?:[^']|'')*')
  | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[LlMmDdFf]?(?![A-Za-z0-9_]))
  | (?P<name>(?u:[^\W\d]\w*))
  | (?P<sign>[(),/*])
""", re.VERBOSE | re.ASCII)

DATETIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)"
                      r"(?:T(\d\d):(\d\d):(\d\d)(\.\d{1,7})?Z?)?\Z")
COMPARISONS = ("eq", "ne", "gt", "ge", "lt", "le")
ARITHMETIC = ("add", "sub", "mul", "div", "mod")
# Functions the framework knows and the platform refuses.
REFUSED = {"tolower", "toupper", "length", "indexof", "replace", "substring",
           "trim", "concat", "year", "month", "day", "hour", "minute",
           "second", "round", "floor", "ceiling", "isof", "cast"}
# Name -> place of the property among the two arguments.
FUNCTIONS = {"substringof": 1, "startswith": 0, "endswith": 0}


class Token:
    def __init__(self, kind, text, at):
        self.kind = kind
        self.text = text
        self.at = at


class Literal:
    """A constant; `plain` says a number was written without a suffix."""

    def __init__(self, kind, value, text, at, plain=False):
        self.kind = kind
        self.value = value
        self.text = text
        self.at = at
        self.plain = plain


def tokenize(text):
    tokens, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            if text[at] == "'":
                raise bad_request("Unterminated string literal at position %d "
                                  "in '%s'." % (len(text), text))
            raise bad_request("Syntax error at position %d in '%s'."
                              % (at, text))
        if match.lastgroup != "blank":
            tokens.append(Token(match.lastgroup, match.group(), at))
        at = match.end()
    tokens.append(Token("end", "", len(text)))
    return tokens


# -- literals -----------------------------------------------------------------

def unrecognized(kind, token):
    """The form of odata/10: the position stands where one expects the text."""
    return bad_request("Unrecognized '%s' literal '%s' in '%d'."
                       % (kind, token.text, token.at))


def number(token):
    text, suffix = token.text, token.text[-1].upper()
    digits = text[:-1] if suffix in "LMDF" else text
    fraction = "." in digits or "e" in digits.lower()
    if suffix == "M":
        return Literal("Edm.Decimal", Decimal(digits), text, token.at)
    if suffix in "DF" or fraction:
        if suffix == "L":
            raise unrecognized("Edm.Int64", token)
        kind = "Edm.Single" if suffix == "F" else "Edm.Double"
        return Literal(kind, float(digits), text, token.at, digits == text)
    kind, bits = ("Edm.Int64", 63) if suffix == "L" else ("Edm.Int32", 31)
    value = int(digits)
    if not -(1 << bits) <= value < 1 << bits:
        raise unrecognized(kind, token)
    return Literal(kind, value, text, token.at, digits == text)


def typed(token, switches):
    prefix, body = token.text[:-1].split("'", 1)
    prefix = prefix.lower()
    if prefix == "guid":
        if not GUID.match(body):
            raise unrecognized("Edm.Guid", token)
        return Literal("Edm.Guid", body.lower(), token.text, token.at)
    if prefix == "datetime":
        value = moment(token, body, switches)
        return Literal("Edm.DateTime", value, token.text, token.at)
    if prefix in ("x", "binary"):
        try:
            value = binascii.unhexlify(body)
        except ValueError:
            raise unrecognized("Edm.Binary", token) from None
        return Literal("Edm.Binary", value, token.text, token.at)
    raise not_where()  # no property is a Time or a DateTimeOffset


def moment(token, body, switches):
    """Zero-padded, whole seconds: what else there is fails (odata/10)."""
    match = DATETIME.match(body)
    if not match or match.group(7) \
            and switches["fractional-seconds"] == "refuse":
        raise unrecognized("Edm.DateTime", token)
    try:
        return seconds(*(int(part or 0) for part in match.groups()[:6]))
    except ValueError:
        raise unrecognized("Edm.DateTime", token) from None


# -- $filter ------------------------------------------------------------------

class FilterParser:
    """Turns a $filter into a condition (see conditions.py), or refuses it."""

    def __init__(self, text, entity, expanded, switches):
        self.text = text
        self.entity = entity
        self.expanded = expanded  # names of the navigations in $expand
        self.switches = switches
        self.tokens = tokenize(text)
        self.next = 0
        self.groups = set()

    def parse(self):
        node = self._boolean(self._or(), 0)
        if self._peek().kind != "end":
            raise self._syntax()
        if len(self.groups) > 1:
            raise bad_request("Conditions on more than one entity can't be "
                              "combined in one $filter.")
        return node

    # or, and: loosest first

    def _or(self):
        return self._chain("or", self._and, conditions.Or)

    def _and(self):
        return self._chain("and", self._comparison, conditions.And)

    def _chain(self, word, operand, combine):
        left = operand()
        while self._at_word(word):
            at = self._take().at
            right = operand()
            left = combine(self._boolean(left, at), self._boolean(right, at))
        return left

    def _comparison(self):
        left = self._unary()
        while self._peek().text in COMPARISONS and self._peek().kind == "name":
            operator = self._take()
            left = self._compare(left, operator, self._unary())
        if self._peek().kind == "name" and self._peek().text in ARITHMETIC:
            raise not_where()
        return left

    def _unary(self):
        if not self._at_word("not"):
            return self._primary()
        at = self._take().at
        operand = self._unary()
        if not isinstance(operand, conditions.Condition):
            raise bad_request("Operator 'not' incompatible with operand type "
                              "'%s' at position %d."
                              % (type_of(operand), at))
        return conditions.Not(operand)

    def _primary(self):
        token = self._peek()
        if token.kind == "sign" and token.text == "(":
            return self._parenthesis()
        if token.kind == "string":
            self._take()
            value = token.text[1:-1].replace("''", "'")
            return Literal("Edm.String", value, token.text, token.at)
        if token.kind == "number":
            return number(self._take())
        if token.kind == "typed":
            return typed(self._take(), self.switches)
        if token.kind == "name":
            return self._name()
        raise bad_request("Expression expected at position %d in '%s'."
                          % (token.at, self.text))

    def _parenthesis(self):
        self._take()
        node = self._or()
        if self._peek().text != ")":
            raise bad_request("')' or operator expected at position %d in "
                              "'%s'." % (self._peek().at, self.text))
        self._take()
        return node

    def _name(self):
        token = self._take()
        if token.text in ("true", "false"):
            return Literal("Edm.Boolean", token.text == "true", token.text,
                           token.at)
        if token.text == "null":
            return Literal(None, None, "null", token.at)
        if self._peek().text == "(":
            return self._call(token)
        return self._path(token)

    def _call(self, name):
        self._take()
        if name.text in REFUSED:
            raise not_where()
        if name.text not in FUNCTIONS:
            raise bad_request("Unknown function '%s' at position %d."
                              % (name.text, name.at))
        arguments = [self._or()]
        while self._peek().text == ",":
            self._take()
            arguments.append(self._or())
        if self._peek().text != ")":
            raise bad_request("')' or ',' expected at position %d in '%s'."
                              % (self._peek().at, self.text))
        self._take()
        return self._match(name, arguments)

    def _match(self, name, arguments):
        if len(arguments) != 2 or any(type_of(a) != "Edm.String"
                                      for a in arguments):
            raise bad_request(
                "No applicable function exists for '%s' at position %d with "
                "the specified arguments. The functions considered are: "
                "%s(Edm.String, Edm.String)."
                % (name.text, name.at, name.text))
        place = FUNCTIONS[name.text]
        path, literal = arguments[place], arguments[1 - place]
        if not isinstance(path, conditions.Path) \
                or not isinstance(literal, Literal):
            raise not_where()
        return conditions.Match(path, name.text, literal.value)

    def _path(self, token):
        names = [token.text]
        while self._peek().text == "/":
            self._take()
            part = self._take()
            if part.kind != "name":
                raise bad_request("Identifier expected at position %d in '%s'."
                                  % (part.at, self.text))
            names.append(part.text)
        path = resolve(self.entity, names)
        self._admit(path)
        return path

    def _admit(self, path):
        """What the framework would let through and the platform would not."""
        self.groups.add(path.navigation.name if path.navigation else None)
        if path.navigation and path.navigation.name not in self.expanded:
            raise bad_request("The navigation property '%s' in $filter is not "
                              "in $expand." % path.navigation.name)
        if path.member in ("Name", "LogicalName") \
                and self.switches["filter-reference-name"] == "refuse":
            raise not_where()
        if path.prop.name == "VersionNumber" \
                and self.switches["filter-version"] == "refuse":
            raise not_where()

    # comparisons

    def _compare(self, left, operator, right):
        word = operator.text
        if isinstance(left, conditions.Condition):
            return self._compare_truth(left, operator, right)
        if not isinstance(left, conditions.Path) \
                or not isinstance(right, Literal):
            raise not_where()
        if right.kind is None:
            if word not in ("eq", "ne") or left.kind is None:
                raise incompatible(operator, left, right)
            return conditions.NullTest(left, word == "eq")
        value = self._check(left, operator, right)
        return conditions.Comparison(left, word, value)

    def _compare_truth(self, left, operator, right):
        if not isinstance(right, Literal) or right.kind != "Edm.Boolean" \
                or operator.text not in ("eq", "ne"):
            raise incompatible(operator, left, right)
        wanted = right.value == (operator.text == "eq")
        return left if wanted else conditions.Not(left)

    def _check(self, left, operator, right):
        value = promote(left, right)
        if value is None:
            raise incompatible(operator, left, right)
        if operator.text not in ("eq", "ne"):
            if left.kind in ("Edm.Binary", "Edm.Boolean"):
                raise incompatible(operator, left, right)
            if left.kind == "Edm.Guid" \
                    and self.switches["guid-ranges"] == "refuse":
                raise not_where()
        return value

    def _boolean(self, node, at):
        if isinstance(node, conditions.Condition):
            return node
        if type_of(node) == "Edm.Boolean":
            raise not_where()  # a bare boolean property or constant
        raise bad_request("Expression of type 'Edm.Boolean' expected at "
                          "position %d in '%s'." % (at, self.text))

    # tokens

    def _peek(self):
        return self.tokens[self.next]

    def _take(self):
        token = self.tokens[self.next]
        if token.kind != "end":
            self.next += 1
        return token

    def _at_word(self, word):
        token = self._peek()
        return token.kind == "name" and token.text == word

    def _syntax(self):
        return bad_request("Syntax error at position %d in '%s'."
                           % (self._peek().at, self.text))


def type_of(node):
    if isinstance(node, conditions.Condition):
        return "Edm.Boolean"
    if node.kind is None:
        return node.prop.type_name if isinstance(node, conditions.Path) \
            else "null"
    return node.kind


def incompatible(operator, left, right):
    return bad_request(
        "Operator '%s' incompatible with operand types '%s' and '%s' at "
        "position %d." % (operator.text, type_of(left), type_of(right),
                          operator.at))


INTEGERS = ("Edm.Int16", "Edm.Int32", "Edm.Int64")
FLOATS = ("Edm.Double", "Edm.Single")


def promote(left, right):
    """The literal as a value to compare `left` with; None: they don't match.

    Whole numbers become anything numeric; a number with a point and without
    a suffix becomes a decimal where one is wanted; decimal and double are
    never mixed otherwise.
    """
    kind, other = left.kind, right.kind
    if kind is None or other is None:
        return None
    if kind == other:
        return right.value
    if kind in INTEGERS and other in INTEGERS + FLOATS + ("Edm.Decimal",):
        return right.value
    if kind == "Edm.Decimal" and other in INTEGERS:
        return right.value
    if kind == "Edm.Decimal" and other == "Edm.Double" and right.plain:
        return Decimal(right.text)
    if kind == "Edm.Double" and other in INTEGERS + FLOATS:
        return right.value
    return None


# -- paths --------------------------------------------------------------------

def resolve(entity, names):
    """[navigation/]property[/member] of an entity, as a Path."""
    navigation = entity.navigation.get(names[0])
    owner, rest, followed = entity, names, None
    if navigation is not None:
        if navigation.many or len(names) == 1:
            raise not_where()
        owner, rest = navigation.target, names[1:]
        followed = entity.by_name[navigation.reference]
    prop = owner.by_name.get(rest[0])
    if prop is None:
        raise no_property(rest[0], owner)
    return conditions.Path(navigation, prop, _member(prop, rest[1:]), followed)


def _member(prop, names):
    if not names:
        return None
    members = dict(prop.members or ())
    if names[0] not in members or len(names) > 1:
        raise bad_request("Could not find a property named '%s' on type '%s'."
                          % (names[-1], prop.type_name))
    return names[0]


# -- $orderby, $select, $expand -----------------------------------------------

MOST_ORDERS = 12  # protocol notes 1.5
MOST_EXPANDS = 6


def parse_orderby(text, entity, switches):
    """[(Path, descending)]: root properties only."""
    terms = []
    for item in text.split(","):
        words = item.split()
        if not words or len(words) > 2 or words[1:] not in ([], ["asc"],
                                                            ["desc"]):
            raise bad_request("Syntax error at position %d in '%s'."
                              % (len(text) if not words else 0, text))
        if not re.match(r"[A-Za-z_][\w/]*\Z", words[0], re.ASCII):
            raise not_where()
        path = resolve(entity, words[0].split("/"))
        if path.navigation is not None or path.kind in (None, "Edm.Binary"):
            raise bad_request("Sorting is not possible by '%s'." % words[0])
        if path.prop.name == "VersionNumber" \
                and switches["filter-version"] == "refuse":
            raise not_where()
        terms.append((path, words[1:] == ["desc"]))
    if len(terms) > MOST_ORDERS:
        raise bad_request("The number of columns in $orderby exceeds %d."
                          % MOST_ORDERS)
    return terms


def parse_expand(text, entity):
    names = []
    for item in (part.strip() for part in text.split(",")):
        if "/" in item:
            raise bad_request("Multi level expansion isn't supported.")
        if item not in entity.navigation:
            if item in entity.by_name:
                raise bad_request("Only navigation properties specified in "
                                  "expand can be used: '%s'." % item)
            raise no_property(item, entity)
        if item not in names:
            names.append(item)
    if len(names) > MOST_EXPANDS:
        raise bad_request("The number of relationships in $expand exceeds %d."
                          % MOST_EXPANDS)
    return names


class Selection:
    """What $select leaves: properties and links, of the root and expanded."""

    def __init__(self, entity):
        self.entity = entity
        self.properties = list(entity.properties)
        self.links = list(entity.navigation.values())
        self.below = {}  # navigation name -> Selection

    @classmethod
    def parse(cls, text, entity, expanded):
        chosen = cls(entity)
        chosen.properties, chosen.links = [], []
        for item in (part.strip() for part in text.split(",")):
            chosen._choose(item, expanded)
        return chosen

    def _choose(self, item, expanded):
        if item == "*":
            self.properties = list(self.entity.properties)
            return
        head, _, rest = item.partition("/")
        if head in self.entity.navigation:
            self._choose_link(self.entity.navigation[head], rest, expanded)
        elif head not in self.entity.by_name:
            raise no_property(head, self.entity)
        elif rest:
            raise bad_request("The property '%s' on type '%s' can't be "
                              "selected in part." % (head,
                                                     self.entity.type_name))
        elif self.entity.by_name[head] not in self.properties:
            self.properties.append(self.entity.by_name[head])

    def _choose_link(self, link, rest, expanded):
        if link not in self.links:
            self.links.append(link)
        if not rest:
            return
        if link.name not in expanded:
            raise bad_request("'%s' in $select is not in $expand." % link.name)
        if link.name not in self.below:
            below = self.below[link.name] = Selection(link.target)
            below.properties, below.links = [], []
        self.below[link.name]._choose(rest, ())

    def of(self, link):
        return self.below.get(link.name) or Selection(link.target)
