#!/bin/bash
# What up_basic.sh checks, in mode tproxy.
UP_MODE=tproxy UP_TEST="$0" . "$(dirname "$0")/up_basic.sh"
