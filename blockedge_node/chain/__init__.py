"""The chain adapter: everything that speaks JSON-RPC, and the contracts' ABI in both directions.

Pure, shared with the simulator: abi_codec; calls, batching (out); events and court_events → fold → book, and
tickets (in); reverts, transactions. With a network: rpc (JSON-RPC on httpx) → reader, logreader → watcher
(confirmed heads → HeadSeen); simulation, nonces → sender (calls → CallMined); standings → adapter (ports.Chain).
provider puts web3 on the same transport, for deploy and scripts.
"""
