#!/bin/bash
# What up_transparency.sh checks, by TPROXY.
UP_MODE=tproxy UP_TEST="$0" . "$(dirname "$0")/up_transparency.sh"
