"""Keys on disk: never overwritten, never open to others, never lost to a typo without a clear word."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from eth_account import Account

from blockedge_node.errors import ConfigError
from blockedge_node.store import keystore
from blockedge_node.wire.eip712 import address_of

KEY = b"\x01" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "payment.json"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_payment_key_comes_back_with_its_password(path: Path) -> None:
    address = keystore.new_payment_key(path, "secret", "light")
    assert address_of(keystore.payment_key(path, "secret")) == address
    assert keystore.payment_address(path) == address
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700


def test_any_wallet_reads_it_and_we_read_any_wallets(path: Path) -> None:
    keystore.import_payment_key(path, KEY, "secret", "light")
    assert bytes(Account.decrypt(path.read_text(), "secret")) == KEY
    theirs = path.with_name("theirs.json")
    for box in (
        Account.encrypt(KEY, "theirs", kdf="pbkdf2", iterations=1000),
        Account.encrypt(KEY, "theirs", kdf="scrypt", iterations=1 << 12),
    ):
        theirs.write_text(json.dumps(box))
        theirs.chmod(0o600)
        assert keystore.payment_key(theirs, "theirs") == KEY


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("kdf", "argon2"),
        ("cipher", "aes-256-gcm"),
        ("kdfparams", {"dklen": 0, "salt": "", "n": 2, "r": 1, "p": 1}),
    ],
)
def test_keystore_of_another_kind_is_refused(path: Path, part: str, value: object) -> None:
    keystore.import_payment_key(path, KEY, "secret", "light")
    box = json.loads(path.read_text())
    box["crypto"][part] = value
    path.write_text(json.dumps(box))
    with pytest.raises(ConfigError, match="not a keystore file"):
        keystore.payment_key(path, "secret")


def test_strength_is_what_was_asked_for(path: Path) -> None:
    keystore.import_payment_key(path, KEY, "secret", "light")
    assert json.loads(path.read_text())["crypto"]["kdfparams"]["n"] == keystore.ITERATIONS["light"]
    assert keystore.ITERATIONS["standard"] == 2**18


def test_wrong_password_is_told(path: Path) -> None:
    keystore.import_payment_key(path, KEY, "secret", "light")
    with pytest.raises(ConfigError, match="wrong password"):
        keystore.payment_key(path, "Secret")


def test_existing_key_is_never_overwritten(path: Path) -> None:
    keystore.import_payment_key(path, KEY, "secret", "light")
    before = path.read_bytes()
    for again in (
        lambda: keystore.new_payment_key(path, "other", "light"),
        lambda: keystore.import_payment_key(path, b"\x02" * 32, "other", "light"),
        lambda: keystore.new_network_key(path),
        lambda: keystore.new_password(path),
    ):
        with pytest.raises(ConfigError, match="never overwritten"):
            again()
    assert path.read_bytes() == before


def test_dangling_link_is_not_written_through(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="never overwritten"):
        keystore.new_network_key(path)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("key", [b"", bytes(32), b"\xff" * 32, b"\x01" * 31, b"\x01" * 33])
def test_what_is_no_key_is_not_imported(path: Path, key: bytes) -> None:
    with pytest.raises(ConfigError, match="not a secp256k1 private key"):
        keystore.import_payment_key(path, key, "secret", "light")
    assert not path.exists()


def test_empty_password_protects_nothing(path: Path) -> None:
    with pytest.raises(ConfigError, match="must not be empty"):
        keystore.new_payment_key(path, "", "light")


@pytest.mark.parametrize("bits", [0o644, 0o604, 0o622, 0o660, 0o601])
def test_file_that_is_open_to_others_is_refused(path: Path, bits: int) -> None:
    keystore.new_network_key(path)
    path.chmod(bits)
    with pytest.raises(ConfigError, match=rf"mode {bits:04o}.*chmod 600"):
        keystore.network_key(path)


@pytest.mark.parametrize("bits", [0o600, 0o400, 0o440])
def test_private_file_and_systemd_credential_are_read(path: Path, bits: int) -> None:
    seed = keystore.new_network_key(path)
    path.chmod(bits)
    assert keystore.network_key(path) == seed


def test_password_file_is_one_line(path: Path) -> None:
    word = keystore.new_password(path)
    assert len(word) >= 32
    assert keystore.password(path) == word
    path.write_text(" spaces count \r\n")
    assert keystore.password(path) == " spaces count "
    path.write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        keystore.password(path)


@pytest.mark.parametrize("text", ["", "zz", "00" * 31, "00" * 33])
def test_damaged_network_key_says_so(path: Path, text: str) -> None:
    keystore.new_network_key(path)
    path.write_text(text)
    with pytest.raises(ConfigError, match="64 hex digits"):
        keystore.network_key(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"address": 1}', '{"address": "0x12"}', '{"version": 3}'])
def test_damaged_keystore_says_so(path: Path, text: str) -> None:
    keystore.new_network_key(path)
    path.write_text(text)
    with pytest.raises(ConfigError, match="not a keystore file"):
        keystore.payment_key(path, "secret")
    with pytest.raises(ConfigError, match="not a keystore file"):
        keystore.payment_address(path)


def test_missing_key_names_the_command(path: Path) -> None:
    with pytest.raises(ConfigError, match="blockedge init"):
        keystore.payment_key(path, "secret")


def test_two_keys_are_two_keys(tmp_path: Path) -> None:
    assert keystore.new_network_key(tmp_path / "a") != keystore.new_network_key(tmp_path / "b")
