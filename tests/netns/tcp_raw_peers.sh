#!/bin/bash
# Peers on the TUN that no kernel would be: urgent pointers, options on everything, a window
# of one byte, segments in any order. And packets of no sense at all.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

raw() { in_sandbox "$PYTHON" "$TESTS_DIR/probes/raw.py" "$1" "$WORLD4" "$WORLD6" "${@:2}"; }

open_sandbox
equal "a plain peer made of packets is served" "echo:right then:FIN" "$(raw plain)"
equal "urgent pointers of any value: the stream is whole" "echo:right then:FIN" "$(raw urgent)"
equal "40 bytes of options on every segment: the stream is whole" "echo:right then:FIN" "$(raw laden)"
equal "options whose lengths are lies harm nobody" "echo:right then:FIN" "$(raw broken-options)"
equal "a window of one byte gets single bytes, a closed one nothing, an open one the rest" "sizes:one data:intact then:FIN" "$(raw one-byte)"
equal "segments out of order, twice, overlapping, one with a wrong sum: the stream is right" "echo:right then:FIN" "$(raw shuffled)"
equal "resets and SYNs outside the window change nothing" "echo:right then:FIN" "$(raw resets)"
for seed in 1 2 3; do
	equal "20,000 broken packets (seed $seed): then a connection still works" "echo:right then:FIN" "$(raw fuzz 20000 $seed)"
done
check "gatun run is still there" kill -0 "$SANDBOX_PID"
echo go >&8
close_sandbox
equal "and the command ended in peace" 0 $?

finish
