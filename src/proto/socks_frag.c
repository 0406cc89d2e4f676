/* SOCKS5 UDP reassembly; see socks_frag.h. */
#include "proto/socks_frag.h"

#include <string.h>

bool socks_frag_reset(struct socks_frag *f)
{
	bool any = f->next > 1;

	f->len = 0;
	f->next = 1;
	return any;
}

static enum socks_frag_verdict abandon(struct socks_frag *f)
{
	socks_frag_reset(f);
	return SOCKS_FRAG_ABANDONED;
}

enum socks_frag_verdict socks_frag_add(struct socks_frag *f, uint8_t frag, const struct target *target, const uint8_t *data, size_t len)
{
	uint8_t number = frag & (uint8_t)~SOCKS_FRAG_LAST;

	if (f->next == 0)
		f->next = 1;
	if (number == 1 && f->next > 1)
		socks_frag_reset(f); /* a new datagram; the old one stays incomplete */
	if (number == 0 || number != f->next || len > SOCKS_FRAG_DATA_MAX - f->len)
		return abandon(f);
	if (number == 1)
		f->target = *target;
	else if (!target_equal(&f->target, target))
		return abandon(f);
	memcpy(f->data + f->len, data, len);
	f->len += (uint32_t)len;
	f->next++;
	return frag & SOCKS_FRAG_LAST ? SOCKS_FRAG_WHOLE : SOCKS_FRAG_MORE;
}
