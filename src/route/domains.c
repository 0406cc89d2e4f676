/*
 * Rules in one hash table by their text. A name is hashed from its end to its
 * beginning, and at each dot on the way the hash so far is that of a domain it
 * lies in: one pass gives all of them, and it stops at as many labels as the
 * deepest rule has.
 *
 * The hash need not be keyed: who chooses names to ask for does not choose the
 * rules, and a chain is as long as the rules made it.
 */
#include "route/domains.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "proto/dns_message.h"

struct domain {
	struct hash_node node;
	struct domain *next; /* of all */
	uint8_t cover; /* enum domain_cover */
	uint8_t len;
	char name[];
};

/* FNV-1a, backwards. */
static uint64_t hash_begin(void) { return 0xcbf29ce484222325ull; }
static uint64_t hash_byte(uint64_t h, char c) { return (h ^ (uint8_t)c) * 0x100000001b3ull; }

/* The table looks at the low bits, which a multiplication mixes least. */
static uint64_t hash_end(uint64_t h)
{
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

static struct domain *find(const struct domain_set *s, const char *name, size_t len, uint64_t value)
{
	for (struct hash_node *n = hash_first(&s->names, value); n; n = hash_next(n, value)) {
		struct domain *d = container_of(n, struct domain, node);

		if (d->len == len && memcmp(d->name, name, len) == 0)
			return d;
	}
	return NULL;
}

static uint64_t hash_name(const char *name, size_t len, unsigned *labels)
{
	uint64_t h = hash_begin();

	*labels = 1;
	for (size_t i = len; i-- > 0;) {
		*labels += name[i] == '.';
		h = hash_byte(h, name[i]);
	}
	return hash_end(h);
}

int domain_add(struct domain_set *s, const char *name, size_t len, enum domain_cover cover)
{
	struct domain *d;
	unsigned labels;
	uint64_t value;

	if (!len || len > DNS_NAME_TEXT_MAX)
		return -EINVAL;
	if (!s->all && hash_init(&s->names) < 0)
		return -ENOMEM;
	value = hash_name(name, len, &labels);
	d = find(s, name, len, value);
	if (!d) {
		d = calloc(1, sizeof(*d) + len);
		if (!d)
			return -ENOMEM;
		d->len = (uint8_t)len;
		memcpy(d->name, name, len);
		d->next = s->all;
		s->all = d;
		hash_insert(&s->names, &d->node, value);
	}
	d->cover |= (uint8_t)cover;
	if (labels > s->depth)
		s->depth = labels;
	return 0;
}

static bool covers(const struct domain_set *s, const char *name, size_t len, uint64_t h, enum domain_cover which)
{
	const struct domain *d = find(s, name, len, hash_end(h));

	return d && (d->cover & which);
}

bool domain_contains(const struct domain_set *s, const char *name, size_t len)
{
	uint64_t h = hash_begin();
	unsigned labels = 1;

	if (!s->all)
		return false;
	for (size_t i = len; i-- > 0;) {
		if (name[i] == '.') {
			if (covers(s, name + i + 1, len - i - 1, h, DOMAIN_BELOW))
				return true;
			if (++labels > s->depth)
				return false;
		}
		h = hash_byte(h, name[i]);
	}
	return covers(s, name, len, h, DOMAIN_ITSELF);
}

bool domain_is_empty(const struct domain_set *s)
{
	return !s->all;
}

void domain_free(struct domain_set *s)
{
	while (s->all) {
		struct domain *d = s->all;

		s->all = d->next;
		free(d);
	}
	hash_free(&s->names);
	*s = (struct domain_set){ 0 };
}
