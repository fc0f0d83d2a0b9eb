"""Keystore v3, the wallets' format for a key under a password: scrypt or PBKDF2, AES-128-CTR, keccak256 as MAC.

Written here, since eth-account imports a pairing library with it, a third of a second at every start of a node;
the tests check both directions against eth-account.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Address

BLOCK, PARALLEL, LENGTH = 8, 1, 32  # scrypt's r and p, bytes derived
MEMORY_MAX = 1 << 30  # bytes that a file's scrypt may ask for


def encrypt(key: bytes, address: Address, password: str, n: int) -> dict[str, Any]:
    """The JSON object for a 32-byte key; `n` is scrypt's cost, a power of two."""
    kdfparams = {"dklen": LENGTH, "n": n, "r": BLOCK, "p": PARALLEL, "salt": secrets.token_hex(16)}
    iv = secrets.token_bytes(16)
    derived = _derive("scrypt", kdfparams, password)
    ciphertext = _aes_ctr(derived, iv, key)
    crypto = {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": iv.hex()},
        "ciphertext": ciphertext.hex(),
        "kdf": "scrypt",
        "kdfparams": kdfparams,
        "mac": _mac(derived, ciphertext).hex(),
    }
    return {"address": address.hex(), "crypto": crypto, "id": str(uuid4()), "version": 3}


def decrypt(box: Mapping[str, Any], password: str) -> bytes:
    """The key. Raises ValueError if the password is wrong; that, KeyError, TypeError or AttributeError if it is
    no such object.
    """
    crypto = {name.lower(): value for name, value in box.items()}["crypto"]
    if box["version"] != 3 or crypto["cipher"] != "aes-128-ctr":
        raise ValueError("not a keystore of version 3 with AES-128-CTR")
    derived = _derive(crypto["kdf"], crypto["kdfparams"], password)
    ciphertext = bytes.fromhex(crypto["ciphertext"])
    if not hmac.compare_digest(_mac(derived, ciphertext), bytes.fromhex(crypto["mac"])):
        raise ValueError("wrong password")
    return _aes_ctr(derived, bytes.fromhex(crypto["cipherparams"]["iv"]), ciphertext)


def _derive(kdf: str, params: Mapping[str, Any], password: str) -> bytes:
    secret, salt, length = password.encode(), bytes.fromhex(params["salt"]), params["dklen"]
    if length < LENGTH:
        raise ValueError(f"{length} derived bytes are too few for cipher and MAC")
    if kdf == "scrypt":
        n, r, p = params["n"], params["r"], params["p"]
        return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, dklen=length, maxmem=MEMORY_MAX)
    if kdf == "pbkdf2" and params["prf"] == "hmac-sha256":
        return hashlib.pbkdf2_hmac("sha256", secret, salt, params["c"], length)
    raise ValueError(f"unknown key derivation {kdf}")


def _mac(derived: bytes, ciphertext: bytes) -> bytes:
    return keccak256(derived[16:32] + ciphertext)


def _aes_ctr(derived: bytes, iv: bytes, data: bytes) -> bytes:
    cipher = Cipher(algorithms.AES(derived[:16]), modes.CTR(iv)).encryptor()
    return cipher.update(data) + cipher.finalize()
