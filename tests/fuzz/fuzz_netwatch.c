/* Messages of rtnetlink: whatever they are, they are read within their length and told as known bits. */
#include "fuzz.h"

#include "sys/netwatch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t *block = input_block(&in, size); /* malloc's alignment, as a receive buffer has */

	must((netwatch_read(block, size) & ~(unsigned)NETWATCH_ALL) == 0);
	free(block);
	return 0;
}
