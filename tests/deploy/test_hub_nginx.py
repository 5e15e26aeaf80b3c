"""The shipped nginx in front of a hub: a token that is bound to a certificate is worth nothing without it."""

import base64
import contextlib
import datetime as dt
import hashlib
import http.client
import ipaddress
import json
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.deploy.gateways import DEPLOY, NGINX
from tests.deploy.peers import free_port, wait_for
from tests.hub.process import add_member, serving
from tests.hub.site import TAXII, indicator

MODULE = Path("/usr/lib/nginx/modules/ngx_http_js_module.so")
HEADER = "X-Client-Cert-Sha256"
pytestmark = pytest.mark.skipif(
    NGINX is None or not MODULE.exists(), reason="no nginx with njs: apt-get install nginx libnginx-mod-http-js"
)


class Authority:
    """A certificate authority, and what it signs."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "members")])
        self.certificate = self._signed(self._name, self._key, authority=True)

    def issue(self, name: str, directory: Path) -> "Issued":
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._signed(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key)
        files = Issued(directory / f"{name}.pem", directory / f"{name}.key", made.fingerprint(hashes.SHA256()))
        files.certificate.write_bytes(made.public_bytes(Encoding.PEM))
        files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return files

    def _signed(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool = False) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        built = (
            x509.CertificateBuilder(self._name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        return (built if authority else built.add_extension(here, critical=False)).sign(self._key, hashes.SHA256())


class Issued(NamedTuple):
    certificate: Path
    key: Path
    digest: bytes

    @property
    def thumbprint(self) -> str:
        """`x5t#S256` of RFC 8705."""
        return base64.urlsafe_b64encode(self.digest).rstrip(b"=").decode()


class Front(NamedTuple):
    """nginx in front of a hub, the member's certificate and token, and the certificate of somebody else."""

    port: int
    authority: Path
    member: Issued
    token: str
    other: Issued

    def status(self, shown: Issued | None, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> int:
        context = ssl.create_default_context(cafile=str(self.authority))
        if shown is not None:
            context.load_cert_chain(shown.certificate, shown.key)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=context)
        with contextlib.closing(connection):
            sent = {"Authorization": f"Bearer {self.token}", "Accept": TAXII, "Content-Type": TAXII, **(headers or {})}
            path = "/exchange/collections/shared/objects/"
            connection.request("GET" if body is None else "POST", path, body, sent)
            return connection.getresponse().status


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    directory, port = tmp_path_factory.mktemp("nginx"), free_port()
    authority = Authority()
    (directory / "members-ca.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    member, other = authority.issue("member", directory), authority.issue("other", directory)
    authority.issue("hub", directory)
    token = add_member(directory / "data", "north", "--certificate", member.thumbprint)
    options = ("--certificate-header", HEADER, "--public-url", f"https://127.0.0.1:{port}")
    with serving(directory / "data", *options) as served, running_nginx(directory, port, served.port):
        yield Front(port, directory / "members-ca.pem", member, token, other)


@contextlib.contextmanager
def running_nginx(directory: Path, port: int, hub: int) -> Iterator[None]:
    (directory / "logs").mkdir()
    for file in (DEPLOY / "hub").iterdir():
        text = file.read_text().replace("/etc/nginx/", f"{directory}/").replace("127.0.0.1:8380", f"127.0.0.1:{hub}")
        (directory / file.name).write_text(text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"))
    (directory / "main.conf").write_text(
        f"load_module {MODULE}; pid {directory}/pid; daemon off; error_log {directory}/error.log;"
        f"{'user root;' if Path('/root').owner() == 'root' else ''}"
        "events {} http { access_log off; include nginx.conf; }"
    )
    command = [str(NGINX), "-p", str(directory), "-c", str(directory / "main.conf"), "-e", str(directory / "error.log")]
    with subprocess.Popen(command) as process:
        try:
            wait_for(port)
            yield
        finally:
            process.terminate()


def test_a_member_with_its_certificate_reads_and_writes(front: Front) -> None:
    assert front.status(front.member) == 200
    assert front.status(front.member, body=json.dumps({"objects": [indicator()]}).encode()) == 202


def test_a_stolen_token_is_worth_nothing_with_another_certificate(front: Front) -> None:
    assert front.status(front.other) == 401


@pytest.mark.parametrize("name", [HEADER, HEADER.lower(), HEADER.replace("-", "_")])
def test_nobody_says_for_himself_which_certificate_he_has(front: Front, name: str) -> None:
    assert front.status(front.other, {name: front.member.thumbprint}) == 401


def test_without_a_certificate_nobody_comes_as_far_as_the_hub(front: Front) -> None:
    assert front.status(None) == 400


def test_the_thumbprint_is_that_of_the_certificate_s_bytes(front: Front) -> None:
    der = ssl.PEM_cert_to_DER_cert(front.member.certificate.read_text())
    assert hashlib.sha256(der).digest() == front.member.digest
