#!/bin/bash
# The leak audit, --mode tun: links, routes and routers of others.
MODE=tun
. "$(dirname "$0")/leak_lib.sh"
begin_leak "$0" "$@"
audit_network
finish_leak
