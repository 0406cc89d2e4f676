#!/bin/bash
# Both half-closes: who has sent FIN still reads the answer, and who has read FIN still sends.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

same "3 MB and FIN, then the answer is read" "answer:right then:EOF" half-close @ 3000000
same "one byte and FIN, then the answer is read" "answer:right then:EOF" half-close @ 1
same "FIN without a byte, then the answer is read" "answer:right then:EOF" half-close @ 0
same "after data and FIN from the peer, 3 MB are still taken" "got:100000,EOF send:ok peer:all" early @ 3000000

finish
