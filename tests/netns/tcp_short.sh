#!/bin/bash
# 10,000 short connections one after another from 40 ports: each port is used again and
# again while its last connection is hardly gone.
. "$(dirname "$0")/lib.sh"
LAB_CAPTURE=stray
begin "$0" "$@"

count=10000
! sanitized || count=2000
same "$count short connections one after another from 40 ports: all answered" "ok:$count" short @ $count 40

finish
