"""The files of the distributed mode: no secret has a default, nobody is root, and lists say what the code says."""

import json
import re
import shutil
import subprocess
import sys
from datetime import time
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from prometheus_client import REGISTRY

from shared.observe import METRICS
from tests.contracts.documents import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = cast("dict[str, Any]", yaml.safe_load(COMPOSE_TEXT))
CONTAINERS = cast("dict[str, dict[str, Any]]", COMPOSE["services"])
KNOWN = {name for settings in SETTINGS for name in settings.model_fields}
SERVICES = ("ingest", "loyalty", "scoring", "notifications")
NAMED = re.compile(r"querencia_\w+")
METRICS_BY_SAMPLE = REGISTRY._names_to_collectors
SECRET = re.compile(r"\$\{(\w*(?:PASSWORD|KEY))([^}]*)\}")


def test_no_secret_has_a_default() -> None:
    found = SECRET.findall(COMPOSE_TEXT)
    assert {name for name, _ in found} >= {"POSTGRES_PASSWORD", "QUERENCIA_MASTER_KEY", "INGEST_DB_PASSWORD"}
    assert {rest for _, rest in found} == {":?"}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_no_environment_value_is_a_secret_written_out(container: dict[str, Any]) -> None:
    for name, value in container.get("environment", {}).items():
        assert "PASSWORD" not in name or str(value).startswith("${"), name
        assert not re.search(r"://[^/@$]+:[^@$]+@", str(value)), name


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_logs_in_as_itself_to_its_own_database(service: str) -> None:
    url = CONTAINERS[service]["environment"]["QUERENCIA_DATABASE_URL"]
    assert url == f"postgresql://{service}:${{{service.upper()}_DB_PASSWORD:?}}@postgres:5432/{service}"
    assert CONTAINERS[f"migrate-{service}"]["environment"] == CONTAINERS[service]["environment"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_drains_before_it_is_killed(service: str) -> None:
    assert CONTAINERS[service]["stop_grace_period"] == "35s"
    assert CONTAINERS[service]["command"] == ["run", service]
    waits = CONTAINERS[service]["depends_on"]
    assert waits[f"migrate-{service}"]["condition"] == waits["topics"]["condition"] == "service_completed_successfully"


def test_all_four_services_share_one_image() -> None:
    assert {CONTAINERS[service]["image"] for service in SERVICES} == {"querencia"}


def test_what_stays_up_has_a_health_check() -> None:
    lasting = {name for name, container in CONTAINERS.items() if container.get("restart") == "unless-stopped"}
    assert lasting >= {*SERVICES, "gateway", "kafka", "postgres", "mailpit", "prometheus", "grafana"}
    assert all(CONTAINERS[name]["healthcheck"].get("test") for name in lasting)


@pytest.mark.parametrize("service", SERVICES)
def test_there_can_be_more_than_one_of_a_service(service: str) -> None:
    assert not {"ports", "container_name", "hostname"} & set(CONTAINERS[service])
    assert "QUERENCIA_REPLICA" not in CONTAINERS[service]["environment"]


@pytest.mark.parametrize("container", [one for one in CONTAINERS.values() if one["image"] == "querencia"])
def test_a_container_of_ours_may_do_nothing_that_it_need_not(container: dict[str, Any]) -> None:
    assert (container["read_only"], container["tmpfs"], container["cap_drop"]) == (True, ["/tmp"], ["ALL"])  # noqa: S108 - in a container
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in container
    assert not container.get("privileged")


def test_images_are_pinned() -> None:
    images = {container["image"] for container in CONTAINERS.values()} - {"querencia"}
    assert all(re.search(r":v?\d", image) for image in images)


def test_volumes_exist_and_mounted_files_too() -> None:
    for name, container in CONTAINERS.items():
        for volume in container.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"], name


def test_the_image_runs_without_root_and_tells_its_health() -> None:
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)
    assert "HEALTHCHECK" in DOCKERFILE
    assert "/health/live" in DOCKERFILE
    assert 'ENTRYPOINT ["python", "-m", "services"]' in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "deploy/Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_compose_file_is_one_by_the_compose_specification() -> None:
    checks = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*checks, ROOT / "docker-compose.yml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_holds_no_other_versions_than_were_tested() -> None:
    assert _pins("deploy/requirements.lock") <= _pins("requirements.lock")


def test_no_file_names_a_package_registry() -> None:
    for name in ("requirements.lock", "deploy/requirements.lock", "pyproject.toml", "Makefile", ".ci/run"):
        assert not re.search(r"https?://|(?<!emit-)index-url", (ROOT / name).read_text()), name


def test_every_setting_is_documented_where_it_is_set() -> None:
    example = (ROOT / ".env.example").read_text()
    for settings in SETTINGS:
        for name, field in settings.model_fields.items():
            default = f"{field.default:%H:%M}" if isinstance(field.default, time) else field.default
            assert f"# {field.description}\n# QUERENCIA_{name.upper()}={default}\n" in example, name
    named = set(re.findall(r"QUERENCIA_(\w+)=", example))
    assert {name.lower() for name in named} <= KNOWN


def test_compose_sets_only_settings_that_exist() -> None:
    named = {name for container in CONTAINERS.values() for name in container.get("environment", {})}
    ours = {name.removeprefix("QUERENCIA_").lower() for name in named if name.startswith("QUERENCIA_")}
    assert ours <= KNOWN


def test_every_variable_of_compose_is_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text()
    variables = {*re.findall(r"\$\{(\w+)", COMPOSE_TEXT)} - {"KAFKA_CLUSTER_ID"}
    assert {name for name in variables if f"# {name}=" not in example} == set()


def test_alerts_name_metrics_that_exist() -> None:
    assert METRICS  # importing the catalogue registers it
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
    asked = {name for rule in rules for name in NAMED.findall(rule["expr"])}
    known = {name for name in METRICS_BY_SAMPLE if name.startswith("querencia_")}
    assert asked
    assert asked <= known


def test_the_dashboard_shows_every_metric_and_no_other() -> None:
    panels = json.loads((ROOT / "deploy/grafana/dashboards/querencia.json").read_text())["panels"]
    asked = {name for panel in panels for target in panel["targets"] for name in NAMED.findall(target["expr"])}
    known = {name for name in METRICS_BY_SAMPLE if name.startswith("querencia_")}
    assert asked <= known
    shown = {METRICS_BY_SAMPLE[name] for name in asked}
    assert shown == {each for name, each in METRICS_BY_SAMPLE.items() if name in known}
    assert all(panel["title"] and panel["description"] for panel in panels)


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    given = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((given / "datasources/prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((given / "dashboards/querencia.yml").read_text())["providers"]
    mounted = {volume.split(":")[1]: volume.split(":")[0] for volume in CONTAINERS["grafana"]["volumes"]}
    assert list((ROOT / mounted[provider["options"]["path"]]).glob("*.json"))
    assert mounted["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"
    assert source["url"].split("/")[2].split(":")[0] in CONTAINERS
    panels = json.loads((ROOT / "deploy/grafana/dashboards/querencia.json").read_text())["panels"]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}


@pytest.mark.parametrize(
    "topic",
    [
        "lag",
        "parked",
        "outbox_rows",
        "outbox_age",
        "timer_lateness",
        "loop_lag",
        "signature",
        "unknown",
        "render",
        "purchase",
    ],
)
def test_an_operator_is_told_about(topic: str) -> None:
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
    assert any(topic in rule["expr"] for rule in rules)


def test_shell_scripts_parse() -> None:
    bash = shutil.which("bash")
    assert bash
    subprocess.run([bash, "-n", ROOT / ".ci/run", ROOT / "deploy/postgres/init.sh"], check=True)


def _pins(name: str) -> set[str]:
    return {line.split()[0] for line in (ROOT / name).read_text().splitlines() if re.match(r"[a-zA-Z0-9]", line)}
