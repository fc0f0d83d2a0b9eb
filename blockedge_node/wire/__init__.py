"""What crosses a wire: deterministic CBOR, size limits, EIP-712 signatures. Pure."""
