#!/bin/bash
# 1 GB each way, its checksum taken at both ends.
. "$(dirname "$0")/lib.sh"
LAB_CAPTURE=stray
begin "$0" "$@"

total=1000000000
! sanitized || total=100000000
FAMILIES=4
is "$total bytes down: the checksum is right" "got:$total,intact then:EOF" source @ $total
is "$total bytes up: the checksum is right" "answer:right then:EOF" half-close @ $total
METHOD=aes-256-gcm KEY=
use_server gatun
FAMILIES=6
is "$total bytes down, aes-256-gcm: the checksum is right" "got:$total,intact then:EOF" source @ $total
is "$total bytes up, aes-256-gcm: the checksum is right" "answer:right then:EOF" half-close @ $total

finish
