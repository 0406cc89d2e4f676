#!/bin/bash
# Many connections at once, each with content of its own in both directions.
. "$(dirname "$0")/lib.sh"
LAB_CAPTURE=stray
begin "$0" "$@"

same "300 connections of 1 MB at once, echoed: every hash is right" "EOF:300" many @ 300 1048576
FAMILIES=4
same "500 connections at once: all of them are served" "EOF:500" many @ 500 65536

finish
