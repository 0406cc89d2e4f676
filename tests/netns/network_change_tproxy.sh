#!/bin/bash
# The network changes under `gatun up` by TPROXY: see network_change.sh.
CHANGE_MODE=tproxy CHANGE_TEST=$0 . "$(dirname "$0")/network_change.sh"
