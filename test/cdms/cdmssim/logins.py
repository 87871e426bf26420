"""Who asks: the logins that CDMS has been met behind (protocol notes 6).

The switch `login` chooses.  While nobody has a password nobody is asked.
"""

import base64
import html
import struct
import uuid
from urllib.parse import parse_qsl, quote, urlsplit

from . import ntlm
from .errors import PlainError
from .http_server import Response
from .service import ORGANISATION
from .writer import ANYBODY

REFUSED = "401 - Unauthorized: Access is denied due to invalid credentials."
HTML = "text/html; charset=utf-8"
ADFS = "/adfs/ls/"
STS = "/rsts/ls/"  # a second one, between ADFS and CDMS
CHUNK = 2000  # characters of a cookie; the next has the rest
TOKEN_LENGTH = 4500

ADFS2 = """<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
 "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" dir="ltr">
<head><title>Sign In</title></head><body>
<form method="post" action="%(action)s" id="MainForm">
<input type="hidden" name="__VIEWSTATE" id="__VIEWSTATE" value="%(state)s" />
<input type="hidden" name="__EVENTVALIDATION" value="a+b/c=&amp;&quot;" />
<input type="hidden" name="__db" value="" />
<table><tr><td>
<input name="ctl00$ContentPlaceHolder1$UsernameTextBox" type="text" />
</td></tr><tr><td>
<input name="ctl00$ContentPlaceHolder1$PasswordTextBox" type="password" />
</td></tr><tr><td>%(error)s</td></tr><tr><td>
<input type="submit" name="ctl00$ContentPlaceHolder1$SubmitButton"
 value="Sign In" /></td></tr></table></form></body></html>"""
ERROR2 = ("<span id=\"ContentPlaceHolder1_ErrorTextLabel\">"
          "The user name or password is incorrect.</span>")
FIELDS2 = {
    "__EVENTVALIDATION": "a+b/c=&\"", "__db": "",
    "ctl00$ContentPlaceHolder1$SubmitButton": "Sign In"}
NAMES2 = ("ctl00$ContentPlaceHolder1$UsernameTextBox",
          "ctl00$ContentPlaceHolder1$PasswordTextBox")

ADFS3 = """<!DOCTYPE html><html lang="en-US"><head><title>Sign In</title>
<script type='text/javascript'>//<![CDATA[
var x = "<form action='http://never.example.org/'>";
//]]></script></head><body>
<form method="post" id="loginForm" autocomplete="off" action="%(action)s">
<div id="error" class="fieldMargin error smallText">
<span id="errorText" for="">%(error)s</span></div>
<input id="userNameInput" name="UserName" type="email" value="" />
<input id="passwordInput" name="Password" type="password" />
<input type="checkbox" name="Kmsi" id="kmsiInput" value="true" />
<span id="submitButton" class="submit">Sign in</span>
<input id="optionForms" type="hidden" name="AuthMethod"
 value="FormsAuthentication"/>
<input type="hidden" name="State" value="%(state)s"/>
</form></body></html>"""
ERROR3 = "Incorrect user ID or password. Type the correct user ID and password."
FIELDS3 = {"AuthMethod": "FormsAuthentication"}
NAMES3 = ("UserName", "Password")

ONWARD = """<html><head><title>Working...</title></head><body>
<form method="POST" name="hiddenform" action="%s">
<input type="hidden" name="wa" value="wsignin1.0" />
<input type="hidden" name="wresult" value="%s" />
<input type="hidden" name="wctx" value="%s" />
<noscript><p>Script is disabled. Click Submit to continue.</p>
<input type="submit" value="Submit" /></noscript></form>
<script language="javascript">window.setTimeout('document.forms[0].submit()', 0);
</script></body></html>"""
RESULT = ("<t:RequestSecurityTokenResponse xmlns:t=\"http://schemas.xmlsoap.org"
          "/ws/2005/02/trust\">\n<x a='%s &amp; é'/></t:Request"
          "SecurityTokenResponse>")
HOME = """<html><head><title>Microsoft Dynamics CRM</title></head>
<body class="main"><table class="logo"><tr><td>
<img src="/_imgs/mobile/MobileCRMLogo.png" alt="Microsoft&#32;Dynamics" />
</td></tr></table></body></html>"""


def page(text, status=200, headers=()):
    return Response(status, text.encode("utf-8"), HTML, headers)


def unauthorized(*challenges):
    return PlainError(401, REFUSED,
                      [("WWW-Authenticate", each) for each in challenges])


class Logins:
    def __init__(self, application):
        self.app = application
        self.reset()

    def reset(self):
        self.log = []  # "name accepted", "name refused"
        self.sessions = {}  # what the cookies hold -> name
        self.results = {}  # tokens on their way: wresult -> name
        self.states = set()  # of forms shown and not yet sent back

    def note(self, name, outcome):
        self.log.append("%s %s" % (name, outcome))

    def expire(self, name=None):
        self.sessions = {cookie: who for cookie, who in self.sessions.items()
                         if name not in (None, who)}
        server = self.app.server
        with server.guard:
            for connection in server.connections.values():
                if name in (None, connection.ntlm_user):
                    connection.ntlm_user = None

    # -- a request to the service ---------------------------------------------

    def check(self, request):
        """Who asks, as a reference to his SystemUser record."""
        if not self.app.passwords:
            return ANYBODY
        method = self.app.switches["login"]
        request.user = getattr(self, "_check_" + method)(request)
        return self.app.users[request.user]

    def _check_basic(self, request):
        scheme, blob = authorization(request)
        try:
            given = base64.b64decode(blob, validate=True).decode("utf-8")
        except ValueError:
            given = ""
        name, _, password = given.partition(":")
        if scheme != "basic" or password != self.app.passwords.get(name):
            raise unauthorized('Basic realm="CDMS"')
        return name

    def _check_header(self, request):
        """A proxy in front has seen to it."""
        name = request.headers.get("x-remote-user")
        if name not in self.app.passwords:
            raise unauthorized("Negotiate")
        return name

    def _check_ntlm(self, request):
        """A connection is logged in, not a request."""
        connection = request.connection
        scheme, blob = authorization(request)
        if scheme != "ntlm":
            if connection.ntlm_user is None:
                raise unauthorized("NTLM")
            return connection.ntlm_user
        if connection.ntlm is None:
            connection.ntlm = ntlm.Exchange(self.app.passwords)
        return self._step_ntlm(connection, blob)

    def _step_ntlm(self, connection, blob):
        try:
            message = base64.b64decode(blob, validate=True)
            if ntlm.kind_of(message) == 1:
                answer = base64.b64encode(connection.ntlm.answer(message))
                raise unauthorized("NTLM " + answer.decode("ascii"))
            connection.ntlm_user = connection.ntlm.accept(message)
        except (ntlm.Refused, ValueError, struct.error) as why:
            self.note(why if isinstance(why, ntlm.Refused) else "?", "refused")
            raise unauthorized("NTLM") from None
        self.note(connection.ntlm_user, "accepted")
        return connection.ntlm_user

    def _check_adfs(self, request):
        name = self.sessions.get(session_cookie(request))
        if name is not None:
            return name
        lost = self.app.switches["login-lost"]
        if lost == "401":
            raise unauthorized()
        raise Instead(self._form(self._adfs_url(request)) if lost == "page"
                      else self._to_adfs(request))

    # -- the pages of a login -------------------------------------------------

    def is_page(self, request):
        path = urlsplit(request.target).path
        return self.app.switches["login"] == "adfs" and (
            path.rstrip("/") == ORGANISATION or path in (ADFS, STS))

    def answer_page(self, request):
        path = urlsplit(request.target).path
        host = request.headers.get("host", "").partition(":")[0]
        fields = dict(parse_qsl(request.body.decode("ascii"),
                                keep_blank_values=True))
        if path == ADFS:
            if host != "localhost" or request.connection.by_door:
                return page("not here", 404)
            return self._adfs(request, fields)
        if path == STS:
            if request.connection.by_door != self._sts_has_door():
                return page("not here", 404)
            return self._carry_on(self._redeem(fields), self._crm_url(), fields)
        return self._home(request, fields)

    def _adfs_url(self, request):
        return "http://localhost:%d%s" % (self.app.server.port, ADFS)

    def _sts_has_door(self):
        return self.app.switches["login-sts"] == "door"

    def _sts_url(self):
        server = self.app.server
        port = server.door_port if self._sts_has_door() else server.port
        return "http://localhost:%d%s" % (port, STS)

    def _crm_url(self):
        return "http://127.0.0.1:%d%s/" % (self.app.server.port, ORGANISATION)

    def _to_adfs(self, request):
        context = quote("rm=1&id=1&ru=%s/" % ORGANISATION, "")
        return page("Object moved", 302, [(
            "Location", "%s?wa=wsignin1.0&wtrealm=%s&wctx=%s"
            % (self._adfs_url(request), quote(self._crm_url(), ""), context))])

    def _form(self, action, error=False):
        state = "/wEP" + uuid.uuid4().hex + "+="
        self.states.add(state)
        two = self.app.switches["login-form"] == "adfs2"
        words = ERROR2 if two else ERROR3
        return page((ADFS2 if two else ADFS3) % {
            "action": html.escape(action), "state": state,
            "error": words if error else ""})

    def _adfs(self, request, fields):
        """The form; the same again for a wrong password; a token."""
        here = self._adfs_url(request) \
            + request.target[len(ADFS):]
        if request.verb != "POST":
            return self._form(here)
        two = self.app.switches["login-form"] == "adfs2"
        name, password = (fields.pop(field, "")
                          for field in (NAMES2 if two else NAMES3))
        state = fields.pop("__VIEWSTATE" if two else "State", "")
        if fields != (FIELDS2 if two else FIELDS3) or state not in self.states:
            return page("The form was tampered with: %r" % fields, 500)
        self.states.discard(state)
        right = name in self.app.passwords \
            and self.app.passwords[name] == password
        self.note(name, "accepted" if right else "refused")
        if not right:
            return self._form(here, True)
        onward = self._crm_url() if self.app.switches["login-hops"] < 2 \
            else self._sts_url()
        query = dict(parse_qsl(urlsplit(request.target).query))
        return self._carry_on(name, onward, query)

    def _carry_on(self, name, action, fields):
        if name is None:
            return page("MSIS7000: the token is not valid", 500)
        result = RESULT % uuid.uuid4().hex
        self.results[result] = name
        return page(ONWARD % (html.escape(action), html.escape(result),
                              html.escape(fields.get("wctx", ""))))

    def _redeem(self, fields):
        if fields.get("wa") != "wsignin1.0":
            return None
        return self.results.pop(fields.get("wresult"), None)

    def _home(self, request, fields):
        if request.verb == "POST":
            name = self._redeem(fields)
            context = dict(parse_qsl(fields.get("wctx", "")))
            if name is None or context.get("ru") != ORGANISATION + "/":
                return page("the token is not valid", 500)
            return page("Object moved", 302, self._cookies(name)
                        + [("Location", context["ru"])])
        if session_cookie(request) not in self.sessions:
            return self._to_adfs(request)
        return page(HOME)

    def _cookies(self, name):
        """The session in as many cookies as it takes."""
        token = (uuid.uuid4().hex * (TOKEN_LENGTH // 32 + 1))[:TOKEN_LENGTH]
        self.sessions[token] = name
        chunks = [token[at:at + CHUNK] for at in range(0, len(token), CHUNK)]
        return [("Set-Cookie", "MSISAuth%s=%s; path=/; HttpOnly"
                 % (number or "", chunk))
                for number, chunk in enumerate(chunks)]


class Instead(Exception):
    """An answer that is no refusal, in place of the one asked for."""

    def __init__(self, response):
        super().__init__()
        self.response = response


def authorization(request):
    scheme, _, blob = request.headers.get("authorization", "").partition(" ")
    return scheme.lower(), blob


def session_cookie(request):
    pairs = [each.strip().partition("=")[::2]
             for each in request.headers.get("cookie", "").split(";")]
    cookies = {name: value for name, value in pairs}
    token = cookies.get("MSISAuth", "")
    number = 1
    while "MSISAuth%d" % number in cookies:
        token += cookies["MSISAuth%d" % number]
        number += 1
    return token
