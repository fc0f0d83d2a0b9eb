"""A machine that is short of time spoils a run: there is no result then, and the node goes on."""

from __future__ import annotations

from typing import Any

import pytest

from blockedge_node.executor import probe
from blockedge_node.executor.pool import ExecutorFault, Pool
from blockedge_node.executor.sandbox import COMPILE_CPU


async def test_a_program_that_takes_too_long_to_compile_is_no_result(make: Any) -> None:
    body = "(local.set 0 (i64.mul (i64.add (local.get 0) (i64.const 7)) (local.get 0)))" * 4000
    bomb = make(extra="".join(f"(func (local i64) {body})" for _ in range(200)))
    assert COMPILE_CPU <= 60
    async with Pool(slots=1) as pool:
        with pytest.raises(ExecutorFault) as fault:
            await pool.check(bomb, wall=1)
        assert fault.value.reason == "timeout"
        assert (await pool.run(probe.JOB, wall=60)).result == probe.RESULT
