"""What deploys, as the tests of this folder read it: Kustomize folders with their patches, and compose files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
K8S = DEPLOY / "k8s"


@cache
def read(path: Path) -> Any:
    """Give the one document of a YAML file."""
    return yaml.safe_load(path.read_text("utf-8"))


@dataclass(frozen=True)
class Patches:
    """What a folder changes in the template that it names."""

    folder: str
    prefix: str
    by_kind: dict[str, Any]

    @property
    def pod(self) -> Any:
        """Its pods, as far as the folder says."""
        return self.by_kind["Deployment"]["spec"]["template"]["spec"]

    @property
    def container(self) -> Any:
        """The container of its pods, likewise."""
        return self.pod["containers"][0]

    @property
    def environment(self) -> dict[str, str]:
        """What the folder sets."""
        return {each["name"]: each["value"] for each in self.container["env"] if "value" in each}

    @property
    def ports(self) -> dict[str, int]:
        """The ports of the container by name."""
        return {each["name"]: each["containerPort"] for each in self.container.get("ports", ()) if "name" in each}

    @property
    def offered(self) -> dict[str, int]:
        """The ports of the service by name."""
        patch = self.by_kind.get("Service", {"spec": {"ports": []}})
        return {each["name"]: each["port"] for each in patch["spec"]["ports"] if "name" in each}


def patches(folder: Path) -> Patches:
    """Give what a folder of a service changes."""
    said = read(folder / "kustomization.yaml")
    found = {}
    for each in said["patches"]:
        patch = yaml.safe_load(each["patch"])
        found[patch["kind"]] = patch
    return Patches(folder.name, said["namePrefix"], found)


@cache
def services() -> dict[str, Patches]:
    """Give the folders of services by name."""
    return {folder.name: patches(folder) for folder in (K8S / "base").iterdir() if folder.is_dir()}


def literals(kustomization: Path) -> dict[str, dict[str, str]]:
    """Give the config maps that a folder makes, by name."""
    return {
        each["name"]: dict(line.split("=", 1) for line in each["literals"])
        for each in read(kustomization)["configMapGenerator"]
    }


def compose(name: str) -> Any:
    """Give a compose file."""
    return read(DEPLOY / "compose" / f"{name}.yaml")
