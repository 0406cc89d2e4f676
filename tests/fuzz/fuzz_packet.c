/* IP packets as the TUN delivers them: parsed and checked. */
#include "fuzz.h"

#include "inbound/packet.h"

static void keep(struct buf *b) { (void)b; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct buf buf = { .refs = 2, .size = (uint32_t)size, .release = keep };
	struct packet p;

	if (size > 65535)
		return 0;
	buf.data = input_block(&in, size);
	if (packet_parse(&p, (struct slice){ .buf = &buf, .len = (uint32_t)size }) == 0) {
		must(p.ip.len <= size && p.l4 <= p.ip.len);
		packet_not_unicast(&p);
		if (!p.fragment)
			packet_checksum_ok(&p);
	}
	free(buf.data);
	return 0;
}
