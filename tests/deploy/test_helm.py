"""deploy/helm/touchline: rendered over a matrix of values, valid for Kubernetes, and in step with the code.

Nothing is installed: no cluster is at hand. Helm renders; the schemas are Kubernetes' own.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.pages.pages import page_routes
from kernel.settings.reading import Settings, load_settings
from kernel.version import VERSION
from tests.containers.tools import find

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/touchline"
HELM = find("helm")
#: A helm that is built of its module alone takes the version of its client library for the cluster's.
KUBERNETES = "1.32"
#: Role of the chart -> the command, and the section of the settings that says where it listens.
ROLES = {"stream": "stream", "edge": "edge", "indexer": "index", "outbox": "outbox", "gateway": "gateway"}
ELSEWHERE = {
    "kafka.bootstrapServers": "kafka.example.org:9092",
    "elasticsearch.url": "https://search.example.org:9200",
}
WITHOUT_USER = {"kafka.strimzi.cluster": "log", "elasticsearch.eck.name": "find"}
OPERATORS = {**WITHOUT_USER, "kafka.strimzi.user": "touchline"}
MATRIX: dict[str, dict[str, Any]] = {
    "servers elsewhere": ELSEWHERE,
    "servers elsewhere, with authorities, users and a key": {
        **ELSEWHERE,
        "kafka.caSecret": "kafka-ca",
        "kafka.saslSecret": "kafka-user",
        "kafka.properties.security\\.protocol": "SASL_SSL",
        "elasticsearch.caSecret": "search-ca",
        "elasticsearch.apiKeySecret": "search-key",
        "auth.jwksUrl": "https://id.example.org/jwks.json",
    },
    "Strimzi and ECK": {**OPERATORS, "elasticsearch.apiKeySecret": "search-key"},
    "Strimzi without a user": WITHOUT_USER,
    "an ingress, and all that watches": {
        **ELSEWHERE,
        "host": "live.example.org",
        "ingress.enabled": True,
        "ingress.className": "nginx",
        "ingress.tlsSecret": "live-tls",
        "serviceMonitor.enabled": True,
        "rules.enabled": True,
    },
    "a route of the Gateway API": {
        **ELSEWHERE,
        "host": "live.example.org",
        "httpRoute.enabled": True,
        "httpRoute.parentRefs[0].name": "public",
    },
    "scaled by processors": {
        **ELSEWHERE,
        **{f"roles.{role}.autoscaling.enabled": True for role in ROLES},
        "autoscaling.podsMetric": True,
        "attachments.store": "s3",
        "settings.TOUCHLINE_ATTACHMENTS_S3_BUCKET": "files",
    },
    "scaled by lag and viewers": {
        **ELSEWHERE,
        **{f"roles.{role}.autoscaling.enabled": True for role in ROLES if role != "gateway"},
        "autoscaling.by": "keda",
    },
    "no policies, a public key, shared attachments": {
        **ELSEWHERE,
        "networkPolicies.enabled": False,
        "auth.publicKeySecret": "keys",
        "webPush.secret": "push",
        "webPush.contact": "mailto:live@example.org",
        "attachments.existingClaim": "files",
        "roles.gateway.replicas": 2,
        "image.pullSecrets[0]": "registry",
        "nodeSelector.pool": "live",
    },
}
#: Of operators and the Gateway API: Kubernetes' own schemas do not have them.
FOREIGN = {"ScaledObject", "ServiceMonitor", "PrometheusRule", "HTTPRoute"}
SECRETS = {"TOUCHLINE_AUTH_SECRET": "s" * 32, "TOUCHLINE_AUTH_INTERNAL_SECRET": "i" * 32}

pytestmark = pytest.mark.skipif(
    HELM is None, reason="there is no helm: python -m tests.containers.tools helm"
)


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert HELM is not None
    return subprocess.run((HELM, *arguments), capture_output=True, text=True, check=False)


def given(values: dict[str, Any]) -> list[str]:
    written = {name: str(v).lower() if isinstance(v, bool) else str(v) for name, v in values.items()}
    return [word for name, value in written.items() for word in ("--set", f"{name}={value}")]


def template(values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return helm(
        "template", "live", str(CHART), "--namespace", "sport", "--kube-version", KUBERNETES, *given(values)
    )


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    done = template(values)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of(documents: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {d["metadata"]["name"]: d for d in documents if d["kind"] == kind}


def pods(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [*of(documents, "Deployment").values(), *of(documents, "Job").values()]
    return [document["spec"]["template"]["spec"] for document in found]


def settings_of(container: dict[str, Any]) -> Settings:
    """What a container's environment makes of the settings; raises where one is unknown or wrong."""
    environment = {
        variable["name"]: variable.get("value", SECRETS.get(variable["name"], "from a secret"))
        for variable in container["env"]
        if variable["name"].startswith("TOUCHLINE_")
    }
    return load_settings(environment)


@pytest.fixture(scope="module", params=MATRIX)
def documents(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return rendered(MATRIX[request.param])


def test_lint_finds_nothing() -> None:
    for name, values in MATRIX.items():
        done = helm("lint", "--strict", str(CHART), *given(values))
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"


def test_what_is_rendered_is_valid_for_kubernetes(documents: list[dict[str, Any]]) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    for document in documents:
        if document["kind"] not in FOREIGN:
            validate.validate(document, KUBERNETES, strict=True)


def test_every_setting_is_one_that_touchline_knows(documents: list[dict[str, Any]]) -> None:
    for pod in pods(documents):
        for container in pod["containers"]:
            assert settings_of(container).topics.replication_factor == 3


def test_roles_listen_and_are_asked_where_the_code_says(documents: list[dict[str, Any]]) -> None:
    services = of(documents, "Service")
    for role, command in ROLES.items():
        deployment = of(documents, "Deployment")[f"live-touchline-{role}"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        section: Any = getattr(settings_of(container), role)
        assert container["args"] == [command]
        assert section.host == "0.0.0.0"
        assert section.port == getattr(Settings(), role).port
        assert container["ports"] == [{"name": "http", "containerPort": section.port}]
        assert services[f"live-touchline-{role}"]["spec"]["ports"][0]["port"] == section.port
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}


def test_an_edge_has_time_to_drain(documents: list[dict[str, Any]]) -> None:
    pod = of(documents, "Deployment")["live-touchline-edge"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    before = re.search(r"sleep\((\d+)\)", container["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert before
    assert pod["terminationGracePeriodSeconds"] > settings_of(container).edge.drain_s + int(before[1])


def test_nothing_runs_as_root_or_writes_where_it_should_not(documents: list[dict[str, Any]]) -> None:
    for pod in pods(documents):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"]
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert not security["allowPrivilegeEscalation"]
            assert "memory" in container["resources"]["limits"]
            mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert settings_of(container).state.dir in mounted


def test_no_secret_is_in_the_chart(documents: list[dict[str, Any]]) -> None:
    for pod in pods(documents):
        for container in pod["containers"]:
            for variable in container["env"]:
                if re.search(r"SECRET$|PASSWORD|API_KEY", variable["name"]):
                    assert "secretKeyRef" in variable["valueFrom"], variable["name"]


def test_every_volume_that_is_mounted_is_there(documents: list[dict[str, Any]]) -> None:
    for pod in pods(documents):
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_what_is_scaled_has_no_number_of_its_own() -> None:
    found = rendered(MATRIX["scaled by processors"])
    scalers = of(found, "HorizontalPodAutoscaler")
    assert scalers.keys() == {f"live-touchline-{role}" for role in ROLES}
    assert all("replicas" not in d["spec"] for d in of(found, "Deployment").values())
    scaled = of(rendered(MATRIX["scaled by lag and viewers"]), "ScaledObject")
    assert scaled.keys() == {f"live-touchline-{role}" for role in ROLES if role != "gateway"}
    for scaler in scaled.values():
        queries = [t["metadata"]["query"] for t in scaler["spec"]["triggers"] if t["type"] == "prometheus"]
        assert any(re.match(r"sum\(touchline_(consumer_lag|viewers)\{", query) for query in queries)


def test_people_reach_edges_and_the_gateway() -> None:
    found = rendered(MATRIX["an ingress, and all that watches"])
    (ingress,) = of(found, "Ingress").values()
    paths = {p["path"]: p["backend"]["service"]["name"] for p in ingress["spec"]["rules"][0]["http"]["paths"]}
    assert {p for p, service in paths.items() if service.endswith("-edge")} == {
        "/v1/ws",
        "/v1/sse",
        "/v1/poll",
    }
    served = {str(route.path) for route in page_routes(Settings())}
    exact = {path for path in served if not path.startswith(("/v1/", "/assets/"))}
    assert {"/v1", "/assets", *exact} <= paths.keys()
    assert not {"/metrics", "/readyz"} & paths.keys()
    (route,) = of(rendered(MATRIX["a route of the Gateway API"]), "HTTPRoute").values()
    routed = {
        match["path"]["value"]: rule["backendRefs"][0]["name"]
        for rule in route["spec"]["rules"]
        for match in rule["matches"]
    }
    assert routed == paths


def test_the_rules_are_those_of_the_compose_file() -> None:
    (rules,) = of(rendered(MATRIX["an ingress, and all that watches"]), "PrometheusRule").values()
    assert rules["spec"] == yaml.safe_load((ROOT / "deploy/alerts.yml").read_text("utf-8"))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "Say where Kafka is"),
        ({"kafka.bootstrapServers": "k:9092"}, "Say where Elasticsearch is"),
        ({**ELSEWHERE, "ingress.enabled": True}, "Say by which name people come"),
        (
            {**ELSEWHERE, "roles.stream.autoscaling.enabled": True, "topics.partitions": 4},
            "would have nothing to do",
        ),
        ({**ELSEWHERE, "roles.gateway.replicas": 2}, "one place for attachments"),
        ({**ELSEWHERE, "settings.TOUCHLINE_EDGE_DRAIN_S": 60}, "viewers are thrown out"),
        ({**ELSEWHERE, "rolls.edge.replicas": 2}, "rolls"),
        ({**ELSEWHERE, "kafka.properties.sasl\\.password": "x"}, "password"),
    ],
)
def test_what_cannot_work_is_told_in_a_sentence(values: dict[str, Any], sentence: str) -> None:
    done = template(values)
    assert done.returncode != 0
    assert sentence in done.stderr


def test_the_chart_has_this_versions_number() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)


def test_it_packs(tmp_path: Path) -> None:
    done = helm("package", str(CHART), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert shutil.which("tar") is None or list(tmp_path.glob(f"touchline-{VERSION}.tgz"))
