/*
 * CIDR prefixes; see prefix.h. They are compared bit by bit as they go over the
 * wire: an address's bytes behind its family's length are always zero.
 */
#include "conf/prefix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

static int parse_len(const char *text, unsigned max, uint8_t *out)
{
	size_t n = strlen(text);
	unsigned long len;

	if (n == 0 || n > 3 || strspn(text, "0123456789") != n)
		return -EINVAL;
	len = strtoul(text, NULL, 10);
	if (len > max)
		return -EINVAL;
	*out = (uint8_t)len;
	return 0;
}

int prefix_parse(const char *text, struct config_prefix *out)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	struct config_prefix p = { 0 };
	char ip[64];
	unsigned max;

	if (n == 0 || n >= sizeof(ip) || memchr(text, '[', n))
		return -EINVAL;
	memcpy(ip, text, n);
	ip[n] = 0;
	if (addr_parse_ip(ip, 0, &p.at) != 0)
		return -EINVAL;
	max = (unsigned)addr_ip_len(&p.at) * 8;
	p.len = (uint8_t)max;
	if (slash && parse_len(slash + 1, max, &p.len) != 0)
		return -EINVAL;
	*out = p;
	return 0;
}

bool prefix_trim(struct config_prefix *p)
{
	struct addr was = p->at;

	for (unsigned bit = p->len; bit < addr_ip_len(&p->at) * 8; bit++)
		p->at.ip.bytes[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
	return !addr_ip_equal(&was, &p->at);
}

char *prefix_format(const struct config_prefix *p, char *buf)
{
	char *end;

	addr_format(&p->at, buf);
	*strrchr(buf, ':') = 0; /* the port, which is 0 */
	if (*buf == '[') {
		memmove(buf, buf + 1, strlen(buf));
		buf[strlen(buf) - 1] = 0;
	}
	end = buf + strlen(buf);
	snprintf(end, (size_t)(buf + PREFIX_STRLEN - end), "/%u", p->len);
	return buf;
}

bool prefix_covers(const struct config_prefix *a, const struct config_prefix *b)
{
	struct config_prefix cut = { .at = b->at, .len = a->len };

	if (a->at.family != b->at.family || a->len > b->len)
		return false;
	prefix_trim(&cut);
	return addr_ip_equal(&a->at, &cut.at);
}

static int compare(const void *left, const void *right)
{
	const struct config_prefix *a = left, *b = right;
	int order = a->at.family - b->at.family;

	if (!order)
		order = memcmp(a->at.ip.bytes, b->at.ip.bytes, sizeof(a->at.ip.bytes));
	return order ? order : a->len - b->len;
}

void prefixes_sort(struct config_prefixes *list)
{
	if (list->n)
		qsort(list->items, (size_t)list->n, sizeof(*list->items), compare);
}

/* What covers p stands before the place where p would be, and between the two nothing can,
 * since it would be covered as well. */
const struct config_prefix *prefixes_find_cover(const struct config_prefixes *list, const struct config_prefix *p)
{
	int from = 0, to = list->n;

	while (from < to) {
		int middle = (from + to) / 2;

		if (compare(&list->items[middle], p) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from && prefix_covers(&list->items[from - 1], p) ? &list->items[from - 1] : NULL;
}
