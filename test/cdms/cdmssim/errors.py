"""What the service answers when it refuses.

Two sorts, as the captures show: the framework's own refusals (400, no code,
empty language; wcf/29-31 and 43) and the platform's (a signed code, en-US,
404 or 500; wcf/28, 33, 42).
"""


class ServiceError(Exception):
    """A refusal with its HTTP status and its error document's content."""

    def __init__(self, status, message, code="", lang="", headers=()):
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.lang = lang
        self.headers = list(headers)
        self.cached = bool(code)  # platform errors carry Cache-Control


class PlainError(Exception):
    """A refusal by IIS in front of the service: HTML, never a document."""

    def __init__(self, status, title, headers=()):
        super().__init__(title)
        self.status = status
        self.title = title
        self.headers = list(headers)


def bad_request(message):
    return ServiceError(400, message)


def unprocessable():
    """WCF's word for any body it can't turn into an entity (wcf/43)."""
    return bad_request("An error occurred while processing this request.")


def platform(code, message, status=500):
    return ServiceError(status, message, str(code), "en-US")


# Codes with a source (captures, protocol notes 4.3, 4.4).
DOES_NOT_EXIST = -2147220969
DUPLICATE_KEY = -2147220937
PAGING_COOKIE = -2147220715
# Codes chosen for this stand-in; README names them.
VALUE_RANGE = -2147204303
OPTION_RANGE = -2147204326
INVALID_ARGUMENT = -2147220989
STATUS_FOR_STATE = -2147187704
PRIVILEGE = -2147220960
ACCESS_CHECK = -2147187962
NO_SUCH_MESSAGE = -2147220717


def does_not_exist(logical_name, key):
    text = "%s With Id = %s Does Not Exist" % (logical_name, key)
    return platform(DOES_NOT_EXIST, text, 404)


def no_access(logical_name, key):
    return platform(ACCESS_CHECK, "SecLib::AccessCheckEx failed. %s %s"
                    % (logical_name, key), 403)


def no_property(name, entity):
    return bad_request("Could not find a property named '%s' on type '%s'."
                       % (name, entity.type_name))


def no_segment(name):
    return ServiceError(404, "Resource not found for the segment '%s'." % name)


def not_where():
    """The platform's query provider on what the framework could parse."""
    return bad_request("Invalid 'where' condition. An entity member is "
                       "invoking an invalid property or method.")
