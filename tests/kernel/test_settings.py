"""A wrong setting is named at the start, with what is allowed; a right one arrives typed."""

from pathlib import Path

import pytest

from kernel.errors import TouchlineError
from kernel.settings.reading import Settings, as_environment, load_settings


def write(folder: Path, text: str) -> Path:
    file = folder / "touchline.toml"
    file.write_text(text)
    return file


def test_without_any_settings_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings({}) == Settings()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "[edge]\nport = 9000\ncell = 'north'\n")
    settings = load_settings({"TOUCHLINE_EDGE_PORT": "9001"}, file)
    assert (settings.edge.port, settings.edge.cell) == (9001, "north")


def test_lists_are_written_with_commas_in_the_environment() -> None:
    settings = load_settings({"TOUCHLINE_EDGE_ORIGINS": "https://a.example, https://b.example"})
    assert settings.edge.origins == ("https://a.example", "https://b.example")


def test_librdkafka_properties_pass_through_from_both_places(tmp_path: Path) -> None:
    file = write(tmp_path, "[kafka.client]\n'security.protocol' = 'SASL_SSL'\n")
    settings = load_settings({"TOUCHLINE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512"}, file)
    assert settings.kafka.client == {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512"}


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"TOUCHLINE_EDGE_PORT": "many"}, r"TOUCHLINE_EDGE_PORT is 'many', which is not allowed"),
        ({"TOUCHLINE_EDGE_PORT": "70000"}, r"TOUCHLINE_EDGE_PORT.*<= 65535"),
        ({"TOUCHLINE_EDGE_PROT": "1"}, r"Did you mean TOUCHLINE_EDGE_PORT\?"),
        ({"TOUCHLINE_EGDE_PORT": "1"}, r"no setting for the environment variable TOUCHLINE_EGDE_PORT"),
        ({"TOUCHLINE_AUTH_ANONYMOUS": "maybe"}, r"TOUCHLINE_AUTH_ANONYMOUS is 'maybe'"),
        ({"TOUCHLINE_CONFIG": "nowhere.toml"}, r"There is no settings file nowhere\.toml"),
    ],
)
def test_a_wrong_variable_is_named(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(TouchlineError, match=sentence) as caught:
        load_settings(environment)
    assert caught.value.code == "bad_setting"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[edge\nport = 1", r"touchline\.toml is not valid TOML"),
        ("[egde]\nport = 1", r"There is no setting for \[egde\].*Did you mean \[edge\]\?"),
        ("[edge]\nprot = 1", r"prot of \[edge\] in .*Did you mean port\?"),
        ("[edge]\nport = 'many'", r"port of \[edge\] in .* is 'many', which is not allowed"),
        ("edge = 5", r"There is no setting for \[edge\]"),
        ("\udcff", r"not valid TOML"),
    ],
)
def test_a_broken_file_is_refused_with_the_place(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "touchline.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(TouchlineError, match=sentence):
        load_settings({}, file)


def test_settings_travel_to_a_child_process_through_its_environment() -> None:
    settings = load_settings(
        {
            "TOUCHLINE_EDGE_PORT": "9001",
            "TOUCHLINE_EDGE_ORIGINS": "https://a.example,https://b.example",
            "TOUCHLINE_KAFKA_SASL_MECHANISM": "PLAIN",
            "TOUCHLINE_STREAM_REPEAT_WINDOW_S": "30.5",
        }
    )
    assert load_settings(as_environment(settings)) == settings


def test_servers_that_are_not_named_are_those_of_up() -> None:
    ports = {"TOUCHLINE_EMBEDDED_KAFKA_PORT": "9001", "TOUCHLINE_EMBEDDED_ELASTICSEARCH_PORT": "9002"}
    settings = load_settings(ports)
    assert settings.kafka.bootstrap_servers == "127.0.0.1:9001"
    assert settings.elasticsearch.url == "http://127.0.0.1:9002"
    named = load_settings({**ports, "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": "kafka.example:9092"})
    assert named.kafka.bootstrap_servers == "kafka.example:9092"


def test_the_token_that_commands_show_is_no_setting() -> None:
    assert load_settings({"TOUCHLINE_TOKEN": "abc"}) == load_settings({})
