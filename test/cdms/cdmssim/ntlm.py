"""NTLMv2 as a server sees it (MS-NLMP): a challenge, and whether it was met.

Written from the specification and checked against its examples by the
self-tests; it shares no code with the client that it judges.  MD4 is here
(RFC 1320), for OpenSSL 3 no longer has it.
"""

import hashlib
import hmac
import os
import struct

SIGNATURE = b"NTLMSSP\0"
UNICODE = 0x00000001
REQUEST_TARGET = 0x00000004
NTLM = 0x00000200
ALWAYS_SIGN = 0x00008000
TARGET_TYPE_SERVER = 0x00020000
EXTENDED_SESSION = 0x00080000
TARGET_INFO = 0x00800000
FLAGS = (UNICODE | REQUEST_TARGET | NTLM | ALWAYS_SIGN | TARGET_TYPE_SERVER
         | EXTENDED_SESSION | TARGET_INFO)
AV_EOL, AV_COMPUTER, AV_DOMAIN, AV_FLAGS, AV_TIMESTAMP = 0, 1, 2, 6, 7
MIC_PRESENT = 2
MIC_AT = 72
MASK = 0xFFFFFFFF


class Refused(Exception):
    """Not NTLM, not NTLMv2, or not the password; str() is who it was."""


# -- MD4 ----------------------------------------------------------------------

def _rotate(value, bits):
    value &= MASK
    return (value << bits | value >> (32 - bits)) & MASK


ROUNDS = (
    (lambda x, y, z: x & y | ~x & z, 0, (3, 7, 11, 19), list(range(16))),
    (lambda x, y, z: x & y | x & z | y & z, 0x5A827999, (3, 5, 9, 13),
     [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]),
    (lambda x, y, z: x ^ y ^ z, 0x6ED9EBA1, (3, 9, 11, 15),
     [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15]))


def md4(data):
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    padding = b"\x80" + b"\0" * ((55 - len(data)) % 64)
    data += padding + struct.pack("<Q", 8 * len(data))
    for at in range(0, len(data), 64):
        block = struct.unpack("<16I", data[at:at + 64])
        a, b, c, d = state
        for mix, constant, shifts, order in ROUNDS:
            for step, word in enumerate(order):
                a = _rotate(a + mix(b, c, d) + block[word] + constant,
                            shifts[step % 4])
                a, b, c, d = d, a, b, c
        state = [(x + y) & MASK for x, y in zip(state, (a, b, c, d))]
    return struct.pack("<4I", *state)


# -- the protocol -------------------------------------------------------------

def hmac_md5(key, data):
    return hmac.new(key, data, hashlib.md5).digest()


def key_of(user, domain, password):
    """NTOWFv2 (3.3.2)."""
    nt_hash = md4(password.encode("utf-16-le"))
    return hmac_md5(nt_hash, (user.upper() + domain).encode("utf-16-le"))


def proof(key, challenge, blob):
    """NTProofStr for a client's blob."""
    return hmac_md5(key, challenge + blob)


def _pairs(*pairs):
    return b"".join(struct.pack("<HH", kind, len(value)) + value
                    for kind, value in pairs)


def challenge_message(challenge, domain="UKTI", computer="CDMS"):
    """Type 2."""
    name = domain.encode("utf-16-le")
    info = _pairs((AV_DOMAIN, name), (AV_COMPUTER, computer.encode("utf-16-le")),
                  (AV_EOL, b""))
    at = 48
    return SIGNATURE + struct.pack(
        "<IHHIIQQHHI", 2, len(name), len(name), at, FLAGS,
        int.from_bytes(challenge, "little"), 0, len(info), len(info),
        at + len(name)) + name + info


def kind_of(message):
    if message[:8] != SIGNATURE or len(message) < 12:
        raise Refused("?")
    return struct.unpack_from("<I", message, 8)[0]


def _field(message, at):
    length, _, offset = struct.unpack_from("<HHI", message, at)
    if offset + length > len(message):
        raise Refused("?")
    return message[offset:offset + length]


class Exchange:
    """One connection's way from its first message to a name."""

    def __init__(self, passwords):
        self.passwords = passwords
        self.negotiate = b""
        self.challenge = None
        self.sent = b""

    def answer(self, message):
        """Type 2 for a type 1."""
        self.negotiate = message
        self.challenge = os.urandom(8)
        self.sent = challenge_message(self.challenge)
        return self.sent

    def accept(self, message):
        """The login a type 3 proves; Refused otherwise.  Only once."""
        challenge, self.challenge = self.challenge, None
        if challenge is None:
            raise Refused("?")
        flags = struct.unpack_from("<I", message, 60)[0]
        code = "utf-16-le" if flags & UNICODE else "ascii"
        response = _field(message, 20)
        domain = _field(message, 28).decode(code)
        user = _field(message, 36).decode(code)
        login = "%s\\%s" % (domain, user) if domain else user
        password = self.passwords.get(login)
        if password is None or len(response) < 44:
            raise Refused(login)
        key = key_of(user, domain, password)
        blob = response[16:]
        if blob[:2] != b"\1\1" or not hmac.compare_digest(
                proof(key, challenge, blob), response[:16]):
            raise Refused(login)
        if not self._is_whole(message, key, response[:16], blob):
            raise Refused(login)
        return login

    def _is_whole(self, message, key, nt_proof, blob):
        """The MIC covers all three messages, where the client has sent one."""
        if not _flags(blob) & MIC_PRESENT:
            return True
        bare = message[:MIC_AT] + bytes(16) + message[MIC_AT + 16:]
        mic = hmac_md5(hmac_md5(key, nt_proof),
                       self.negotiate + self.sent + bare)
        return hmac.compare_digest(mic, message[MIC_AT:MIC_AT + 16])


def _flags(blob):
    """MsvAvFlags among the pairs that the client repeats in its blob."""
    at = 28
    while at + 4 <= len(blob):
        kind, length = struct.unpack_from("<HH", blob, at)
        if kind == AV_EOL:
            break
        if kind == AV_FLAGS and length == 4:
            return struct.unpack_from("<I", blob, at + 4)[0]
        at += 4 + length
    return 0
