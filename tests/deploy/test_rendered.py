"""What Kustomize makes of deploy/k8s, as a cluster would be told: `make deploy-check` renders it first."""

from __future__ import annotations

import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from manifests import K8S, ROOT

from restock.services import SERVICES

ALL = sorted(folder.name for folder in (K8S / "overlays").iterdir())
OVERLAYS = [name for name in ALL if name != "setup"]
"""Those that serve."""

PUBLISHED_REPLICAS = {"orchestrator-service": 3, "rule-engine-service": 3}


@cache
def rendered(overlay: str) -> list[Any]:
    """Give everything in an overlay."""
    text = (ROOT / Path(os.environ["RESTOCK_RENDERED"]) / f"{overlay}.yaml").read_text("utf-8")
    return list(yaml.safe_load_all(text))


def objects(overlay: str, kind: str) -> dict[str, Any]:
    """Give the objects of a kind by name."""
    return {one["metadata"]["name"]: one for one in rendered(overlay) if one["kind"] == kind}


def pod(deployment: Any) -> Any:
    return deployment["spec"]["template"]["spec"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_has_certificates_and_shows_no_secret(overlay: str) -> None:
    deployments = objects(overlay, "Deployment")
    for name, one in deployments.items():
        (container,) = pod(one)["containers"]
        mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
        volumes = {each["name"]: each for each in pod(one)["volumes"]}
        assert mounts.keys() == volumes.keys(), name
        assert mounts["tls"] == "/etc/restock/tls"
        owner = "orchestrator" if overlay == "monolith" else name.removesuffix("-service")
        assert volumes["tls"]["secret"]["secretName"] == f"{owner}-tls"
        assert {"name": "RESTOCK_TLS", "value": "/etc/restock/tls"} in container["env"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["scheme"] == "HTTPS", "Kubernetes speaks gRPC in plain text only"
            assert "grpc" not in container[probe]
        assert not [each for each in container["env"] if "PASSWORD" in each["name"] and "FILE" not in each["name"]]
    assert not objects(overlay, "Secret")
    assert deployments.keys() == (
        {"restock-service"} if overlay == "monolith" else {f"{one.name}-service" for one in SERVICES}
    )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_service_selects_its_own_pods_and_nobody_elses(overlay: str) -> None:
    for kind, selector in (("Service", "selector"), ("PodDisruptionBudget", "selector")):
        for name, one in objects(overlay, kind).items():
            found = one["spec"][selector]
            found = found.get("matchLabels", found)
            chosen = [
                other
                for other, each in objects(overlay, "Deployment").items()
                if found.items() <= each["spec"]["template"]["metadata"]["labels"].items()
            ]
            assert chosen == [name], kind


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_named_is_there(overlay: str) -> None:
    maps, claims = objects(overlay, "ConfigMap"), objects(overlay, "PersistentVolumeClaim")
    accounts, deployments = objects(overlay, "ServiceAccount"), objects(overlay, "Deployment")
    offered = objects(overlay, "Service")
    for one in deployments.values():
        assert pod(one)["serviceAccountName"] in accounts
        assert pod(one)["automountServiceAccountToken"] is False
        for each in pod(one)["containers"][0].get("envFrom", ()):
            assert each["configMapRef"]["name"] in maps
        for volume in pod(one)["volumes"]:
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
    for one in objects(overlay, "HorizontalPodAutoscaler").values():
        assert one["spec"]["scaleTargetRef"]["name"] in deployments
    for one in objects(overlay, "Ingress").values():
        for rule in one["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                assert backend["port"]["name"] in {port["name"] for port in offered[backend["name"]]["spec"]["ports"]}


@pytest.mark.parametrize("overlay", ALL)
def test_nobody_speaks_with_anybody_unless_it_is_named(overlay: str) -> None:
    policies = objects(overlay, "NetworkPolicy")
    deny = policies["default-deny"]["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    names = set(objects(overlay, "Deployment"))
    for name, one in policies.items():
        for condition in one["spec"]["podSelector"].get("matchExpressions", ()):
            assert set(condition["values"]) <= names, name
    (namespace,) = objects(overlay, "Namespace").values()
    assert namespace["metadata"]["name"] == "purchasing-flow"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_services_scale_from_the_published_numbers() -> None:
    scalers = objects("services", "HorizontalPodAutoscaler")
    assert {name: one["spec"]["minReplicas"] for name, one in scalers.items()} == {
        f"{one.name}-service": PUBLISHED_REPLICAS.get(f"{one.name}-service", 2) for one in SERVICES
    }
    lag = {name for name, one in scalers.items() if any("external" in each for each in one["spec"]["metrics"])}
    assert lag == {"inventory-service", "analytics-service"}
    for one in objects("services", "Deployment").values():
        assert "replicas" not in one["spec"], "an apply would undo the scaler's work"
        assert "cpu" not in pod(one)["containers"][0]["resources"]["limits"]


def test_the_published_numbers_are_an_overlay() -> None:
    assert not objects("published", "HorizontalPodAutoscaler")
    for name, one in objects("published", "Deployment").items():
        assert one["spec"]["replicas"] == PUBLISHED_REPLICAS.get(name, 2)
        large = name == "rule-engine-service"
        assert pod(one)["containers"][0]["resources"] == {
            "requests": {"cpu": "200m" if large else "100m", "memory": "256Mi" if large else "128Mi"},
            "limits": {"cpu": "1000m" if large else "500m", "memory": "512Mi" if large else "256Mi"},
        }
    kinds = {name: one["spec"].get("type", "ClusterIP") for name, one in objects("published", "Service").items()}
    assert {name for name, kind in kinds.items() if kind != "ClusterIP"} == {"orchestrator-service"}


def test_the_monolith_is_one_pod_with_a_disk_of_its_own() -> None:
    one = objects("monolith", "Deployment")["restock-service"]
    assert (one["spec"]["replicas"], one["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert not objects("monolith", "HorizontalPodAutoscaler")
    assert {each["name"] for each in pod(one)["volumes"]} == {"home", "tmp", "tls"}


def test_the_script_applies_what_was_checked() -> None:
    path = f"{ROOT / '.venv-deploy' / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        [ROOT / "scripts/deploy-k8s", "--dry-run", "monolith"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PATH": path},
    )
    assert list(yaml.safe_load_all(done.stdout)) == rendered("monolith")


@pytest.mark.parametrize("overlay", ["services", "published", "monolith"])
def test_cleaning_up_finds_what_was_made_and_spares_what_holds_orders(overlay: str) -> None:
    script = (ROOT / "scripts/cleanup-k8s").read_text("utf-8")
    (kinds,) = re.findall(r"^for kind in (.*); do$", script, re.MULTILINE)
    cleaned = {*kinds.split(), "priorityclass"}
    made = {one["kind"].lower() for one in rendered(overlay)}
    assert made - cleaned <= {"namespace", "persistentvolumeclaim"}
    for one in rendered(overlay):
        assert one["metadata"]["labels"]["app.kubernetes.io/part-of"] == "restock"


def test_tables_are_made_by_an_administrator_whose_password_no_service_has() -> None:
    (job,) = objects("setup", "Job").values()
    (container,) = pod(job)["containers"]
    assert container["command"] == ["sh", "-ec", "restock setup databases && restock migrate"]
    admin = {each["secret"]["secretName"] for each in pod(job)["volumes"] if "secret" in each}
    assert admin == {"db-secret", "db-admin"}
    for overlay in OVERLAYS:
        assert "db-admin" not in json.dumps(rendered(overlay))
    (here,), (there,) = (
        [name for name in objects(one, "ConfigMap") if "db-config" in name] for one in ("setup", "services")
    )
    assert here == there, "the same databases, by the hash of what is said of them"
