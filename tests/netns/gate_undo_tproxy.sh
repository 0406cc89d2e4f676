#!/bin/bash
# gate_undo.sh, by TPROXY.
UP_MODE=tproxy UP_TEST=$0 exec "$(dirname "$0")/gate_undo.sh" "$@"
