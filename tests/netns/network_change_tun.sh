#!/bin/bash
# The network changes under `gatun up` by a TUN: see network_change.sh.
CHANGE_MODE=tun CHANGE_TEST=$0 . "$(dirname "$0")/network_change.sh"
