#!/bin/bash
# The leak audit, --mode tun: workers, memory, the server, names, reloads.
MODE=tun
. "$(dirname "$0")/leak_lib.sh"
begin_leak "$0" "$@"
audit_running
finish_leak
