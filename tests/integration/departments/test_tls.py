"""TLS with a town's own authority: who is not who it says it is gets nothing, on either side."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.servers import PrivateRabbitMQ
from deploy.servers.ports import free_port
from shared.contracts import whistles
from shared.kit import Desk, KitSettings, Spool
from shared.kit.link import Link
from shared.wire import declare, department_users

WATER = "dept-water"
PASSWORD = "a-password-for-tests"
PATIENCE_S = 30.0


class Authority:
    """A private certificate authority."""

    def __init__(self, folder, name):
        self._folder = folder
        folder.mkdir()
        folder.chmod(0o755)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._certificate(self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.file = self._written("ca.pem", made.sign(self._key, hashes.SHA256()))

    def issue(self, name, host, usage):
        """(certificate, key) files for a server or a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = (
            self._certificate(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self._folder / f"{name}.key"
        path.write_bytes(private)
        return self._written(f"{name}.pem", made), path

    def _certificate(self, subject, public_key):
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )

    def _written(self, name, certificate):
        path = self._folder / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path


class SecureRabbitMQ(PrivateRabbitMQ):
    """A broker that speaks TLS beside, and asks for certificates, by the lines of the guide."""

    def __init__(self, folder, authority, certificate, key):
        super().__init__(folder)
        self.tls_port = free_port()
        self._lines = {
            "listeners.ssl.default": f"127.0.0.1:{self.tls_port}",
            "ssl_options.cacertfile": authority,
            "ssl_options.certfile": certificate,
            "ssl_options.keyfile": key,
            "ssl_options.versions.1": "tlsv1.3",
            "ssl_options.versions.2": "tlsv1.2",
            "ssl_options.verify": "verify_peer",
            "ssl_options.fail_if_no_peer_cert": "true",
        }

    def _configure(self):
        super()._configure()
        with (self.folder / "rabbitmq.conf").open("a", encoding="ascii") as file:
            file.writelines(f"{name} = {value}\n" for name, value in self._lines.items())


@pytest.fixture(scope="module")
def authorities(server_folder):
    return Authority(server_folder / "town-ca", "Town"), Authority(server_folder / "other-ca", "Somebody")


@pytest.fixture(scope="module")
def secure(server_folder, authorities):
    town, _ = authorities
    certificate, key = town.issue("broker", "localhost", ExtendedKeyUsageOID.SERVER_AUTH)
    broker = SecureRabbitMQ(server_folder / "tls", town.file, certificate, key)
    broker.start()
    url = broker.url_for("gridwhistle")
    management_url = broker.management_url.replace("://", f"://{broker.user}:{broker.password}@")
    declare.declare(url, [WATER])
    department_users.set_users(url, management_url, [WATER], passwords={WATER: PASSWORD})
    yield broker
    broker.kill()


@pytest.fixture
def linked(secure, tmp_path):
    """Whether a link comes about, tried for some seconds."""

    def attempt(host="localhost", **files):
        url = f"amqps://{whistles.exchange_of(WATER)}:{PASSWORD}@{host}:{secure.tls_port}/gridwhistle"
        settings = KitSettings(department=WATER, broker_url=url, spool=tmp_path / "spool", **files)
        link = Link(settings, Desk(WATER, Spool(settings.spool)), jitter=lambda: 0.0)
        thread = threading.Thread(target=link.run)
        thread.start()
        deadline = time.monotonic() + (PATIENCE_S if attempt.expected else 3.0)
        while not link.connected.wait(0.1) and time.monotonic() < deadline:
            pass
        came = link.connected.is_set()
        link.finish()
        thread.join(PATIENCE_S)
        return came

    attempt.expected = False
    return attempt


def test_with_the_towns_certificates_on_both_sides_it_links(authorities, linked):
    town, _ = authorities
    certificate, key = town.issue("water", "water.example", ExtendedKeyUsageOID.CLIENT_AUTH)
    linked.expected = True
    assert linked(ca_file=town.file, certificate=certificate, key=key)


def test_a_broker_that_is_not_the_towns_gets_no_password(authorities, linked, caplog):
    town, other = authorities
    certificate, key = town.issue("water", "water.example", ExtendedKeyUsageOID.CLIENT_AUTH)
    assert not linked(ca_file=other.file, certificate=certificate, key=key)
    assert not linked(certificate=certificate, key=key), "a public authority did not sign it"
    assert not linked(host="127.0.0.1", ca_file=town.file, certificate=certificate, key=key), "another name"
    assert PASSWORD not in caplog.text


def test_a_department_without_the_towns_certificate_is_not_let_in(authorities, linked):
    town, other = authorities
    certificate, key = other.issue("stranger", "water.example", ExtendedKeyUsageOID.CLIENT_AUTH)
    assert not linked(ca_file=town.file)
    assert not linked(ca_file=town.file, certificate=certificate, key=key)
