#!/bin/bash
# The leak audit, --mode redirect: links, routes and routers of others.
MODE=redirect
. "$(dirname "$0")/leak_lib.sh"
begin_leak "$0" "$@"
audit_network
finish_leak
