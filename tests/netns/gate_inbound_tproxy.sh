#!/bin/bash
# gate_inbound.sh, by TPROXY.
UP_MODE=tproxy UP_TEST=$0 exec "$(dirname "$0")/gate_inbound.sh" "$@"
