"""A certificate authority for an hour, and one certificate of it for 127.0.0.1, with which the software of the tests serves its
metadata: client id metadata documents are read over https only. Writes ca.pem, cert.pem and key.pem into FOLDER.

    certificate.py FOLDER"""

import datetime
import ipaddress
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def named(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, issuer, public, signer, extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
    )
    for extension, critical in extensions:
        made = made.add_extension(extension, critical)
    return made.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def main():
    folder = pathlib.Path(sys.argv[1])
    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    above = [(x509.BasicConstraints(ca=True, path_length=0), True)]
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    serves = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    below = [(here, False), (serves, False), (x509.BasicConstraints(ca=False, path_length=None), True)]
    ca = certificate("Interop CA", "Interop CA", authority.public_key(), authority, above)
    cert = certificate("127.0.0.1", "Interop CA", own.public_key(), authority, below)
    private = own.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for name, text in (("ca.pem", ca), ("cert.pem", cert), ("key.pem", private)):
        (folder / name).write_bytes(text)


main()
