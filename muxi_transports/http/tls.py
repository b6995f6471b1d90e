"""Trust in TLS: the certificate authorities, the client's own certificate, and what to do where either is missing."""

from __future__ import annotations

import os
import ssl
import sys
import warnings
from collections.abc import Sequence

from muxi.errors import ConfigurationError

__all__ = [
    "Cert",
    "Verify",
    "advice_for",
    "check_trust",
    "tls_context",
    "trusted",
    "verifies_nothing",
    "warn_unverified",
]

#: Whether certificates are verified; a file or a folder of authorities to trust; or a context of one's own.
Verify = bool | str | os.PathLike[str] | ssl.SSLContext
#: A client certificate: one file with certificate and key, or a file of each, and the password of the key.
Cert = str | os.PathLike[str] | tuple[str, str] | tuple[str, str, str]

_OWN_PACKAGES = ("muxi", "muxi_transports")

#: The variables that name authorities: those of requests and curl first, then OpenSSL's own.
BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")

# OpenSSL's numbers for a chain that does not end at a trusted authority (X509_V_ERR_…).
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
_WRONG_HOST = frozenset({62, 64})
_WRONG_TIME = frozenset({9, 10})

# What to do, by what OpenSSL says that the peer said.
_ADVICE = {
    "CERTIFICATE_REQUIRED": ". The server wants a client certificate: give cert= to the transport",
    "ALERT_UNKNOWN_CA": ". The server does not know the authority of the client certificate given as cert=",
    "ALERT_BAD_CERTIFICATE": ". The server does not accept the client certificate given as cert=",
    "HANDSHAKE_FAILURE": ". The server may want a client certificate (cert=), or a version of TLS not spoken here",
    "WRONG_VERSION_NUMBER": ". What answered does not speak TLS; is it an http:// address?",
}


def check_trust(verify: Verify, cert: Cert | None) -> None:
    """Refuse settings that are of no use, or contradict each other.

    Raises:
        ConfigurationError: with what to give instead.
    """
    given: object = verify
    if not isinstance(given, bool | str | os.PathLike | ssl.SSLContext):
        raise ConfigurationError(
            f"verify= takes True, False, the path of a CA bundle or an ssl.SSLContext, got {type(given).__name__}"
        )
    if given == "":
        raise ConfigurationError(
            "verify='' names no CA bundle; to verify nothing, which is dangerous, give verify=False"
        )
    if verify is False or verifies_nothing(verify):
        warn_unverified()
    if cert is None:
        return
    if isinstance(verify, ssl.SSLContext):
        raise ConfigurationError("cert= beside an ssl.SSLContext: load it into the context with load_cert_chain()")
    pair: object = cert
    if isinstance(pair, str | os.PathLike) or (isinstance(pair, tuple) and 2 <= len(pair) <= 3):
        return
    raise ConfigurationError("cert= takes a path, (certificate, key) or (certificate, key, password of the key)")


def verifies_nothing(context: object) -> bool:
    """Return whether an object is a TLS context that verifies no certificates."""
    return isinstance(context, ssl.SSLContext) and context.verify_mode is ssl.CERT_NONE


def warn_unverified() -> None:
    """Warn of a transport that verifies no certificates, at the line of the program that makes or uses it."""
    stacklevel, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OWN_PACKAGES:
        stacklevel, frame = stacklevel + 1, frame.f_back
    warnings.warn(
        "TLS certificates are not verified, so that hosts on the way can read the keys; give verify= the path of "
        "the authority to trust instead of False",
        stacklevel=stacklevel,
    )


def trusted(verify: Verify, trust_env: bool) -> tuple[str | None, str]:
    """The file or folder of authorities that counts (None where there is none), and where that comes from."""
    if isinstance(verify, ssl.SSLContext):
        return None, "those of the ssl.SSLContext that was given"
    if verify is False:
        return None, "none, for nothing is verified"
    if verify is not True:
        return os.fspath(verify), f"those of verify={os.fspath(verify)!r}"
    for name in BUNDLE_VARIABLES if trust_env else ():
        if path := os.environ.get(name):
            return path, f"those of {name}={path}"
    import certifi

    return certifi.where(), "those that certifi brings along"


def tls_context(verify: Verify, cert: Cert | None, trust_env: bool) -> ssl.SSLContext:
    """Return a TLS context. Loading the authorities takes milliseconds: share it.

    Raises:
        ConfigurationError: a file is not there, or is not what it should be.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    bundle, source = trusted(verify, trust_env)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if bundle is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif os.path.isdir(bundle):  # noqa: PTH112  a string all the way
            context.load_verify_locations(capath=bundle)
        else:
            context.load_verify_locations(cafile=bundle)
    except OSError as error:
        raise ConfigurationError(f"the certificate authorities, {source}, cannot be read: {_said(error)}") from error
    if cert is not None:
        _load(context, cert)
    if trust_env and (path := os.environ.get("SSLKEYLOGFILE")):
        _log_keys(context, os.path.expandvars(path))
    return context


def _log_keys(context: ssl.SSLContext, path: str) -> None:
    """Write the keys of TLS sessions to a file, with which Wireshark reads what was recorded of them."""
    try:
        context.keylog_filename = path
    except OSError as error:
        raise ConfigurationError(f"SSLKEYLOGFILE={path} cannot be written: {error.strerror or error}") from error


def _load(context: ssl.SSLContext, cert: Cert) -> None:
    files = cert[:2] if isinstance(cert, tuple) else (os.fspath(cert),)
    password = cert[2] if isinstance(cert, tuple) and len(cert) == 3 else None
    try:
        # Without a password OpenSSL would ask for one at the terminal, and wait.
        context.load_cert_chain(files[0], files[1] if len(files) == 2 else None, password or _no_password)
    except (OSError, ValueError) as error:
        if isinstance(error, _PasswordWanted):
            said = "its key has a password; give cert=(certificate, key, password)"
        elif password is not None and not isinstance(error, FileNotFoundError):
            said = f"{_said(error)}; is the password of the key right?"
        else:
            said = _said(error)
        shown = files[0] if len(files) == 1 else files
        raise ConfigurationError(f"the client certificate cert={shown!r} cannot be used: {said}") from error


class _PasswordWanted(ValueError):
    pass


def _no_password() -> str:
    raise _PasswordWanted


def _said(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"it is not what it should be in PEM form ({error.reason or error})"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def advice_for(found: Sequence[BaseException], trust: str) -> str:
    """Return advice on a failed handshake, as the end of a sentence; empty if there is none.

    Args:
        found: the exceptions behind the failure.
        trust: which authorities were trusted.
    """
    codes = {getattr(error, "verify_code", 0) for error in found}
    if codes & _UNKNOWN_AUTHORITY:
        return (
            f". The certificate is by an authority that is not trusted (trusted are {trust}). A company's proxy that "
            "inspects TLS, or a private server, needs the certificate of its authority: give verify='ca.pem' to the "
            "transport, or set REQUESTS_CA_BUNDLE or SSL_CERT_FILE to that file"
        )
    if codes & _WRONG_HOST:
        return ". The certificate is for another name; use the name that it is for as the address"
    if codes & _WRONG_TIME:
        return ". The certificate's time is over or has not come; if not, this machine's clock is wrong"
    said = " ".join(f"{getattr(error, 'reason', '')} {error}" for error in found).upper().replace(" ", "_")
    return next((advice for alert, advice in _ADVICE.items() if alert in said), "")
