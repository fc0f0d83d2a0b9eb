"""The sections of node.toml and of a coalition file: every key, its type, range and default.

config/node.toml says what each key means; a test keeps the two equal.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from blockedge_node.config.amounts import parse_hex, parse_wei
from blockedge_node.core.ids import ZERO_ADDRESS, Address, Hash
from blockedge_node.core.job import (
    MAX_FILES,
    MAX_FUEL,
    MAX_FUNCTIONS,
    MAX_MEMORY,
    MAX_STDIN,
    MAX_STDOUT,
    MAX_WASM,
    MIB,
)

WeiAmount = Annotated[int, BeforeValidator(parse_wei)]
HexAddress = Annotated[bytes, BeforeValidator(lambda value: parse_hex(value, 20))]
HexHash = Annotated[bytes, BeforeValidator(lambda value: parse_hex(value, 32))]
Bps = Annotated[int, Field(ge=0, le=10_000)]
Role = Literal["requester", "worker", "verifier", "juror"]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NodeSection(Section):
    data_dir: str = ""  # "": by layout, see the module docstring
    roles: tuple[Role, ...] = ("requester", "worker", "verifier", "juror")


class ApiSection(Section):
    socket: str = ""
    tcp: str = ""
    token_file: str = "api.token"
    max_upload: int = Field(default=256 * 2**20, ge=1)  # bytes a blob, the hard limit of docs/execution.md §3

    @field_validator("tcp")
    @classmethod
    def _loopback(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (port.isdecimal() and int(port) < 65_536 and _is_loopback(host)):
            raise ValueError(f'{value!r} is not loopback: write "127.0.0.1:PORT"; others reach it by a proxy')
        return value


class P2pSection(Section):
    listen: tuple[str, ...] = ("/ip4/0.0.0.0/tcp/4300",)
    bootstrap: tuple[str, ...] = ()
    announce: tuple[str, ...] = ()


class ChainSection(Section):
    rpc: tuple[str, ...] = ()
    poll_seconds: float = Field(default=1.0, gt=0, le=60)
    confirmations: int = Field(default=2, ge=0, le=1000)
    rpc_timeout: float = Field(default=10.0, gt=0, le=300)


class CoalitionSection(Section):
    file: str = "coalition.toml"


Layer = Literal["auto", "on", "off"]


class ExecutorSection(Section):
    slots: int = Field(default=1, ge=1, le=1024)
    speed: int = Field(default=500_000_000, ge=1)
    memory: int = Field(default=0, ge=0)  # bytes; 0: half of the machine's
    cache: int = Field(default=512 * 2**20, ge=0)  # bytes; 0: none
    bubblewrap: Layer = "auto"
    uid: Layer = "auto"
    landlock: Layer = "auto"
    seccomp: Layer = "auto"


class ProgramsSection(Section):
    """content.Caps: what a node bids for, up to what the engine can run (docs/execution.md §3)."""

    wasm: int = Field(default=4 * MIB, ge=1, le=MAX_WASM)
    functions: int = Field(default=20_000, ge=1, le=MAX_FUNCTIONS)
    memory: int = Field(default=256 * MIB, ge=1, le=MAX_MEMORY)
    stdin: int = Field(default=64 * MIB, ge=0, le=MAX_STDIN)
    files: int = Field(default=64 * MIB, ge=0, le=MAX_FILES)
    stdout: int = Field(default=16 * MIB, ge=0, le=MAX_STDOUT)
    fuel: int = Field(default=MAX_FUEL, ge=1, le=MAX_FUEL)


class PolicySection(Section):
    """core.world.Policy, less what other sections say (roles, slots, speed) and what the executor knows."""

    kinds: frozenset[Literal[1, 2]] = frozenset({1, 2})
    price_floor: WeiAmount = 10**13
    price_per_gfuel: WeiAmount = 10**14
    delay_floor: int = Field(default=5, ge=1)
    delay_margin_bps: int = Field(default=5_000, ge=0)
    max_units: int = Field(default=16, ge=0)
    max_exposure: WeiAmount = 10**21
    risk_cap: WeiAmount = 10**18
    bid_window: float = Field(default=1.0, gt=0, le=600)
    close_early: bool = True
    close_gain: int = Field(default=1_000, ge=0, le=1_000_000)
    gossip_hop: float = Field(default=0.015, gt=0, le=10)
    ack_timeout: float = Field(default=5.0, gt=0, le=600)
    bid_ttl: int = Field(default=120, ge=1)
    spread: int = Field(default=4, ge=1)
    attempts: int = Field(default=3, ge=1, le=100)
    verify_bps: Bps = 10_000
    verify_own_bps: Bps = 0
    verify_bps_court: Bps = 0
    appeal: bool = True
    bundle_window: float = Field(default=0.5, ge=0.2, le=2)
    bundle_items: int = Field(default=64, ge=1, le=64)
    min_ticket_owners: int = Field(default=8, ge=1)
    spot_bps: Bps = 1_000
    check_fee_bps: int = Field(default=20_000, ge=1)
    paused: bool = False


class WatchtowerSection(Section):
    towers: tuple[HexAddress, ...] = ()
    clients: frozenset[HexAddress] = frozenset()
    appeal_budget: WeiAmount = 0


class KeysSection(Section):
    network: str = "keys/network.key"
    payment: str = "keys/payment.json"
    password_file: str = "keys/password"


class LogsSection(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"
    keep: int = Field(default=2_000, ge=100, le=100_000)


class Settings(Section):
    """node.toml as it is written. Paths may be relative to the data dir; `Config` resolves them."""

    node: NodeSection = NodeSection()
    api: ApiSection = ApiSection()
    p2p: P2pSection = P2pSection()
    chain: ChainSection = ChainSection()
    coalition: CoalitionSection = CoalitionSection()
    executor: ExecutorSection = ExecutorSection()
    programs: ProgramsSection = ProgramsSection()
    policy: PolicySection = PolicySection()
    watchtower: WatchtowerSection = WatchtowerSection()
    keys: KeysSection = KeysSection()
    logs: LogsSection = LogsSection()


class CodeHashes(Section):
    """keccak256 of the deployed code: a node refuses a coalition whose contracts are not these."""

    contract: HexHash | None = None
    judge: HexHash | None = None
    reports: HexHash | None = None
    disputes: HexHash | None = None
    auctions: HexHash | None = None
    court: HexHash | None = None


class Coalition(Section):
    """One deployment (docs/protocol.md §1): the same file for all members."""

    name: str = "coalition"
    chain_id: int = Field(ge=1)
    contract: HexAddress
    judge: HexAddress = ZERO_ADDRESS  # of kind 1
    reports: HexAddress = ZERO_ADDRESS  # whose code the contract runs for rare calls, and …
    disputes: HexAddress = ZERO_ADDRESS  # … for checks and disputes, and …
    auctions: HexAddress = ZERO_ADDRESS  # … for on-chain auctions
    court: HexAddress = ZERO_ADDRESS  # zero: none; then kind 2 is negotiated and paid, and never judged
    deployment_block: int = Field(default=0, ge=0)  # events are read from here on
    block_time: int = Field(default=12, ge=1, le=60)  # seconds between blocks, rounded up
    rpc: tuple[str, ...] = ()
    bootstrap: tuple[str, ...] = ()
    code_hashes: CodeHashes = CodeHashes()

    @property
    def contract_address(self) -> Address:
        return Address(self.contract)

    @property
    def court_address(self) -> Address | None:
        return None if self.court == ZERO_ADDRESS else Address(self.court)

    @property
    def expected_code(self) -> Hash | None:
        return None if self.code_hashes.contract is None else Hash(self.code_hashes.contract)

    @property
    def other_codes(self) -> dict[Address, Hash | None]:
        """What must stand at the addresses of all contracts but the first; None: any code."""
        found = {}
        for name in ("judge", "reports", "disputes", "auctions", "court"):
            at, code = getattr(self, name), getattr(self.code_hashes, name)
            if at != ZERO_ADDRESS:
                found[Address(at)] = None if code is None else Hash(code)
        return found


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
