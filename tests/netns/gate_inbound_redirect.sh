#!/bin/bash
# gate_inbound.sh, by REDIRECT.
UP_MODE=redirect UP_TEST=$0 exec "$(dirname "$0")/gate_inbound.sh" "$@"
