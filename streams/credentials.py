"""How Faust's own client proves who it is: the same properties that librdkafka is given, in Faust's terms."""

import ssl
from collections.abc import Mapping
from typing import Any, Final

from faust.auth import Credentials, SASLCredentials, SSLCredentials

from kernel.errors import TouchlineError

_MECHANISMS: Final = frozenset({"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"})
_PROTOCOLS: Final = frozenset({"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"})


def credentials(client: Mapping[str, str]) -> Credentials | None:
    """Credentials for these properties of librdkafka; None for a broker that asks for none."""
    protocol = client.get("security.protocol", "plaintext").lower()
    if protocol not in _PROTOCOLS:
        raise _refused("security.protocol", protocol, _PROTOCOLS)
    context = _tls(client) if protocol.endswith("ssl") else None
    if not protocol.startswith("sasl"):
        return None if context is None else SSLCredentials(context)
    mechanism = client.get("sasl.mechanism", client.get("sasl.mechanisms", "GSSAPI")).upper()
    if mechanism not in _MECHANISMS:
        raise _refused("sasl.mechanism", mechanism, _MECHANISMS)
    return SASLCredentials(
        username=client.get("sasl.username"),
        password=client.get("sasl.password"),
        mechanism=mechanism,
        ssl_context=context,
    )


def _tls(client: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=client.get("ssl.ca.location"))
        if certificate := client.get("ssl.certificate.location"):
            context.load_cert_chain(
                certificate, client.get("ssl.key.location"), client.get("ssl.key.password")
            )
    except OSError as error:
        raise TouchlineError(
            "bad_setting", f"A file that TOUCHLINE_KAFKA_SSL_… names cannot be used: {error}."
        ) from error
    if client.get("ssl.endpoint.identification.algorithm", "https").lower() == "none":
        context.check_hostname = False
    if client.get("enable.ssl.certificate.verification", "true").lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _refused(name: str, value: Any, allowed: frozenset[str]) -> TouchlineError:
    variable = f"TOUCHLINE_KAFKA_{name.replace('.', '_').upper()}"
    return TouchlineError(
        "bad_setting",
        f"{variable} is {value!r}, which the stream workers cannot use.",
        hint=f"Allowed: {', '.join(sorted(allowed))}.",
    )
