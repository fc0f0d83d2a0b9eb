#!/usr/bin/env bash
# Is systemd/ understood by systemd, and is the daemon's exposure score (lower is better) at most 1.5?
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if ! command -v systemd-analyze >/dev/null; then
    say "systemd-analyze is not installed here; the units were not looked at"
    exit 0
fi
copy=$(mktemp -d)
trap 'rm -r "$copy"' EXIT
for unit in "$ROOT"/systemd/*.service "$ROOT"/systemd/*.socket; do
    [ -e "$unit" ] || continue
    # verify insists that the command exists; on this machine nothing is installed under /opt
    sed 's|^ExecStart=.*|ExecStart=/bin/true|' "$unit" >"$copy/$(basename "$unit")"
done
problems=$(systemd-analyze verify "$copy"/* 2>&1 | grep "^$copy\|blockedge" || true)
[ -z "$problems" ] || fail "systemd-analyze verify: $problems"
for unit in "$copy"/*.service; do
    # --threshold= is in tenths
    systemd-analyze security --offline=true --threshold=15 "$unit" --no-pager >"$copy/report" ||
        fail "$(tail -n 1 "$copy/report")" "look at the lines with ✗: systemd-analyze security --offline=true systemd/${unit##*/}"
    tail -n 1 "$copy/report"
done
