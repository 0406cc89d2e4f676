/* UoT's request and frame heads. Every length is checked before what it covers is read. */
#include "proto/uot.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"

#define NAME_V1 "sp.udp-over-tcp.arpa"
#define NAME_V2 "sp.v2.udp-over-tcp.arpa"

static const struct ss_addr_types frame_types = { .ipv4 = 0, .ipv6 = 1, .name = 2 };

static bool is_name(const struct target *t, const char *name)
{
	return t->name_len == strlen(name) && strncasecmp(t->name, name, t->name_len) == 0;
}

int uot_version(const struct target *t)
{
	return is_name(t, NAME_V2) ? 2 : is_name(t, NAME_V1) ? 1 : 0;
}

void uot_target(struct target *out)
{
	*out = (struct target){ .name_len = sizeof(NAME_V2) - 1 };
	memcpy(out->name, NAME_V2, sizeof(NAME_V2));
}

size_t uot_put_request(bool connected, const struct target *t, uint8_t *out)
{
	out[0] = connected;
	return 1 + ss_addr_encode(t, out + 1);
}

ssize_t uot_read_request(const uint8_t *in, size_t len, bool *connected, struct target *out)
{
	ssize_t n;

	if (len < 1)
		return 0;
	if (in[0] > 1)
		return -EPROTO;
	n = ss_addr_decode(in + 1, len - 1, out);
	if (n <= 0)
		return n;
	*connected = in[0];
	return 1 + n;
}

size_t uot_head_len(bool connected, const struct target *t)
{
	return (connected ? 0 : ss_addr_len(t)) + 2;
}

size_t uot_put_head(bool connected, const struct target *t, uint16_t data_len, uint8_t *out)
{
	size_t n = connected ? 0 : ss_addr_encode_as(&frame_types, t, out);

	put16(out + n, data_len);
	return n + 2;
}

ssize_t uot_read_head(bool connected, const uint8_t *in, size_t len, struct target *out, uint16_t *data_len)
{
	ssize_t n = 0;

	if (!connected) {
		n = ss_addr_decode_as(&frame_types, in, len, out);
		if (n <= 0)
			return n;
	}
	if (len - (size_t)n < 2)
		return 0;
	*data_len = get16(in + n);
	return n + 2;
}
