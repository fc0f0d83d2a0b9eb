"""A node's two keys on disk: the payment key (encrypted) and the network key (docs/protocol.md §1).

    payment.json   keystore v3, scrypt; signs messages and transactions: whoever has it has the money
    password       what decrypts it, so that a daemon starts unattended; mode 0600
    network.key    32 random bytes in hex; names this peer in libp2p, worth no money

Losing the payment key loses the balance, so an existing file is never overwritten; a file that other users
can read is refused, since by then the key may be theirs too.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from pathlib import Path
from typing import Literal

from blockedge_node.core.ids import Address
from blockedge_node.errors import ConfigError
from blockedge_node.store import keyfile
from blockedge_node.wire.eip712 import address_of

Strength = Literal["standard", "light"]

# scrypt's n at r = 8. Standard takes about a second and 256 MiB; light, 4 MiB, is for boards that lack them.
ITERATIONS: dict[str, int] = {"standard": 1 << 18, "light": 1 << 12}
KEY_SIZE = 32
NO_KEY = "this is not a secp256k1 private key: 32 bytes, not zero, below the order"
PRIVATE = 0o600
UNSAFE = 0o027  # anything for others, writing for a group; systemd's credentials show as 0440


def new_payment_key(path: Path, password: str, strength: Strength = "standard") -> Address:
    """Makes a key and writes it encrypted. Raises ConfigError if the file exists."""
    return import_payment_key(path, secrets.token_bytes(KEY_SIZE), password, strength)


def import_payment_key(path: Path, key: bytes, password: str, strength: Strength = "standard") -> Address:
    """Writes a given 32-byte key encrypted. Raises ConfigError if the file exists or the key is none."""
    try:
        address = address_of(key)
    except ValueError as error:
        raise ConfigError(NO_KEY) from error
    if len(key) != KEY_SIZE:  # a shorter one would be padded, and be another wallet's key
        raise ConfigError(NO_KEY)
    if not password:
        raise ConfigError("the password of the payment key must not be empty")
    _refuse_existing(path)  # before scrypt, which takes its time
    box = keyfile.encrypt(key, address, password, ITERATIONS[strength])
    _write_new(path, json.dumps(box, indent=1))
    return address


def payment_key(path: Path, password: str) -> bytes:
    """The 32-byte key. Raises ConfigError if the file is missing, unsafe or damaged, or the password is
    wrong.
    """
    text = _read_private(path, "payment key")
    try:
        return keyfile.decrypt(json.loads(text), password)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} cannot be decrypted: wrong password, or not a keystore file") from error


def payment_address(path: Path) -> Address:
    """Whose key it is, without the password."""
    try:
        address = bytes.fromhex(json.loads(_read_private(path, "payment key"))["address"].removeprefix("0x"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is not a keystore file") from error
    if len(address) != 20:
        raise ConfigError(f"{path} is not a keystore file")
    return Address(address)


def new_password(path: Path) -> str:
    """A random password in a file of its own. Raises ConfigError if the file exists."""
    password = secrets.token_urlsafe(24)
    _write_new(path, password + "\n")
    return password


def password(path: Path) -> str:
    """The password in a file, without the line's end. Raises ConfigError if it is missing, unsafe or empty."""
    text = _read_private(path, "password").rstrip("\r\n")
    if not text:
        raise ConfigError(f"{path} is empty; write the password of the payment key into it")
    return text


def new_network_key(path: Path) -> bytes:
    """Makes the 32-byte seed of the network identity. Raises ConfigError if the file exists."""
    seed = secrets.token_bytes(KEY_SIZE)
    _write_new(path, seed.hex() + "\n")
    return seed


def network_key(path: Path) -> bytes:
    """The 32-byte seed of the network identity. Raises ConfigError if it is missing, unsafe or damaged."""
    try:
        seed = bytes.fromhex(_read_private(path, "network key").strip())
    except ValueError as error:
        raise ConfigError(f"{path} is not a network key: 64 hex digits") from error
    if len(seed) != KEY_SIZE:
        raise ConfigError(f"{path} is not a network key: 64 hex digits")
    return seed


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────


def _refuse_existing(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise ConfigError(f"{path} exists already; a key is never overwritten: move the file away first")


def _write_new(path: Path, text: str) -> None:
    """Mode 0600 from the first moment, on disk on return, never over another file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, PRIVATE)
    except FileExistsError:
        _refuse_existing(path)
        raise
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _read_private(path: Path, what: str) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)  # of what is read, whatever the name becomes
            if mode & UNSAFE:
                raise ConfigError(
                    f"{path} is open to others (mode {mode:04o}); the {what} may have leaked. "
                    f"If you are sure that it has not: chmod 600 {path}"
                )
            return file.read()
    except FileNotFoundError as error:
        raise ConfigError(f"there is no {what} at {path}; make one with: blockedge init") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
