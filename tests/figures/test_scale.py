"""The simulation of large auctions in small: a hundred nodes, a few requests, the real bidders and requester."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from random import Random

from blockedge_node.experiments.crowd import scale
from blockedge_node.experiments.crowd.market import Setting
from blockedge_node.experiments.crowd.mesh import mesh

HUNDRED = Setting(nodes=100)


def test_a_hundred_nodes_bid_about_ten_times_and_the_best_wins() -> None:
    row = scale.run("test", HUNDRED, 10)
    assert all(condition.holds for condition in scale.conditions([row])), scale.conditions([row])
    assert all(sale.able == 99 for sale in row.sales)
    assert min(sale.bids for sale in row.sales) >= 2


def test_without_turns_everybody_bids() -> None:
    row = scale.run("test", replace(HUNDRED, turns=False, close_early=False), 2)
    assert row.bids == 99
    assert row.lost == 0
    assert row.heard > 99


def test_a_row_depends_on_its_name_and_setting_alone() -> None:
    few = Setting(nodes=12, population="close")
    assert scale.run("test", few, 3) == scale.run("test", few, 3)
    assert scale.run("test", few, 3) != scale.run("another", few, 3)


def test_a_message_reaches_everybody_and_losses_only_make_it_later() -> None:
    net = mesh(200, 0.012, Random(1))
    whole, lossy = net.carry(0, Random(2)), net.carry(0, Random(2), loss=0.1)
    assert max(whole) < inf
    assert sum(lossy) / 200 > sum(whole) / 200
    assert net.copies < 8
