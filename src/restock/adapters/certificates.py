"""A private authority and the certificates of the services, made with the library `cryptography`, which is an extra.

The authority stays in `ca/`; its key is needed only to make certificates and belongs on no machine that serves. Each service
gets a folder with `ca.crt`, `tls.crt` and `tls.key`, good for the names by which the others call it.
"""

from __future__ import annotations

import ipaddress
import os
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from restock.core.clock import Clock
from restock.core.errors import InvalidInput

AUTHORITY_DAYS = 3650
"""Life of the authority: ten years, as its certificate must be brought to every machine by hand."""

SERVICE_DAYS = 90
"""Life of a service's certificate: short, as a renewal is one command and needs no restart."""

RENEWED_IN_TIME = 3
"""A certificate is renewed when less than a third of its life is left."""

BACKDATED = timedelta(minutes=5)
"""A certificate begins so long before now: clocks of other machines are not the same."""

NAMESPACE = "purchasing-flow"
"""The published namespace, for the names that Kubernetes gives to services."""

EVERYWHERE = ("localhost", "127.0.0.1", "::1")


class Made(NamedTuple):
    """The names of services whose certificates were made, and of those that were good still."""

    made: list[str]
    kept: list[str]


def make_certificates(
    folder: Path, services: Sequence[str], hosts: Sequence[str], clock: Clock, *, renew: bool = False
) -> Made:
    """Make what is missing or ends soon, or with `renew` all but the authority.

    `hosts` are further names or addresses by which the services are called.
    Raises InvalidInput when the folder cannot be written or its authority not be read.
    """
    now = clock.now()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        authority = _authority(folder / "ca", now)
        done = Made([], [])
        for name in services:
            if not renew and _is_good(folder / name, authority, hosts, now):
                done.kept.append(name)
            else:
                _make(folder / name, name, authority, hosts, now)
                done.made.append(name)
    except OSError as error:
        raise InvalidInput(f"{error.filename} cannot be used: {error.strerror}.", field="dir") from None
    return done


class _Authority(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def _authority(folder: Path, now: datetime) -> _Authority:

    if not (folder / "ca.crt").exists():
        certificate, key = _signed("Restock", None, [], now, timedelta(days=AUTHORITY_DAYS))
        _write(folder, {"ca.key": _pem(key), "ca.crt": _text(certificate)})
        return _Authority(certificate, key)
    try:
        certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
        own = load_pem_private_key((folder / "ca.key").read_bytes(), None)
    except ValueError as error:
        raise InvalidInput(f"The authority in {folder} cannot be read: {error}.", field="dir") from None
    if not isinstance(own, ec.EllipticCurvePrivateKey):
        raise InvalidInput(f"The key of the authority in {folder} is not one that Restock made.", field="dir")
    return _Authority(certificate, own)


def _make(folder: Path, name: str, authority: _Authority, hosts: Sequence[str], now: datetime) -> None:
    certificate, key = _signed(name, authority, _names(name, hosts), now, timedelta(days=SERVICE_DAYS))
    _write(folder, {"ca.crt": _text(authority.certificate), "tls.crt": _text(certificate), "tls.key": _pem(key)})


def _is_good(folder: Path, authority: _Authority, hosts: Sequence[str], now: datetime) -> bool:
    """Tell whether a service's certificate is of this authority, for these names, and lasts."""

    try:
        found = x509.load_pem_x509_certificate((folder / "tls.crt").read_bytes())
        found.verify_directly_issued_by(authority.certificate)
        named = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    life = found.not_valid_after_utc - found.not_valid_before_utc
    lasts = found.not_valid_after_utc - now > life / RENEWED_IN_TIME
    return (
        lasts
        and all((folder / each).exists() for each in ("ca.crt", "tls.key"))
        and set(_names(folder.name, hosts)) <= set(named)
    )


def _names(service: str, hosts: Sequence[str]) -> list[x509.GeneralName]:
    """Give the names by which a service is called: its own, those of Kubernetes, this machine, and others."""

    inside = f"{service}-service"
    names = (service, inside, f"{inside}.{NAMESPACE}", f"{inside}.{NAMESPACE}.svc.cluster.local", *EVERYWHERE, *hosts)
    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            try:
                found.append(x509.DNSName(name))
            except ValueError:
                raise InvalidInput(f"{name!r} is no name of a machine.", field="host") from None
    return found


def _signed(
    name: str, authority: _Authority | None, names: Sequence[x509.GeneralName], now: datetime, life: timedelta
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Make a key and a certificate for it; without an authority it is one."""

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    building = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.certificate.subject if authority else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + life)
        .add_extension(x509.BasicConstraints(authority is None, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_usage(signs=authority is None), critical=True)
    )
    if authority is None:
        return building.sign(key, hashes.SHA256()), key
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    building = (
        building.add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
        .add_extension(issuer, critical=False)
    )
    return building.sign(authority.key, hashes.SHA256()), key


def _usage(*, signs: bool) -> x509.KeyUsage:

    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _text(certificate: x509.Certificate) -> bytes:

    return certificate.public_bytes(Encoding.PEM)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Put files into the folder, each whole; a key is for its owner alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in files.items():
        handle, partial = tempfile.mkstemp(dir=folder, prefix=name)  # 0600
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if not name.endswith(".key"):
            Path(partial).chmod(0o644)
        Path(partial).replace(folder / name)
