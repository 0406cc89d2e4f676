#!/bin/bash
# What up_life.sh checks, in mode tproxy.
UP_MODE=tproxy UP_TEST="$0" . "$(dirname "$0")/up_life.sh"
