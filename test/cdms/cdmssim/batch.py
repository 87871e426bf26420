"""$batch: change sets and reads in one multipart body (wcf/46-48).

Off unless switched on, for nobody could confirm that CRM 2011 serves it
(protocol notes 1.2).
"""

import re
import uuid

from .errors import bad_request


def run(service, operation, who):
    """The 202 answer to a whole batch; the caller holds the store's lock."""
    from .http_server import Response
    boundary = boundary_of(operation.headers.get("content-type", ""))
    name = "batchresponse_" + str(uuid.uuid4())
    parts = [answer_part(service, operation, part, who)
             for part in split_parts(operation.body, boundary)]
    body = assemble(name, parts)
    fields = [("X-Content-Type-Options", "nosniff"),
              ("Cache-Control", "no-cache"), ("DataServiceVersion", "1.0;")]
    return Response(202, body, "multipart/mixed; boundary=" + name, fields)


def answer_part(service, outer, part, who):
    """(header lines, body) that answer one part of the batch."""
    fields, body = split_fields(part)
    kind = fields.get("content-type", "")
    if kind.lower().startswith("multipart/mixed"):
        return answer_change_set(service, outer, body, boundary_of(kind), who)
    inner, _ = parse_request(outer, body)
    if inner.verb != "GET":
        raise bad_request("An operation other than GET stands outside a "
                          "change set.")
    return http_part(service.answer(inner, who), None)


def answer_change_set(service, outer, body, boundary, who):
    parts = split_parts(body, boundary)
    atomic = service.switches["batch"] == "atomic"
    if atomic:
        service.store.begin()
    answers = []
    for part in parts:
        inner, content_id = parse_request(outer, split_fields(part)[1],
                                          split_fields(part)[0])
        response = service.answer(inner, who)
        answers.append(http_part(response, content_id))
        if response.status >= 400 and atomic:
            service.store.rollback()  # one refusal answers for all (wcf/48)
            answers = answers[-1:]
            break
    else:
        if atomic:
            service.store.commit()
    name = "changesetresponse_" + str(uuid.uuid4())
    return (["Content-Type: multipart/mixed; boundary=" + name],
            assemble(name, answers))


def http_part(response, content_id):
    left_out = {"REQ_ID", "Cache-Control" if response.status >= 400 else None}
    fields = [(n, v) for n, v in response.headers if n not in left_out]
    if content_id is not None:
        fields.insert(0, ("Content-ID", content_id))
    head = response.head(None).split(b"\r\n")[0]
    lines = [head] + [("%s: %s" % f).encode() for f in fields]
    body = b"\r\n".join(lines) + b"\r\n\r\n" + response.body
    return (["Content-Type: application/http",
             "Content-Transfer-Encoding: binary"], body)


def assemble(name, parts):
    pieces = []
    for lines, body in parts:
        head = "--%s\r\n%s\r\n\r\n" % (name, "\r\n".join(lines))
        pieces.append(head.encode() + body + b"\r\n")
    return b"".join(pieces) + ("--%s--\r\n" % name).encode()


# -- taking a multipart body apart --------------------------------------------

def boundary_of(content_type):
    match = re.match(r"multipart/mixed\s*;.*boundary=\"?([^\";]+)\"?",
                     content_type, re.IGNORECASE)
    if not match:
        raise bad_request("The batch request has no valid content type.")
    return match.group(1).strip()


def split_parts(body, boundary):
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if len(pieces) < 2 or not pieces[-1].lstrip().startswith(b"--"):
        raise bad_request("The batch request's end is missing.")
    return [piece.split(b"\r\n", 1)[1] for piece in pieces[1:-1]]


def split_fields(part):
    """Header fields and what follows the empty line."""
    if part.startswith(b"\r\n"):
        return {}, part[2:]
    head, _, body = part.partition(b"\r\n\r\n")
    fields = {}
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    return fields, body


def parse_request(outer, text, part_fields=()):
    """An application/http part as an operation, and its Content-ID."""
    from .service import Operation
    line, _, rest = text.partition(b"\r\n")
    words = line.decode("utf-8", "replace").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise bad_request("An operation of the batch has no valid request "
                          "line.")
    fields, body = split_fields(rest)
    length = fields.get("content-length")
    if length is not None and length.isdigit():
        body = body[:int(length)]
    verb, target = words[0], words[1]
    fields.setdefault("host", outer.headers.get("host"))
    content_id = fields.get("content-id") or dict(part_fields or {}).get(
        "content-id")
    if "://" in target:
        target = "/" + target.split("://", 1)[1].split("/", 1)[-1]
    elif not target.startswith("/"):
        target = outer.path.rsplit("/", 1)[0] + "/" + target
    return Operation(verb, target, fields, body), content_id
