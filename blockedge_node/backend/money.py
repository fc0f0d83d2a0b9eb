"""Balances, reputation and the audit; each call returns once its transaction is mined at CONF depth."""

from __future__ import annotations

from blockedge_node.api import models
from blockedge_node.backend.parts import Parts, account_model, transaction_model
from blockedge_node.core.ids import Address
from blockedge_node.core.unit import Standing
from blockedge_node.errors import ChainError


class MoneyPart(Parts):
    async def reputation(self, address: bytes) -> models.Reputation:
        rep = await self.chain.reputation(Address(address))
        return models.Reputation(address=address, n=rep.n, m=rep.m, s=rep.s, t=rep.t, score=rep.score)

    async def wallet(self) -> models.Wallet:
        me = self.chain.address
        account = await self.chain.account(me)
        params = self.params()
        return models.Wallet(
            address=me,
            ether=await self.chain.gas_money(),
            account=account_model(Standing(account=account)),
            covered=account.covered(self.clock() + params.max_award),
            exposure=self.exposure(self.engine.world),
            unbond=params.unbond,
        )

    async def fund(self, amount: int) -> models.Transaction:
        return transaction_model("fund", await self.chain.fund(amount))

    async def exit(self, amount: int) -> models.Transaction:
        account = await self.chain.account(self.chain.address)
        if amount > account.free:
            raise ChainError(f"{amount} wei cannot leave: {account.free} wei of the balance are free")
        return transaction_model("exit", await self.chain.exit(amount))

    async def withdraw(self) -> models.Transaction:
        return transaction_model("withdraw", await self.chain.withdraw())

    async def audit(self) -> models.Audit:
        sums = await self.chain.audit()
        counts: dict[str, int] = {}
        for view in self.chain.watcher.book.all_views():
            counts[view.phase.name.lower()] = counts.get(view.phase.name.lower(), 0) + 1
        return models.Audit(
            block=sums.block,
            contract=self.coalition.contract,
            accounts=sums.accounts,
            free=sums.free,
            locked=sums.locked,
            burned=sums.burned,
            balance=sums.held,
            difference=sums.held - sums.free - sums.locked - sums.burned,
            stakes=sums.stakes,
            pots=sums.pots,
            court_balance=sums.court_held,
            court_difference=sums.court_held - sums.stakes - sums.pots,
            holds=sums.sound,
            units=counts,
        )
