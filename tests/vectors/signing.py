"""What is hashed and signed: eip712.json, commitment.json, merkle.json."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from columns import DOMAIN, NOW, Json, Source, a_bid, a_request, a_terms, extreme, json_value, row_of, table

from blockedge_node.core import commitment, merkle
from blockedge_node.core.ids import Hash
from blockedge_node.core.structs import typehash
from blockedge_node.core.task import Ack, Award, Bid, Commit, KeyCard, Receipt, Request, Result, unit_id
from blockedge_node.core.unit import Terms
from blockedge_node.wire.eip712 import address_of, sign


def eip712() -> Json:
    source = Source("eip712")
    requests = [extreme(Request, 0), extreme(Request, 1)] + [a_request(source) for _ in range(4)]
    bids = [extreme(Bid, 0), extreme(Bid, 1)] + [a_bid(source, request) for request in requests[2:]]
    awards = [extreme(Award, 0), extreme(Award, 1)] + [
        Award(
            task=bid.task,
            shard=bid.shard,
            bid=bid.digest(DOMAIN),
            draw_commit=source.word(),
            not_before=NOW,
            register_by=NOW + source.below(900),
        )
        for bid in bids[2:]
    ]
    acks = [extreme(Ack, 0), extreme(Ack, 1)] + [
        Ack(award=award.digest(DOMAIN), start_at=award.not_before) for award in awards[2:]
    ]
    commits = [extreme(Commit, 0), extreme(Commit, 1)] + [
        Commit(unit=unit_id(bid.task, bid.shard), terms_hash=source.word(), commitment=source.word())
        for bid in bids[2:]
    ]
    receipts = [extreme(Receipt, 0), extreme(Receipt, 1)] + [
        Receipt(unit=unit_id(bid.task, bid.shard), result_hash=source.word()) for bid in bids[2:]
    ]
    cards = [
        KeyCard(owner=source.address(), peer_id=peer_id, hpke_key=hpke, seq=seq, expiry=NOW)
        for peer_id, hpke, seq in (
            (b"\x01", bytes(32), 0),
            (bytes.fromhex("002408011220") + source.word(), bytes(32), 1),
            (source.word(), source.word(), (1 << 64) - 1),
        )
    ]
    terms = [extreme(Terms, 0), extreme(Terms, 1)] + [a_terms(source) for _ in range(4)]
    return {
        "domain": {
            "name": "BlockEdge",
            "version": "1",
            "chainId": DOMAIN.chain_id,
            "verifyingContract": json_value(DOMAIN.contract),
            "separator": json_value(DOMAIN.separator),
        },
        "typehash": {
            cls.__name__: json_value(typehash(cls.TYPE))
            for cls in (Request, Bid, Award, Ack, Commit, Receipt, KeyCard, Result)
        },
        "request": signable(requests),
        "bid": signable(bids),
        "award": signable(awards),
        "ack": signable(acks),
        "commit": signable(commits),
        "receipt": signable(receipts),
        "keyCard": signable(cards),
        "terms": table([row_of(t) | {"unit": t.unit, "termsHash": t.terms_hash()} for t in terms]),
        "slot": table(list(slots(source, terms))),
        "signature": table(list(signatures(source))),
    }


def signable(structs: list[Any]) -> Json:
    return table([row_of(s) | {"structHash": s.hash(), "digest": s.digest(DOMAIN)} for s in structs])


def slots(source: Source, terms: list[Terms]) -> Iterator[dict[str, Any]]:
    for t in terms:
        data = [source.word(), source.word(), source.word(), Hash(bytes(32))]
        digest = int.from_bytes(commitment.slot_digest(t.terms_hash(), data), "big")
        yield (
            {"termsHash": t.terms_hash()}
            | dict(zip(("d0", "d1", "d2", "d3"), data, strict=True))
            | {"digest": digest}
        )


def signatures(source: Source) -> Iterator[dict[str, Any]]:
    for key in (b"\x00" * 31 + b"\x01", *(source.word() for _ in range(7))):
        digest = source.word()
        sig = sign(key, digest)
        yield {
            "privateKey": key,
            "signer": address_of(key),
            "digest": digest,
            "r": sig[:32],
            "vs": sig[32:],
        }


def commitments() -> Json:
    source = Source("commitment")
    rows, results, draws = [], [extreme(Result, 0), extreme(Result, 1)], []
    for i in range(4):
        results.append(
            Result(
                exit=i << 16 | i,
                output_root=source.word(),
                fuel_used=source.below(1 << 64),
                memory_hash=source.word(),
            )
        )
    for i, role in enumerate(list(commitment.Role) * 2):
        juror = role is commitment.Role.JUROR
        row = {
            "unit": source.word(),
            "role": role,
            "round": i % 3 if juror else 0,
            "seat": 22 if juror else 0,
            "author": source.address(),
            "resultHash": source.word(),
            "salt": source.secret(),
            "guard": source.word() if role is commitment.Role.WORKER else bytes(32),
        }
        value = commitment.commitment(
            DOMAIN,
            row["unit"],
            role,
            row["author"],
            row["resultHash"],
            row["salt"],
            guard=row["guard"],
            round=row["round"],
            seat=row["seat"],
        )
        rows.append(row | {"commitment": value})
    for _ in range(4):
        secret, second = source.secret(), source.secret()
        guard_r = commitment.guard(second)
        draws.append(
            {
                "secret": secret,
                "guardSecret": second,
                "guardR": guard_r,
                "drawCommit": commitment.draw_commit(secret, guard_r),
            }
        )
    return {
        "chainId": DOMAIN.chain_id,
        "blockEdge": json_value(DOMAIN.contract),
        "typehash": json_value(commitment.COMMITMENT_TYPEHASH),
        "commitment": table(rows),
        "result": table([row_of(result) | {"resultHash": result.hash()} for result in results]),
        "draw": table(draws),
    }


def merkle_trees() -> Json:
    rows = []
    for size in (0, 1, 31, 32, 1023, 1024, 1025, 2048, 2049, 3072, 5000, 7 * 1024 + 1):
        data = bytes((i * 7 + i // 256) & 0xFF for i in range(size))
        rows.append(
            {
                "size": size,
                "data": data,
                "leaves": b"".join(merkle.leaves(data)),
                "root": merkle.root(data),
            }
        )
    return {"chunk": merkle.CHUNK, "blob": table(rows)}
