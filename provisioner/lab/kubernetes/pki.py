"""Keys, certificates and kubeconfig files of the lab's cluster; made anew with every lab.

Source: Kubernetes documentation, "PKI certificates and requirements".
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from provisioner.lab.kubernetes import plan

LIFE = datetime.timedelta(days=30)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
HARNESS = "interop-harness"  # the user the lab's context is; what it may do is in roles.py
ADMIN = "interop-admin"


class Authority:
    """A certificate authority that writes what it issues into *folder*, for its owner only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("interop-lab")
        self._now = datetime.datetime.now(datetime.UTC)
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        built = self._begin(self._name, self._key.public_key())
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        built = built.add_extension(_usage(authority=True), critical=True)
        built = built.add_extension(identifier, critical=False)
        self._write("ca.crt", _pem(built.sign(self._key, hashes.SHA256())))
        self._write("ca.key", _secret(self._key))

    def issue(
        self, file: str, name: str, groups: Sequence[str] = (), hosts: Sequence[str] = ()
    ) -> None:
        """Write *file*.crt and *file*.key: a server's where there are *hosts*, else a client's."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = self._begin(_name(name, groups), key.public_key())
        built = built.add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        )
        built = built.add_extension(_usage(authority=False), critical=True)
        purpose = x509.ExtendedKeyUsage([SERVER if hosts else CLIENT])
        built = built.add_extension(purpose, critical=False)
        if hosts:
            alternatives = x509.SubjectAlternativeName([_general(host) for host in hosts])
            built = built.add_extension(alternatives, critical=False)
        self._write(f"{file}.crt", _pem(built.sign(self._key, hashes.SHA256())))
        self._write(f"{file}.key", _secret(key))

    def account_key(self) -> None:
        """The key that signs the tokens of service accounts: sa.key and sa.pub."""
        key = rsa.generate_private_key(65537, 2048)
        self._write("sa.key", _secret(key))
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._write("sa.pub", public)

    def kubeconfig(
        self,
        target: Path,
        server: str,
        users: Sequence[str],
        context: str,
        *,
        namespace: str = "default",
        current: bool = True,
    ) -> None:
        """Write a kubeconfig file with the issued *users*; the first one has the plain context.

        Without a *current* context, whoever uses the file must name one.
        """
        cluster = {"server": server, "certificate-authority-data": self._data("ca.crt")}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [
                {
                    "name": user,
                    "user": {
                        "client-certificate-data": self._data(f"{user}.crt"),
                        "client-key-data": self._data(f"{user}.key"),
                    },
                }
                for user in users
            ],
            "contexts": [
                {
                    "name": context if user == users[0] else f"{context}-{user}",
                    "context": {"cluster": context, "user": user, "namespace": namespace},
                }
                for user in users
            ],
            "current-context": context if current else "",
        }
        _private(target, json.dumps(document, indent=1).encode())

    def _begin(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name)
        builder = builder.public_key(key).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(self._now - datetime.timedelta(hours=1))
        return builder.not_valid_after(self._now + LIFE)

    def _data(self, file: str) -> str:
        return base64.b64encode((self.folder / file).read_bytes()).decode()

    def _write(self, file: str, content: bytes) -> None:
        _private(self.folder / file, content)


def make(folder: Path, nodes: Sequence[plan.NodePlan]) -> Authority:
    """Everything a cluster with these nodes needs."""
    authority = Authority(folder)
    inside = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    inside += [f"kubernetes.default.svc.{plan.DOMAIN}", "localhost"]
    hosts = [*inside, "127.0.0.1", plan.CONTROL, plan.API_SERVICE]
    authority.issue("apiserver", "kube-apiserver", hosts=hosts)
    authority.issue("apiserver-kubelet", "kube-apiserver-kubelet-client", ["system:masters"])
    authority.issue("front-proxy", "front-proxy-client")
    authority.issue("controllers", "system:kube-controller-manager")
    authority.issue("scheduler", "system:kube-scheduler")
    authority.issue("proxy", "system:kube-proxy")
    authority.issue(ADMIN, ADMIN, ["system:masters"])
    authority.issue(HARNESS, HARNESS)
    for node in nodes:
        authority.issue(node.name, f"system:node:{node.name}", ["system:nodes"])
        authority.issue(f"{node.name}-serving", node.name, hosts=[node.name, node.address])
    authority.account_key()
    return authority


def _name(common: str, groups: Sequence[str] = ()) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=not authority,
        data_encipherment=False, key_agreement=False, key_cert_sign=authority, crl_sign=authority,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _secret(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
