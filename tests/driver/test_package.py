#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_package.py BUILD: the test CA, the signed driver, the catalog, and what the INF says against the driver's own
constants. Whether Windows takes the INF and the catalog is not known here."""
import hashlib
import os
import re
import stat
import tempfile

from support import CA, DRIVER, ROOT, SIGNED, SYS, TOOLS, main, read, run, succeeds, write
import pe_image

SIGN = os.path.join(TOOLS, "sign_driver")
SIGNED_SYS = os.path.join(SIGNED, "WazabiEDR.sys")
CAT = os.path.join(SIGNED, "WazabiEDR.cat")
INF = os.path.join(SIGNED, "WazabiEDR.inf")
CA_PEM = os.path.join(CA, "ca.pem")


def certificate(name):
    return succeeds("openssl", "x509", "-in", os.path.join(CA, name + ".pem"), "-noout", "-text")


def test_ca_is_a_ca_of_rsa_3072_and_its_keys_are_private():
    ca, leaf = certificate("ca"), certificate("leaf")
    for text in (ca, leaf):
        assert "Public-Key: (3072 bit)" in text and "sha256WithRSAEncryption" in text, text
    assert "CA:TRUE, pathlen:0" in ca and "Certificate Sign, CRL Sign" in ca, ca
    assert "CA:FALSE" in leaf and "Code Signing" in leaf and "Digital Signature" in leaf, leaf
    assert stat.S_IMODE(os.stat(CA).st_mode) == 0o700
    for name in ("ca.key", "leaf.key"):
        assert stat.S_IMODE(os.stat(os.path.join(CA, name)).st_mode) == 0o600, name
    assert read(os.path.join(SIGNED, "test-ca.cer")) == read(os.path.join(CA, "ca.cer"))
    for folder, _, files in os.walk(SIGNED):
        assert not any(f.endswith((".key", ".pem")) for f in files), (folder, files)


def test_ca_is_kept_while_it_is_valid():
    before = read(CA_PEM)
    succeeds(SIGN, "ca", CA)
    assert read(CA_PEM) == before


def signed_driver_is_the_driver_with_a_signature():
    succeeds(SIGN, "verify", CA, SIGNED_SYS)
    plain, signed = pe_image.Image(read(SYS)), pe_image.Image(read(SIGNED_SYS))
    assert plain.authenticode() == signed.authenticode()
    assert plain.directories[pe_image.SECURITY] == (0, 0) and signed.directories[pe_image.SECURITY][1] > 1000
    assert signed.checksum == signed.computed_checksum() != plain.checksum


def changed(path, offset):
    data = bytearray(read(path))
    data[offset] ^= 1
    f = tempfile.NamedTemporaryFile(prefix="wedr-sign-", suffix=os.path.splitext(path)[1])
    f.write(data)
    f.flush()
    return f


def one_changed_bit_breaks_the_signature_and_the_catalog():
    image = pe_image.Image(read(SIGNED_SYS))
    for offset in (image.pe + 8, image.sections[0].raw, image.sections[-1].raw):
        with changed(SIGNED_SYS, offset) as f:
            code, out = run("osslsigncode", "verify", "-CAfile", CA_PEM, "-in", f.name)
            assert code == 1 and "MISMATCH" in out, out
            code, out = run("osslsigncode", "verify", "-CAfile", CA_PEM, "-catalog", CAT, "-in", f.name)
            assert code == 1, out


def signature_of_another_ca_is_refused():
    with tempfile.TemporaryDirectory(prefix="wedr-sign-") as folder:
        succeeds(SIGN, "ca", folder)
        code, out = run(SIGN, "verify", folder, SIGNED_SYS)
        assert code == 1 and "failed" in out, out


def signing_fails_loudly():
    with tempfile.TemporaryDirectory(prefix="wedr-sign-") as folder:
        bad, out = os.path.join(folder, "bad.sys"), os.path.join(folder, "out.sys")
        write(bad, b"MZ" + bytes(100))
        assert run(SIGN, "sign", CA, bad, out)[0] == 1 and not os.path.exists(out)
        assert run(SIGN, "sign", CA, os.path.join(folder, "none.sys"), out)[0] == 1
        assert run(SIGN)[0] == 2


def catalog_is_signed_and_lists_driver_and_inf():
    succeeds(SIGN, "verify", CA, SIGNED_SYS, CAT)
    succeeds("osslsigncode", "verify", "-CAfile", CA_PEM, "-catalog", CAT, "-in", SYS)
    catalog = read(CAT)
    digests = (pe_image.Image(read(SYS)).authenticode(), hashlib.sha256(read(INF)).digest())
    for digest in digests:
        # the member's name and the indirect data
        assert catalog.count(b"\x04\x20" + digest) == 2, digest.hex()
    for name in ("wazabiedr.sys", "wazabiedr.inf"):
        assert (name + "\0").encode("utf-16-le") in catalog, name


def catalog_is_well_formed_and_reproducible():
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    with tempfile.TemporaryDirectory(prefix="wedr-sign-") as folder:
        made = []
        for name in ("a.cat", "b.cat"):
            made.append(os.path.join(folder, name))
            succeeds(os.path.join(TOOLS, "make_catalog"), "-o", made[-1], SYS, INF, env=environment)
        assert read(made[0]) == read(made[1])
        text = succeeds("openssl", "asn1parse", "-inform", "DER", "-in", made[0])
    assert "231114221320Z" in text and text.count("1.3.6.1.4.1.311.2.1.4") == 2, text


def authenticode_digest_covers_all_but_what_it_must_not():
    data = bytearray(read(SYS))
    image = pe_image.Image(bytes(data))
    data[image.checksum_at] ^= 1
    assert pe_image.Image(bytes(data)).authenticode() == image.authenticode()
    for offset in (2, image.checksum_at - 1, image.checksum_at + 4, len(data) - 1):
        other = bytearray(read(SYS))
        other[offset] ^= 1
        try:
            assert pe_image.Image(bytes(other)).authenticode() != image.authenticode(), offset
        except pe_image.Malformed:
            pass


def define(name):
    """The value of a macro of the driver's settings."""
    with open(os.path.join(ROOT, "endpoint", "driver", "src", "settings.h"), encoding="utf-8") as f:
        return re.search(rf"#define {name} (.+)", f.read()).group(1)


def inf_says_what_the_driver_expects():
    text = read(INF).decode("ascii")
    lines = [line.split(";")[0].strip() for line in text.split("\n")]
    body = "\n".join(lines)
    sections = {}
    for line in lines:
        if line.startswith("["):
            name = line.strip("[]")
            assert name not in sections, f"[{name}] twice"
            sections[name] = []
        elif line:
            sections[name].append(line)
    assert not any(s.lower() in ("manufacturer", "defaultinstall", "defaultuninstall") for s in sections), sections
    for section in ("DefaultInstall.NTamd64", "DefaultInstall.NTamd64.Services", "DefaultUninstall.NTamd64"):
        assert section in sections, section
    for word in re.findall(r"%(\w+)%", body):
        assert word in ("12",) or re.search(rf"(?m)^{word}\s*=", body), f"%{word}% has no string"
    for name in re.findall(r"(?m)^(?:CopyFiles|DelFiles|AddReg)\s*=\s*(\S+)", body):
        assert name in sections, name
    assert re.search(r"AddService = WazabiEDR,,WazabiEDR\.Service", body) and "WazabiEDR.Service" in sections
    for key, value in (("ServiceType", "1"), ("StartType", "3"), ("ErrorControl", "1")):
        assert re.search(rf"(?m)^{key}\s*=\s*{value}$", body), key
    assert f"HKR,Parameters,Altitude,0x00000000,{define('WEDR_ALTITUDE_DEFAULT')[1:]}" in body
    amount, shift = re.fullmatch(r"\((\d+)u << (\d+)\)", define("WEDR_LANE_BYTES_DEFAULT")).groups()
    for lane in ("CriticalLaneBytes", "BulkLaneBytes"):
        assert f"HKR,Parameters,{lane},0x00010001,{int(amount) << int(shift):#010x}" in body, lane


def test_d25_nothing_newer_than_the_oldest_windows_is_imported():
    """What Windows 10 1809 lacks is looked up at load, and no part is labelled as what it is not."""
    imports = read(os.path.join(ROOT, "endpoint/driver/imports.txt")).decode("ascii")
    for name in ("ExAllocatePool2", "ExAllocatePool3", "PsSetCreateProcessNotifyRoutineEx2", "Wdf", "IoCreateDeviceSecure"):
        assert name not in imports, name
    inf = read(INF).decode("ascii")
    assert "17763" in inf and "Wdf" not in inf and "Kmdf" not in inf
    assert not re.search(r"(?im)^\s*(Root\\|%.*%\s*=.*,\s*Root\\)", inf), "a device"


def nothing_secret_lies_beside_the_driver():
    for name in os.listdir(DRIVER):
        assert not name.endswith((".key", ".pem")), name


main(test_ca_is_a_ca_of_rsa_3072_and_its_keys_are_private, test_ca_is_kept_while_it_is_valid,
     signed_driver_is_the_driver_with_a_signature, one_changed_bit_breaks_the_signature_and_the_catalog,
     signature_of_another_ca_is_refused, signing_fails_loudly, catalog_is_signed_and_lists_driver_and_inf,
     catalog_is_well_formed_and_reproducible, authenticode_digest_covers_all_but_what_it_must_not,
     inf_says_what_the_driver_expects, test_d25_nothing_newer_than_the_oldest_windows_is_imported,
     nothing_secret_lies_beside_the_driver)
