"""What a node keeps on disk: the journal of facts, blobs by content address, and keys."""
