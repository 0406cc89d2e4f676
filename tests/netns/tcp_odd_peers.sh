#!/bin/bash
# Applications whose TCP is unusual: urgent data, tiny windows, tiny segments, few options.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

same "urgent data up: the rest of the stream is whole" "stream:whole then:EOF" urgent-up @
same "urgent data down: the rest of the stream is whole" "stream:whole then:EOF" urgent-down @
same "the smallest receive window that there is: 200 kB arrive" "got:200000,intact then:EOF" tiny-window @ 200000
for size in 88 536 1000; do
	FAMILIES=4
	same "segments of $size bytes: 1 MB there and back" "got:1000000,intact then:EOF" small-segments @ $size 1000000
done

finish
