"""OrganizationData.svc: its URL space, its verbs, its headers."""

import re
import uuid
from urllib.parse import unquote

from . import atom_format, batch, json_format, metadata, model
from .errors import (NO_SUCH_MESSAGE, PRIVILEGE, PlainError, ServiceError,
                     bad_request, does_not_exist, no_access, no_segment,
                     platform, unprocessable)
from .http_server import Response
from .query import Query, Shape, check_options, split_options
from .values import GUID

ORGANISATION = "/UKTI"
ROOT = ORGANISATION + "/XRMServices/2011/OrganizationData.svc"
SEGMENT = re.compile(r"([A-Za-z_]\w*)(?:\((.*)\))?\Z", re.ASCII | re.DOTALL)
KEY = re.compile(r"(?:(\w+)\s*=\s*)?guid'([^']*)'\Z", re.IGNORECASE)
TUNNELLED = ("MERGE", "PUT", "DELETE")
SHAPES_KEPT = 64


class Operation:
    """One request to the service, alone or out of a batch."""

    def __init__(self, verb, target, headers, body):
        self.verb = verb
        self.headers = headers
        self.body = body
        path, _, self.query = target.partition("?")
        self.path = unquote(path)
        self.base = None
        self.rest = None

    def locate(self):
        """Splits the path behind the service's root; IIS answers the rest."""
        if self.path[:len(ROOT)].lower() != ROOT.lower() \
                or self.path[len(ROOT):][:1] not in ("", "/"):
            raise PlainError(404, "404 - File or directory not found.")
        host = self.headers.get("host")
        if not host:
            raise PlainError(400, "Bad Request - Invalid Hostname")
        self.base = "%s://%s%s" % (
            self.headers.get("x-forwarded-proto", "http"), host,
            self.path[:len(ROOT)])
        self.rest = self.path[len(ROOT):].strip("/")

    def apply_tunnel(self):
        """X-HTTP-Method makes a POST another verb; it does so for POST only."""
        method = self.headers.get("x-http-method")
        if method is None:
            return
        if self.verb != "POST" or method.upper() not in TUNNELLED:
            raise bad_request("The X-HTTP-Method header can only be used with "
                              "POST, for MERGE, PUT and DELETE.")
        self.verb = method.upper()


class Service:
    def __init__(self, store, switches, clock, writer):
        self.store = store
        self.switches = switches
        self.clock = clock
        self.writer = writer
        self.shapes = {}
        self.texts = json_format.Texts(store)

    # -- entry points ---------------------------------------------------------

    def answer(self, operation, who):
        """The response to an operation; errors become documents."""
        try:
            operation.locate()
            operation.apply_tunnel()
            self._check_versions(operation)
            with self.store.lock:
                self.store.viewer = who[0]
                response = self._dispatch(operation, who)
        except ServiceError as error:
            response = self.refusal(operation, error)
        except PlainError as error:
            return plain_response(error)
        return self._finish(response)

    def _dispatch(self, operation, who):
        if operation.rest == "$batch":
            return self._batch(operation, who)
        if operation.rest in ("", "$metadata"):
            return self._description(operation)
        return self._entity_request(operation, who)

    def _batch(self, operation, who):
        if self.switches["batch"] == "off":
            raise no_segment("$batch")
        if operation.verb != "POST":
            raise not_allowed("POST")
        return batch.run(self, operation, who)

    def _finish(self, response):
        response.headers.append(("REQ_ID", str(uuid.uuid4())))
        return response

    # -- what there is --------------------------------------------------------

    def _description(self, operation):
        if operation.verb != "GET":
            raise not_allowed("GET")
        check_options(split_options(operation.query), single=True)
        if operation.rest:
            offered(operation, ("application/xml",))
            body, kind = metadata.metadata(), atom_format.XML
        elif offered(operation, ("application/xml", "application/atomsvc+xml",
                                 "application/json")) == "application/json":
            body = json_format.service_document()
            kind = json_format.content_type(self.switches)
        else:
            body = metadata.service_document(operation.base)
            kind = atom_format.XML
        return document(200, body, kind)

    # -- entities -------------------------------------------------------------

    def _entity_request(self, operation, who):
        first, *more = [s for s in operation.rest.split("/") if s]
        match = SEGMENT.match(first)
        entity = model.BY_SET.get(match.group(1)) if match else None
        if entity is None:
            raise no_segment(match.group(1) if match else first)
        guid = self._key(entity, match.group(2))
        if more:
            return self._below(operation, entity, guid, more)
        if guid is None:
            return self._set_request(operation, entity, who)
        return self._record_request(operation, entity, guid, who)

    @staticmethod
    def _key(entity, text):
        if text is None or text.strip() == "":
            return None
        match = KEY.match(text.strip())
        if not match or not GUID.match(match.group(2)) \
                or match.group(1) not in (None, entity.key.name):
            raise bad_request("Bad Request - Error in query syntax.")
        return match.group(2).lower()

    def _set_request(self, operation, entity, who):
        if operation.verb == "GET":
            return self._list(operation, entity, entity.set_name)
        if operation.verb != "POST":
            raise not_implemented(operation.verb) \
                if operation.verb not in TUNNELLED else not_allowed("GET, POST")
        self._refuse_options(operation)
        self._may_write(entity, "Create")
        values = self._body(operation, entity)
        row = self.writer.create(entity, values, who)
        return self._created(operation, entity, row)

    def _record_request(self, operation, entity, guid, who):
        verb = operation.verb
        if verb == "GET":
            return self._single(operation, entity, self._row(entity, guid))
        if verb == "POST":
            raise not_allowed("GET, PUT, MERGE, DELETE")
        if verb not in TUNNELLED:
            raise not_implemented(verb)
        self._refuse_options(operation)
        self._refuse_etags(operation)
        if self.store.hidden:
            self._row(entity, guid)
        if verb == "DELETE":
            self._may_write(entity, "Delete")
            self.writer.delete(entity, guid, who)
        else:
            self._may_write(entity, "Update")
            write = self.writer.merge if verb == "MERGE" \
                else self.writer.replace
            write(entity, guid, self._body(operation, entity), who)
        return Response(204, headers=headers(True))

    def _below(self, operation, entity, guid, more):
        """.../property and .../navigation: to be read only."""
        if guid is None or len(more) > 1:
            raise no_segment(more[-1])
        if operation.verb != "GET":
            raise not_allowed("GET")
        row, name = self._row(entity, guid), more[0]
        if name in entity.by_name:
            return self._property(operation, entity, row, entity.by_name[name])
        link = entity.navigation.get(name)
        if link is None:
            raise no_segment(name)
        if link.many:
            within = self._keys_of(entity, row, link)
            path = "%s(guid'%s')/%s" % (entity.set_name, guid, name)
            return self._list(operation, link.target, path, within)
        rows = json_format.related(self.store, entity, row, link)
        if not rows:
            raise no_segment(name)
        self._row(link.target, rows[0][0])
        return self._single(operation, link.target, rows[0])

    def _keys_of(self, entity, row, link):
        prop = link.target.by_name[link.reference]
        return self.store.table(link.target).pointing(
            prop, (row[0], entity.logical_name))

    def _row(self, entity, guid):
        row = self.store.table(entity).find(guid)
        if row is None:
            raise does_not_exist(entity.logical_name, guid)
        if not self.store.visible(entity, row):
            raise no_access(entity.logical_name, guid)
        return row

    # -- reading --------------------------------------------------------------

    def _list(self, operation, entity, path, within=None):
        kind = entity_format(operation)
        query = Query(operation.query, entity, self.store, self.switches,
                      within)
        version = "2.0" if query.paged else "1.0"
        self._check_response_version(operation, version)
        rows, following = query.run()
        link = self._link(operation, path, following)
        serialiser = self._serialiser(operation, query.shape, kind)
        if kind == "json":
            body = serialiser.list(rows, link, query.paged)
            content_type = json_format.content_type(self.switches)
        else:
            body = serialiser.list(rows, link, path.split("/")[-1], path)
            content_type = atom_format.FEED
        return document(200, body, content_type, version)

    def _link(self, operation, path, following):
        if following is None:
            return None
        link = "%s?%s" % (path, following)
        if self.switches["next-link"] == "relative":
            return link
        return "%s/%s" % (operation.base, link)

    def _single(self, operation, entity, row, status=200, extra=()):
        kind = entity_format(operation)
        known = check_options(split_options(operation.query), single=True)
        serialiser = self._serialiser(operation, Shape(known, entity), kind)
        content_type = atom_format.ENTRY if kind == "atom" \
            else json_format.content_type(self.switches)
        return document(status, serialiser.single(row), content_type,
                        extra=extra)

    def _property(self, operation, entity, row, prop):
        kind = offered(operation, ("application/xml", "application/json"))
        check_options(split_options(operation.query), single=True)
        form = "json" if kind == "application/json" else "atom"
        serialiser = self._serialiser(operation, Shape({}, entity), form)
        content_type = atom_format.XML if form == "atom" \
            else json_format.content_type(self.switches)
        return document(200, serialiser.property(row, prop), content_type)

    def _serialiser(self, operation, shape, kind):
        """Serialisers are kept by shape: what they compile is worth it."""
        selection = shape.selection
        key = (kind, operation.base, shape.entity.name, self.switches.changes,
               tuple(shape.expanded), selection_key(selection))
        found = self.shapes.get(key)
        if found is None:
            if len(self.shapes) >= SHAPES_KEPT:
                self.shapes.clear()
            arguments = (operation.base, shape.entity, selection,
                         shape.expanded, self.store, self.switches)
            found = json_format.Serialiser(*arguments, self.texts) \
                if kind == "json" \
                else atom_format.Serialiser(*arguments, self.clock)
            self.shapes[key] = found
        return found

    # -- writing --------------------------------------------------------------

    @staticmethod
    def _may_write(entity, message):
        if entity.access == "read":
            raise platform(PRIVILEGE, "Principal user is missing prv%s%s "
                           "privilege." % (message, entity.name), 403)
        if entity.access == "intersect":
            raise platform(NO_SUCH_MESSAGE, "The '%s' method does not support "
                           "entities of type '%s'."
                           % (message, entity.logical_name), 405)

    @staticmethod
    def _refuse_options(operation):
        for name, _, _ in split_options(operation.query):
            if name.startswith("$"):
                raise bad_request("Query options cannot be applied to the "
                                  "requested resource.")

    @staticmethod
    def _refuse_etags(operation):
        if "if-match" in operation.headers \
                or "if-none-match" in operation.headers:
            raise bad_request("If-Match or If-None-Match HTTP headers cannot "
                              "be specified if the target type does not have "
                              "etag properties defined.")

    @staticmethod
    def _body(operation, entity):
        media, _, parameters = operation.headers.get(
            "content-type", "").partition(";")
        media = media.strip().lower()
        if media not in ("application/json", "application/atom+xml"):
            raise unsupported_media()
        if media == "application/atom+xml":
            return atom_format.parse_body(operation.body, entity)
        match = re.search(r"charset\s*=\s*\"?([\w-]+)", parameters, re.I)
        try:
            text = operation.body.decode(match.group(1) if match else "utf-8")
        except (LookupError, UnicodeDecodeError):
            raise unprocessable() from None
        return json_format.parse_body(text.lstrip("\ufeff"), entity)

    def _created(self, operation, entity, row):
        location = "%s/%s(guid'%s')" % (operation.base, entity.set_name,
                                        row[0])
        return self._single(operation, entity, row, 201,
                            [("Location", location)])

    # -- versions and refusals ------------------------------------------------

    @staticmethod
    def _check_versions(operation):
        for name in ("dataserviceversion", "maxdataserviceversion"):
            value = operation.headers.get(name)
            if value is None:
                continue
            match = re.match(r"(\d+)\.(\d+)\s*(?:;.*)?\Z", value)
            if not match:
                raise bad_request("The request includes an unknown version "
                                  "'%s'." % value)
            if name == "dataserviceversion" and int(match.group(1)) > 2:
                raise bad_request("Request version '%s.%s' is not supported "
                                  "for the request payload. The only supported"
                                  " version is '2.0'." % match.groups())

    @staticmethod
    def _check_response_version(operation, version):
        limit = operation.headers.get("maxdataserviceversion", "2.0")
        if version == "2.0" and limit.startswith("1."):
            raise bad_request("The MaxDataServiceVersion '1.0' is too low for "
                              "the response. The lowest supported version is "
                              "'2.0'.")

    def refusal(self, operation, error):
        if self.switches["errors"] == "html":
            return plain_response(PlainError(error.status, "Server Error"))
        extra = headers(error.cached) + error.headers
        if prefers_json(operation):
            body = json_format.error_document(error)
            kind = json_format.content_type(self.switches)
        else:
            body, kind = atom_format.error_document(error), atom_format.XML
        return Response(error.status, body.encode(), kind, extra)


def selection_key(selection):
    return (tuple(p.name for p in selection.properties),
            tuple(n.name for n in selection.links),
            tuple((name, selection_key(below))
                  for name, below in selection.below.items()))


# -- responses ----------------------------------------------------------------

def headers(cached, version="1.0"):
    """Header fields every answer of the service has (wcf/*)."""
    fields = [("X-Content-Type-Options", "nosniff")]
    if cached:
        fields.append(("Cache-Control", "no-cache"))
    fields.append(("DataServiceVersion", version + ";"))
    return fields


def document(status, text, content_type, version="1.0", extra=()):
    fields = headers(True, version)
    fields[2:2] = extra
    return Response(status, text.encode("utf-8", "surrogatepass"),
                    content_type, fields)


def plain_response(error):
    body = ("<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" "
            "\"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd\">\r\n"
            "<html><head><title>%s</title></head><body><h2>%s</h2></body>"
            "</html>" % (error.title, error.title))
    return Response(error.status, body.encode(), "text/html", error.headers)


def not_allowed(verbs):
    error = ServiceError(405, "Method Not Allowed")
    error.headers.append(("Allow", verbs))
    return error


def not_implemented(verb):
    return ServiceError(501, "Not Implemented: %s" % verb)


def unsupported_media():
    return ServiceError(415, "Unsupported media type requested.")


# -- Accept -------------------------------------------------------------------

def accepted(operation):
    """[(media type, quality)], best first; no header is anything."""
    items = []
    for item in operation.headers.get("accept", "*/*").split(","):
        media, *parameters = [part.strip().lower() for part in item.split(";")]
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if media and quality > 0:
            items.append((media, quality))
    return sorted(items, key=lambda item: -item[1])


def offered(operation, types):
    """The best of `types` that the client accepts, or 415 as WCF answers."""
    for media, _ in accepted(operation):
        for kind in types:
            if media in (kind, "*/*", kind.split("/")[0] + "/*"):
                return kind
    raise unsupported_media()


def entity_format(operation):
    kind = offered(operation, ("application/atom+xml", "application/json"))
    return "json" if kind == "application/json" else "atom"


def prefers_json(operation):
    for media, _ in accepted(operation):
        if media == "application/json":
            return True
        if media in ("application/atom+xml", "application/xml", "*/*",
                     "application/*"):
            return False
    return False
