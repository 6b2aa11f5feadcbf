"""The pins name each download to the byte."""

from embedded.backends import pins

TEXT = """\
# a comment
[kafka 4.3.1]
aa 10 org.apache.kafka:kafka_2.13:4.3.1:jar
bb 5 org.slf4j:slf4j-api:1.7.36:jar

[elasticsearch 9.2.0]
cc 7 org.elasticsearch:elasticsearch:9.2.0:zip
"""


def test_a_line_is_a_file_and_a_heading_a_server() -> None:
    servers = pins.read(TEXT)
    assert list(servers) == ["kafka", "elasticsearch"]
    assert servers["kafka"].label == "Kafka 4.3.1"
    assert servers["kafka"].size == 15
    assert [pin.filename for pin in servers["kafka"].pins] == ["kafka_2.13-4.3.1.jar", "slf4j-api-1.7.36.jar"]
    assert servers["elasticsearch"].pins == (
        pins.Pin("cc", 7, "org.elasticsearch", "elasticsearch", "9.2.0", "zip"),
    )


def test_every_pin_of_ours_is_whole() -> None:
    servers = pins.load()
    files = [pin for server in servers.values() for pin in server.pins]
    assert len({pin.filename for pin in files}) == len(files), "two files would overwrite one another"
    assert all(len(pin.sha256) == 64 and pin.size > 1000 for pin in files)


def test_kafka_has_a_backend_to_log_to() -> None:
    assert any(pin.artifact == "log4j-slf4j-impl" for pin in pins.load()["kafka"].pins)
