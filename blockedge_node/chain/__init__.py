"""The chain adapter: everything that speaks JSON-RPC, and the contract's ABI in both directions.

Pure, shared with the simulator: abi.py, calls.py, events.py, book.py, reverts.py, transactions.py.
With a network: rpc.py (JSON-RPC on httpx) → watcher.py (confirmed heads → HeadSeen), sender.py (calls → CallMined),
reader.py (views) → adapter.py (ports.Chain). provider.py puts web3 on the same transport, for scripts and deploy.py.
"""
