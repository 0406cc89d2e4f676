#!/bin/bash
# The leak audit, --mode redirect: how it begins and ends, and the kill switch.
MODE=redirect
. "$(dirname "$0")/leak_lib.sh"
begin_leak "$0" "$@"
audit_ends
finish_leak
