#!/bin/bash
# gate_strangers.sh, by TPROXY.
UP_MODE=tproxy UP_TEST=$0 exec "$(dirname "$0")/gate_strangers.sh" "$@"
