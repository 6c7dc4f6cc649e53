"""Names and numbers in deploy are those of the program: services, ports, settings, paths of probes."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from manifests import DEPLOY, K8S, ROOT, compose, literals, patches, read, services

from restock.app.topics import TOPICS
from restock.core.metric import METRICS
from restock.edge.rest import probes
from restock.edge.rest.meters import Meters
from restock.services import SCHEMAS, SERVICES
from restock.settings import PREFIX, PUBLISHED, Settings

NEIGHBOURS = ("OMS", "INVENTORY", "SUPPLIER", "UOM", "RULE_ENGINE", "PO")
OF_DATABASES = {
    "DB_HOST", "DB_PORT", "RESTOCK_DB_ADMIN_USER", "RESTOCK_DB_ADMIN_PASSWORD_FILE",
    *(f"{name.upper()}_DB{part}" for name in SCHEMAS for part in ("", "_USER", "_PASSWORD_FILE")),
}  # fmt: skip
"""Names in the environment that say where a database is, and who asks it."""

OTHERS = {"OTEL_EXPORTER_OTLP_ENDPOINT"}
"""Names that belong to a standard."""

BY_NAME = {service.name: service for service in SERVICES}
NAMES = sorted(BY_NAME)


def known(names: set[str]) -> set[str]:
    """Leave out of names what is a setting or published; what is left is a slip."""
    ours = {f"{PREFIX}{field.name.upper()}" for field in fields(Settings)}
    published = {name for given in PUBLISHED.values() for name in given}
    return names - ours - published - OF_DATABASES - OTHERS


def test_every_service_has_a_folder_that_the_base_names() -> None:
    assert sorted(services()) == NAMES
    assert [name for name in read(K8S / "base/kustomization.yaml")["resources"] if "." not in name] == list(BY_NAME)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_is_started_by_its_name_on_its_ports(name: str) -> None:
    service, given = BY_NAME[name], services()[name]
    assert given.prefix == f"{name}-"
    assert given.container["args"] == ["serve", name]
    assert given.environment["PORT"] == str(service.rest_port)
    annotations = given.by_kind["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(service.rest_port)
    assert ({"http": 8080} | given.ports)["http"] == service.rest_port
    assert ({"http": 8080} | given.offered)["http"] == service.rest_port
    grpc = int(given.environment.get("GRPC_PORT", "0"))
    assert given.ports.get("grpc", 0) == given.offered.get("grpc", 0) == grpc
    assert service.grpc_port == grpc
    if grpc:
        assert given.container["readinessProbe"]["grpc"] == {"port": grpc, "service": "ready"}


def test_services_are_asked_where_they_listen() -> None:
    urls = literals(K8S / "base/kustomization.yaml")["service-urls"]
    listening = {
        name: one.environment["GRPC_PORT"] for name, one in services().items() if "GRPC_PORT" in one.environment
    }
    for variable, address in urls.items():
        name = variable.removesuffix("_GRPC_URL").lower().replace("_", "-")
        assert address == f"{name}-service:{listening[name]}"
    assert {f"{name}_GRPC_URL" for name in NEIGHBOURS} <= urls.keys()


def test_every_name_in_the_environment_of_a_pod_is_one_that_restock_reads() -> None:
    maps = literals(K8S / "base/kustomization.yaml") | literals(K8S / "databases/kustomization.yaml")
    assert maps.keys() >= {"db-config", "service-urls"}, "the published names"
    template = read(K8S / "template/deployment.yaml")["spec"]["template"]["spec"]["containers"][0]
    mtls = read(K8S / "components/mtls/certificates.yaml")["spec"]["template"]["spec"]["containers"][0]
    used = {each["name"] for container in (template, mtls) for each in container["env"]}
    used |= {name for one in maps.values() for name in one}
    used |= {name for one in (*services().values(), patches(K8S / "monolith")) for name in one.environment}
    assert not known(used)
    mounted = {each["configMapRef"]["name"] for each in template["envFrom"]}
    assert mounted == maps.keys()


def test_a_service_is_given_the_passwords_of_its_own_databases() -> None:
    said = literals(K8S / "databases/kustomization.yaml")["db-config"]
    for database in SCHEMAS:
        name = f"{database.upper()}_DB"
        assert (said[name], said[f"{name}_USER"]) == (f"{database}_db", database)
        assert said[f"{name}_PASSWORD_FILE"] == f"/etc/restock/db/{name}_PASSWORD"
    for name, one in services().items():
        (volume,) = [each for each in one.pod["volumes"] if each["name"] == "db-secret"]
        given = {item["key"]: item["path"] for item in volume["secret"]["items"]}
        wanted = {f"{database.upper()}_DB_PASSWORD" for database in (BY_NAME[name].database, "stream")}
        assert given == {each: each for each in wanted}


def test_every_name_in_the_environment_of_a_container_is_one_that_restock_reads() -> None:
    for file in ("embedded", "services"):
        for one in compose(file)["services"].values():
            if one.get("image", "").startswith("restock:"):
                assert not known(set(one["environment"]))


def test_a_name_that_nobody_reads_is_found() -> None:
    assert known({"RESTOCK_HOME", "PORT", "RESTOCK_HOEM", "OMS_GRPC_ULR"}) == {"RESTOCK_HOEM", "OMS_GRPC_ULR"}


def test_probes_ask_paths_that_are_served() -> None:
    app = cast("Any", SimpleNamespace())
    served = {route.path for route in probes.routes(app, probes.Condition(app), Meters())}
    text = "\n".join(path.read_text("utf-8") for path in [*K8S.rglob("*.yaml"), DEPLOY / "Dockerfile"])
    asked = set(re.findall(r"httpGet: \{path: (/\w+)", text)) | set(re.findall(r"8080\}(/\w+)'", text))
    asked |= set(re.findall(r"prometheus\.io/path: (/\w+)", text))
    assert asked == {"/livez", "/readyz", "/metrics"}
    assert asked <= served


def test_what_scales_by_lag_asks_a_metric_there_is_and_stops_at_the_partitions() -> None:
    scaled = {name: one.by_kind["HorizontalPodAutoscaler"]["spec"] for name, one in services().items()
              if "metrics" in one.by_kind.get("HorizontalPodAutoscaler", {}).get("spec", {})}  # fmt: skip
    assert scaled.keys() == {"inventory", "analytics"}
    for spec in scaled.values():
        (metric,) = [each["external"]["metric"] for each in spec["metrics"] if each["type"] == "External"]
        assert set(metric["selector"]["matchLabels"]) == set(METRICS[metric["name"]].labels)
        assert spec["maxReplicas"] == TOPICS["orders"], "the largest topic that both read"


def test_compose_starts_every_service_on_its_ports() -> None:
    found = {name: one for name, one in compose("services")["services"].items() if name in BY_NAME}
    assert sorted(found) == NAMES
    ports = [
        one["environment"][name]
        for one in found.values()
        for name in ("PORT", "GRPC_PORT")
        if name in one["environment"]
    ]
    assert len(ports) == len(set(ports)), "they share one machine"
    for name, one in found.items():
        assert one["command"] == ["serve", name]
        assert one["labels"] == {"restock.service": name}, "by which its log is found"
        service, grpc = BY_NAME[name], int(one["environment"].get("GRPC_PORT", "0"))
        assert grpc == (service.beside_port or service.grpc_port), "as Restock supposes where all share a machine"
        assert set(one["secrets"]) == {f"{service.database}_db_password", "stream_db_password"}
        assert one["environment"]["PORT"] == str(BY_NAME[name].rest_port)


def test_prometheus_asks_every_service() -> None:
    asked = {one["labels"]["service"]: one["targets"] for one in read(DEPLOY / "compose/targets/services.yml")}
    assert asked == {one.name: [f"127.0.0.1:{one.rest_port}"] for one in SERVICES}


OBSERVED = {DEPLOY / name for name in ("prometheus", "grafana", "alertmanager", "logs")}
"""Folders of whoever watches, which a deployment mounts."""

OF_THE_DAEMON = {Path("/var/run/docker.sock")}


def test_compose_mounts_files_that_exist_and_writes_no_password() -> None:
    for file in ("embedded", "services"):
        said = compose(file)
        for name, one in said["services"].items():
            for volume in one.get("volumes", ()):
                source = volume.split(":")[0]
                if source.startswith((".", "/")):
                    path = Path(os.path.normpath(DEPLOY / "compose" / source))
                    roots = OBSERVED & {path, *path.parents}
                    absent = bool(roots) and not any(root.exists() for root in roots)
                    assert path.exists() or absent or path in OF_THE_DAEMON, f"{name} mounts {source}"
                else:
                    assert source in said["volumes"]
            for variable, value in one.get("environment", {}).items():
                if re.search(r"PASSWORD|SECRET|TOKEN", variable):
                    assert str(value).startswith("/run/secrets/"), f"{name}: {variable} must name a file"
            assert one["mem_limit"]
            assert one["cpus"]
            assert one["cap_drop"] == ["ALL"]


def test_images_are_pinned() -> None:
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    assert re.search(r"^ARG PYTHON=\d+\.\d+\.\d+-\S+$", text, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"python:${PYTHON}"}
    for file in ("embedded", "services"):
        for one in compose(file)["services"].values():
            assert re.search(r":v?\d+\.\d+\.\d+(-alpine)?$", one["image"])


def test_passwords_are_made_once_and_hidden_from_others(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets"
    script.write_text((DEPLOY / "compose/make-secrets").read_text("utf-8"), "utf-8")
    made = []
    for _ in range(2):
        subprocess.run(["sh", str(script)], check=True, capture_output=True)
        made.append({path.name: path.read_text("utf-8") for path in (tmp_path / "secrets").iterdir()})
    assert made[0] == made[1]
    used = {Path(one["file"]).name for one in compose("services")["secrets"].values()}
    of_others = {"smtp_password", "slack_url", "pagerduty_key"}
    assert made[0].keys() == used - of_others
    assert len(set(made[0].values())) == len(made[0])
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    assert "secrets/" in (ROOT / ".gitignore").read_text("utf-8").split()


def test_the_image_has_what_the_program_needs_and_no_tools_of_developers() -> None:
    ours = set(re.findall(r"^(\S+==\S+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE))
    shipped = set(re.findall(r"^(\S+==\S+)", (DEPLOY / "requirements.lock").read_text("utf-8"), re.MULTILINE))
    assert shipped < ours, "the same versions as are tested: `make lock`"
    assert not {one.split("==")[0] for one in shipped} & {"pytest", "mypy", "ruff", "hypothesis", "z3-solver"}
