#!/bin/bash
# What up_refused.sh checks, by TPROXY.
UP_MODE=tproxy UP_TEST="$0" . "$(dirname "$0")/up_refused.sh"
