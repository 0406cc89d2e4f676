#!/bin/bash
# What up_basic.sh checks, in mode redirect.
UP_MODE=redirect UP_TEST="$0" . "$(dirname "$0")/up_basic.sh"
