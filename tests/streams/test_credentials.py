"""What librdkafka is told of SASL and TLS, Faust's own client is told too."""

import ssl

import pytest
from faust.auth import SASLCredentials, SSLCredentials

from kernel.errors import TouchlineError
from streams.credentials import credentials


def test_a_broker_that_asks_for_nothing_is_given_nothing() -> None:
    assert credentials({}) is None
    assert credentials({"security.protocol": "PLAINTEXT"}) is None


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_user_and_password_are_passed_on(mechanism: str) -> None:
    made = credentials(
        {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": mechanism,
            "sasl.username": "ana",
            "sasl.password": "secret",
        }
    )
    assert isinstance(made, SASLCredentials)
    assert (made.username, made.password, made.mechanism.value) == ("ana", "secret", mechanism)
    assert made.ssl_context is None
    assert "secret" not in repr(made)


def test_tls_checks_the_brokers_certificate_unless_told_not_to() -> None:
    made = credentials({"security.protocol": "ssl"})
    assert isinstance(made, SSLCredentials)
    assert (made.context.verify_mode, made.context.check_hostname) == (ssl.CERT_REQUIRED, True)
    loose = credentials({"security.protocol": "ssl", "enable.ssl.certificate.verification": "false"})
    assert isinstance(loose, SSLCredentials)
    assert loose.context.verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize(
    ("client", "sentence"),
    [
        ({"security.protocol": "tls"}, "TOUCHLINE_KAFKA_SECURITY_PROTOCOL is 'tls'"),
        ({"security.protocol": "sasl_ssl", "sasl.mechanism": "GSSAPI"}, "TOUCHLINE_KAFKA_SASL_MECHANISM is"),
        ({"security.protocol": "ssl", "ssl.ca.location": "/nowhere.pem"}, "cannot be used"),
    ],
)
def test_what_cannot_be_used_is_named(client: dict[str, str], sentence: str) -> None:
    with pytest.raises(TouchlineError, match=sentence):
        credentials(client)
